// Lists of host:wasm's own. An array without a prototype: neither the read of an element that is missing
// nor the write of a new one reaches an accessor that a script put on `Array.prototype`.

import { ObjectSetPrototypeOf, ReflectApply } from "./core.ts";

/** A list of these items. */
export function list<T>(...items: T[]): T[] {
  return ObjectSetPrototypeOf(items, null);
}

/** Adds an item to the end of a list. */
export function append<T>(list: T[], item: T): void {
  list[list.length] = item;
}

/** A new array, for an app, of the items of a list. */
export function toArray<T>(list: T[]): T[] {
  return ReflectApply(arrayOf, undefined, list);
}

function arrayOf<T>(...items: T[]): T[] {
  return items;
}
