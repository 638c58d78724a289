// Descriptions of values and names for messages.

import {
  BigIntAsIntN,
  NumberPrototypeToString,
  String,
  StringPrototypeCharCodeAt,
  StringPrototypeSlice,
} from "./core.ts";

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
