// Constructors that apps cannot call.

import { ReflectConstruct, TypeError } from "./core.ts";

/** The first argument of internal constructor calls. Apps do not have this symbol. */
export const internal = Symbol("internal");

/** Throws what a browser throws for a constructor without the internal key. */
export function illegal(key: unknown): void {
  if (key !== internal) throw new TypeError("Illegal constructor");
}

/** Constructs an object with internal arguments, which the declared constructor does not take. */
export function construct<T>(type: { prototype: T }, ...args: unknown[]): T {
  return ReflectConstruct(type, args);
}
