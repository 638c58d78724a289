// The look-up of imports in the objects of an app.

import {
  bootstrap,
  ObjectGetOwnPropertyDescriptor,
  ObjectGetPrototypeOf,
  ObjectHasOwn,
  ObjectKeys,
  ReflectGet,
  SafeSet,
  SetPrototypeForEach,
  StringPrototypeEndsWith,
} from "../core.ts";

/** The prototypes of JavaScript's own objects, as they were before scripts could change anything. */
let ownPrototypes: Set<unknown> | undefined;

function prototypesOfJs(): Set<unknown> {
  if (ownPrototypes === undefined) {
    ownPrototypes = new SafeSet();
    const { primordials } = bootstrap;
    const names = ObjectKeys(primordials);
    for (let i = 0; i < names.length; i++) {
      if (StringPrototypeEndsWith(names[i], "Prototype")) ownPrototypes.add(primordials[names[i]]);
    }
    // Prototypes that no global name leads to.
    const hidden = [function* () {}, async function () {}, async function* () {}];
    for (let i = 0; i < hidden.length; i++) {
      let prototype = hidden[i] as object;
      for (let depth = 0; depth < 3; depth++) {
        prototype = ObjectGetPrototypeOf(prototype);
        if (prototype === null) break;
        ownPrototypes.add(prototype);
      }
    }
  }
  return ownPrototypes;
}

/** Whether an object is the prototype of JavaScript's own objects. */
function isOwnPrototype(object: object): boolean {
  return prototypesOfJs().has(object);
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
  SetPrototypeForEach(prototypesOfJs(), (prototype: object) => {
    if (found || !ObjectHasOwn(prototype, name)) return;
    const descriptor = ObjectGetOwnPropertyDescriptor(prototype, name);
    // The value of an accessor depends on the object, so no name of an accessor is an import.
    found = !ObjectHasOwn(descriptor, "value") || descriptor.value === value;
  });
  return found;
}
