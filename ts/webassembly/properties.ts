// Definition of properties as the standard has them.

import { ObjectDefineProperty } from "../core.ts";

/** Defines a property that is not enumerable. */
export function defineHidden(object: object, name: string, value: unknown): void {
  ObjectDefineProperty(object, name, {
    __proto__: null,
    value,
    writable: true,
    enumerable: false,
    configurable: true,
  });
}

/** Gives a function its name and its length. */
export function nameFunction(func: object, name: string, length: number): void {
  ObjectDefineProperty(func, "name", {
    __proto__: null,
    value: name,
    writable: false,
    enumerable: false,
    configurable: true,
  });
  ObjectDefineProperty(func, "length", {
    __proto__: null,
    value: length,
    writable: false,
    enumerable: false,
    configurable: true,
  });
}
