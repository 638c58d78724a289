// Internal lists: arrays without a prototype. A script may have put accessors on `Array.prototype`. Reading a missing
// element of a list, or adding an element, does not call them.

import { ObjectSetPrototypeOf, ReflectApply } from "./core.ts";

/** Makes a list of these items. */
export function list<T>(...items: T[]): T[] {
  return ObjectSetPrototypeOf(items, null);
}

/** Appends an item to a list. */
export function append<T>(list: T[], item: T): void {
  list[list.length] = item;
}

/** Makes an array for an app, with the items of a list. */
export function toArray<T>(list: T[]): T[] {
  return ReflectApply(arrayOf, undefined, list);
}

function arrayOf<T>(...items: T[]): T[] {
  return items;
}
