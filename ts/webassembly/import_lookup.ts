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

/** Adds the prototypes of the global classes, and those that they inherit from. */
function addGlobals(): void {
  const names = ReflectOwnKeys(globalThis);
  for (let i = 0; i < names.length; i++) {
    const descriptor = ObjectGetOwnPropertyDescriptor(globalThis, names[i]);
    if (!ObjectHasOwn(descriptor, "value") || typeof descriptor.value !== "function") continue;
    const prototype = ObjectGetOwnPropertyDescriptor(descriptor.value, "prototype");
    if (prototype !== undefined) addPrototype(prototype.value);
  }
}

/** Adds the prototypes of the functions and iterators that only syntax makes. */
function addHidden(): void {
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
addGlobals();
addHidden();

/** Whether an object is the prototype of JavaScript's own objects. */
function isOwnPrototype(object: object): boolean {
  return ownPrototypes.has(object);
}

/**
 * A property of an object with imports: its own, one that it inherits from an object of the app's, or one that a proxy
 * has. JavaScript's own prototypes have no imports for guests, and neither has the property `constructor` of a
 * class. A module could otherwise run JavaScript of its own.
 */
export function importProperty(object: object, name: string): unknown {
  if (ObjectHasOwn(object, name)) return object[name];
  if (name === "constructor" || name === "__proto__") return undefined;
  let holder = ObjectGetPrototypeOf(object);
  while (holder !== null && !isOwnPrototype(holder)) {
    if (ObjectHasOwn(holder, name)) return ReflectGet(holder, name, object);
    holder = ObjectGetPrototypeOf(holder);
  }
  // What else is there comes from a proxy, or from JavaScript's own prototypes. A proxy may pass on what its target
  // inherits.
  const value = object[name];
  return value === undefined || isOfOwnPrototype(value, name) ? undefined : value;
}

/** Whether one of JavaScript's own prototypes has this value under this name. */
function isOfOwnPrototype(value: unknown, name: string): boolean {
  let found = false;
  SetPrototypeForEach(ownPrototypes, (prototype: object) => {
    if (found || !ObjectHasOwn(prototype, name)) return;
    const descriptor = ObjectGetOwnPropertyDescriptor(prototype, name);
    // The value of an accessor depends on the object, so no name of an accessor is an import.
    found = !ObjectHasOwn(descriptor, "value") || descriptor.value === value;
  });
  return found;
}
