// Checks of the values that apps pass.

import {
  Number,
  NumberIsSafeInteger,
  ObjectGetPrototypeOf,
  ObjectHasOwn,
  ObjectPrototype,
} from "./core.ts";
import { describe } from "./describe.ts";
import { WasmError } from "./errors.ts";
import type { WasmErrorCode } from "./errors.ts";
import { list } from "./list.ts";

/**
 * An integer from 0 to 2⁵³ − 1. `what` names it in messages.
 *
 * @throws {WasmError} With `code`, for any other value.
 */
export function toInteger(value: unknown, what: string, code: WasmErrorCode): number {
  const number = typeof value === "bigint" ? Number(value) : value;
  if (!NumberIsSafeInteger(number) || number < 0) {
    throw new WasmError(
      `${what} must be an integer from 0 to 2^53 - 1, got ${describe(value)}`,
      code,
    );
  }
  return number;
}

/** An own property of an object; `undefined` if there is none, even if the object inherits one. */
export function own(object: object, name: string | number): unknown {
  return ObjectHasOwn(object, name) ? object[name] : undefined;
}

/**
 * An option, which has to be an own property. A property of `Object.prototype` is no option. An app may have meant a
 * property of another prototype as an option, and must hear that it does not count.
 *
 * @throws {WasmError} With `code`, if the option is inherited from such a prototype.
 */
export function option(options: object, name: string, code: WasmErrorCode): unknown {
  if (ObjectHasOwn(options, name)) return options[name];
  let prototype = ObjectGetPrototypeOf(options);
  while (prototype !== null && prototype !== ObjectPrototype) {
    if (ObjectHasOwn(prototype, name)) {
      throw new WasmError(`the option ${name} is inherited; options must be own properties`, code);
    }
    prototype = ObjectGetPrototypeOf(prototype);
  }
  return undefined;
}

/** A copy of the own elements of an array. The array may be a proxy, may have holes, and may change meanwhile. */
export function copyOf(array: readonly unknown[], length: number): unknown[] {
  const copy = list<unknown>();
  // Not by `own` and `append`, which would be two calls for each element.
  for (let i = 0; i < length; i++) copy[i] = ObjectHasOwn(array, i) ? array[i] : undefined;
  return copy;
}

export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
