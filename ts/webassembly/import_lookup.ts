// The look-up of imports in the objects of an app.

import {
  bootstrap,
  ObjectGetOwnPropertyDescriptor,
  ObjectGetPrototypeOf,
  ObjectHasOwn,
  ReflectGet,
  ReflectOwnKeys,
  SafeSet,
  SetPrototypeForEach,
  StringPrototypeEndsWith,
} from "../core.ts";
import { append, list } from "../list.ts";
import { isObjectLike } from "./web_idl.ts";

/** The prototypes of JavaScript's own objects, collected before scripts can change anything. */
const ownPrototypes: Set<unknown> = new SafeSet();

function addPrototype(prototype: unknown): void {
  if (isObjectLike(prototype)) ownPrototypes.add(prototype);
}

/** Adds the prototypes that primordials have: also those that no global variable leads to. */
function addPrimordials(): void {
  const { primordials } = bootstrap;
  const names = ReflectOwnKeys(primordials);
  for (let i = 0; i < names.length; i++) {
    const name = names[i];
    if (typeof name === "string" && StringPrototypeEndsWith(name, "Prototype")) {
      addPrototype(primordials[name]);
    }
  }
}

/** Adds the prototypes of the classes that an object has as properties, and of those in its namespaces, such as `Intl`. */
function addClasses(holder: object, depth: number): void {
  const names = ReflectOwnKeys(holder);
  for (let i = 0; i < names.length; i++) {
    const descriptor = ObjectGetOwnPropertyDescriptor(holder, names[i]);
    if (!ObjectHasOwn(descriptor, "value") || !isObjectLike(descriptor.value)) continue;
    if (typeof descriptor.value !== "function") {
      if (depth > 0) addClasses(descriptor.value, depth - 1);
      continue;
    }
    const prototype = ObjectGetOwnPropertyDescriptor(descriptor.value, "prototype");
    if (prototype !== undefined) addPrototype(prototype.value);
  }
}

/** Adds the prototypes of the functions and iterators that no name leads to. */
function addHidden(): void {
  const iterators = [
    () => [].values(),
    () => [].values().map((x) => x),
    () => globalThis.Iterator.from({ next() {} }),
    () => "".matchAll(/x/g),
  ];
  for (let i = 0; i < iterators.length; i++) {
    try {
      addPrototype(ObjectGetPrototypeOf(iterators[i]()));
    } catch {
      // The engine has no such iterators.
    }
  }
  const made = [function* () {}, async function () {}, async function* () {}];
  for (let i = 0; i < made.length; i++) {
    let prototype = ObjectGetPrototypeOf(made[i]);
    while (prototype !== null) {
      addPrototype(prototype);
      const objects = ObjectGetOwnPropertyDescriptor(prototype, "prototype");
      if (objects !== undefined) addPrototype(objects.value);
      prototype = ObjectGetPrototypeOf(prototype);
    }
  }
}

addPrimordials();
addClasses(globalThis, 1);
addHidden();

/**
 * A property of an object with imports: its own, one that it inherits from an object of the app's, or one that a proxy
 * has. JavaScript's own prototypes have no imports for guests, and neither has the property `constructor` of a
 * class. A module could otherwise run JavaScript of its own.
 */
export function importProperty(object: object, name: string): unknown {
  // A function has its prototype without the app.
  if (typeof object === "function" && name === "prototype") return undefined;
  if (ObjectHasOwn(object, name)) return object[name];
  if (name === "constructor" || name === "__proto__") return undefined;
  let holder = ObjectGetPrototypeOf(object);
  while (holder !== null && !ownPrototypes.has(holder)) {
    if (ObjectHasOwn(holder, name)) return ReflectGet(holder, name, object);
    holder = ObjectGetPrototypeOf(holder);
  }
  // What else is there comes from a proxy, or from JavaScript's own prototypes. A proxy may pass on what its target
  // inherits.
  const own = ownValues(name);
  if (own === undefined) return undefined;
  const value = object[name];
  for (let i = 0; i < own.length; i++) if (own[i] === value) return undefined;
  return value;
}

/**
 * The values that JavaScript's own prototypes have under a name. `undefined` if one of them has an accessor: its value
 * depends on the object.
 */
function ownValues(name: string): unknown[] | undefined {
  const values = list<unknown>();
  let hasAccessor = false;
  SetPrototypeForEach(ownPrototypes, (prototype: object) => {
    const descriptor = ObjectGetOwnPropertyDescriptor(prototype, name);
    if (descriptor === undefined) return;
    if (ObjectHasOwn(descriptor, "value")) append(values, descriptor.value);
    else hasAccessor = true;
  });
  return hasAccessor ? undefined : values;
}
