// The descriptors of live objects that apps make.

import { isObject, option, toInteger } from "./check.ts";
import { describe, quote } from "./describe.ts";
import { InstantiateError, WasmError } from "./errors.ts";

/**
 * The type that an app gives for a live object.
 *
 * @throws {WasmError} `InstantiateError` if it is no object.
 */
export function checkDescriptor(type: unknown, kind: string): object {
  if (isObject(type)) return type;
  throw new WasmError(`the type of a ${kind} must be an object, got ${describe(type)}`, InstantiateError);
}

/** The limits of a memory or table, as ops take them. */
export interface Limits {
  minimum: number;
  /** −1 if there is none. */
  maximum: number;
  is64: boolean;
}

/** The limits in the type of a memory or table. */
export function limitsOf(type: object): Limits {
  const address = option(type, "address", InstantiateError) ?? "i32";
  if (address !== "i32" && address !== "i64") {
    throw new WasmError(`an address is "i32" or "i64", not ${quote(address)}`, InstantiateError);
  }
  const minimum = option(type, "minimum", InstantiateError);
  const maximum = option(type, "maximum", InstantiateError);
  return {
    minimum: toInteger(minimum, "minimum", InstantiateError),
    maximum: maximum === undefined ? -1 : toInteger(maximum, "maximum", InstantiateError),
    is64: address === "i64",
  };
}
