// Classes whose objects only host:wasm makes.

import { ReflectConstruct, TypeError } from "./core.ts";

/** Keeps the constructors of what only `host:wasm` makes from apps. */
export const internal = Symbol("internal");

export function illegal(key: unknown): void {
  if (key !== internal) throw new TypeError("Illegal constructor");
}

/** Makes an object of a class whose constructor, as far as apps know, takes something else. */
export function construct<T>(type: { prototype: T }, ...args: unknown[]): T {
  return ReflectConstruct(type, args);
}
