// The types of memories and tables that apps make.

import { describe, isObject, quote, toInteger } from "./check.ts";
import { InstantiateError, WasmError } from "./errors.ts";
import type { MemoryType, TableType } from "./types.ts";

/** The fields of a type that an app gives. */
export function typeOf<T>(type: unknown, kind: string): T {
  if (isObject(type)) return type as T;
  throw new WasmError(`the type of a ${kind} must be an object, got ${describe(type)}`, InstantiateError);
}

/** The limits of a memory's or table's type, in the form that the ops take. */
export function limitsOf(type: MemoryType | TableType): { minimum: number; maximum?: number; is64: boolean } {
  const { minimum, maximum, address = "i32" } = type;
  if (address !== "i32" && address !== "i64") {
    throw new WasmError(`an address is "i32" or "i64", not ${quote(address)}`, InstantiateError);
  }
  return {
    minimum: toInteger(minimum, "minimum", InstantiateError),
    maximum: maximum === undefined ? undefined : toInteger(maximum, "maximum", InstantiateError),
    is64: address === "i64",
  };
}
