// Checks of the values that apps pass, and descriptions of them for messages.

import {
  BigIntAsIntN,
  Number,
  NumberIsSafeInteger,
  NumberPrototypeToString,
  ObjectGetPrototypeOf,
  ObjectHasOwn,
  ObjectPrototype,
  String,
  StringPrototypeCharCodeAt,
  StringPrototypeSlice,
} from "./core.ts";
import { WasmError } from "./errors.ts";
import type { WasmErrorCode } from "./errors.ts";
import { append, list } from "./list.ts";

/** The description of a value for messages. Calls no function of the value. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case "bigint":
      return BigIntAsIntN(128, value) === value ? `${value}n` : "a bigint of more than 128 bits";
    case "number":
    case "boolean":
    case "undefined":
      return String(value);
    case "object":
      return value === null ? "null" : "an object";
    default:
      return `a ${typeof value}`;
  }
}

/** The most characters of a name that messages show. */
const MAX_SHOWN = 100;

/** A quoted name for messages. Long names are cut; the same characters are escaped as in messages of the runtime. */
export function quote(name: unknown): string {
  if (typeof name !== "string") return describe(name);
  const cut = name.length > MAX_SHOWN ? `${StringPrototypeSlice(name, 0, MAX_SHOWN)}\u2026` : name;
  let shown = "";
  for (let i = 0; i < cut.length; i++) {
    const code = StringPrototypeCharCodeAt(cut, i);
    shown += isPlain(code) ? cut[i] : `\\u{${NumberPrototypeToString(code, 16)}}`;
  }
  return `"${shown}"`;
}

/** Whether a character is no quote, no control character, and does not change the direction of text. */
function isPlain(code: number): boolean {
  return code >= 0x20 && code !== 0x22 && code !== 0x5c && !(code >= 0x7f && code < 0xa0) &&
    code !== 0x200e && code !== 0x200f && !(code >= 0x2028 && code <= 0x202e) &&
    !(code >= 0x2066 && code <= 0x2069);
}

/** The name of a type for messages. */
export function typeName(type: string): string {
  const quoted = quote(type);
  return quoted === `"${type}"` ? type : quoted;
}

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
  for (let i = 0; i < length; i++) append(copy, own(array, i));
  return copy;
}

export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
