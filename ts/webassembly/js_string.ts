// The builtin functions `wasm:js-string`, and imported string constants.
//
// They are functions of JavaScript for the guest, and check their arguments as the functions of the engine would.

import {
  ReflectApply,
  StringFromCharCode,
  StringFromCodePoint,
  StringPrototypeCharCodeAt,
  StringPrototypeCodePointAt,
  StringPrototypeSubstring,
  TypedArrayPrototypeGetBuffer,
  Uint16Array,
  Uint8Array,
} from "../core.ts";
import { RuntimeError } from "../errors.ts";
import { uncatchable } from "../guest_errors.ts";
import { list } from "../list.ts";
import { op_wasm_array16_length, op_wasm_read_array16, op_wasm_write_array16 } from "../ops.ts";
import { importName } from "../types.ts";
import type { ImportInfo, WasmFunction } from "../types.ts";
import { standardError } from "./error_classes.ts";
import { defineHidden } from "./properties.ts";
import type { ErrorClasses } from "./error_classes.ts";
import { guestObjects } from "./guest_objects.ts";
import type { GuestObject } from "./guest_objects.ts";
import type { StringBudget } from "./string_budget.ts";

/** The name of the import module with the builtin functions. */
export const JS_STRING = "wasm:js-string";

/** The types of the builtin functions: parameters, then results. */
const TYPES: Record<string, [string, string]> = {
  __proto__: null,
  cast: ["externref", "(ref extern)"],
  test: ["externref", "i32"],
  fromCharCodeArray: ["(ref null $array),i32,i32", "(ref extern)"],
  intoCharCodeArray: ["externref,(ref null $array),i32", "i32"],
  fromCharCode: ["i32", "(ref extern)"],
  fromCodePoint: ["i32", "(ref extern)"],
  charCodeAt: ["externref,i32", "i32"],
  codePointAt: ["externref,i32", "i32"],
  length: ["externref", "i32"],
  concat: ["externref,externref", "(ref extern)"],
  substring: ["externref,i32,i32", "(ref extern)"],
  equals: ["externref,externref", "i32"],
  compare: ["externref,externref", "i32"],
} as unknown as Record<string, [string, string]>;

/** Whether there is a builtin function of this name. */
export function isBuiltin(name: string): boolean {
  return TYPES[name] !== undefined;
}

/**
 * The import, in a message, if it has not the type of its builtin. `isPlain` is whether its type is alone in its
 * recursion group.
 */
export function wrongBuiltin(imported: ImportInfo, isPlain: boolean): string | undefined {
  const type = TYPES[imported.name];
  const fits = isPlain && imported.kind === "function" && join(imported.params) === type[0] &&
    join(imported.results) === type[1];
  return fits ? undefined : `${importName(imported)} is a builtin function of another type`;
}

/** The import that is no immutable global of type `externref`, in a message. */
export function wrongConstant(imported: ImportInfo): string | undefined {
  const fits = imported.kind === "global" && !imported.mutable &&
    (imported.value === "externref" || imported.value === "(ref extern)");
  return fits
    ? undefined
    : `${importName(imported)} is a string constant, which is an immutable global of type externref`;
}

function join(names: string[]): string {
  let joined = "";
  for (let i = 0; i < names.length; i++) joined += i === 0 ? names[i] : `,${names[i]}`;
  return joined;
}

/** The most characters that one call of `String.fromCharCode` takes. */
const CHUNK = 4096;

/** Makes the builtin functions, whose traps are errors of these classes. */
export function makeBuiltins(classes: ErrorClasses, budget: StringBudget): Record<string, WasmFunction> {
  function trap(message: string): never {
    const error = new classes.RuntimeError(message);
    defineHidden(error, "code", RuntimeError);
    uncatchable.set(error, -1);
    throw error;
  }
  function string(value: unknown): string {
    return typeof value === "string" ? value : trap("illegal cast: expected a string");
  }
  /** Does an op. Its error, such as the end of the fuel, is one that no guest can catch. */
  function attempt<T>(op: () => T): T {
    try {
      return op();
    } catch (error) {
      const ended = standardError(classes, error);
      uncatchable.set(ended, -1);
      throw ended;
    }
  }
  /** Uses up the fuel for reading or making so many code units. */
  function spend(units: number): void {
    attempt(() => budget.spend(units));
  }
  /** Counts a string that is going to be made. */
  function take(units: number): void {
    spend(units);
    if (!budget.take(units)) trap("the strings of the guests exceed the cap on memory");
  }
  function array(value: unknown): GuestObject {
    const object = guestObjects.get(value as object);
    if (object !== undefined) return object;
    return trap(value === null ? "dereferencing a null pointer" : "illegal cast: expected an array");
  }
  function at(value: unknown, index: number): number {
    const unsigned = index >>> 0;
    return unsigned < string(value).length ? unsigned : trap("string offset out of bounds");
  }
  return {
    __proto__: null,
    cast: string,
    test: (value) => typeof value === "string" ? 1 : 0,
    fromCharCode: (unit) => StringFromCharCode(unit & 0xffff),
    fromCodePoint(point) {
      const unsigned = point >>> 0;
      return unsigned > 0x10ffff ? trap("not a code point") : StringFromCodePoint(unsigned);
    },
    charCodeAt: (value, index) => StringPrototypeCharCodeAt(string(value), at(value, index)),
    codePointAt: (value, index) => StringPrototypeCodePointAt(string(value), at(value, index)),
    length: (value) => string(value).length,
    concat(first, second) {
      const left = string(first);
      const right = string(second);
      take(left.length + right.length);
      return left + right;
    },
    substring(value, start, end) {
      const text = string(value);
      const from = start >>> 0;
      const to = end >>> 0;
      if (from > text.length || to < from) return "";
      take((to < text.length ? to : text.length) - from);
      return StringPrototypeSubstring(text, from, to);
    },
    equals(first, second) {
      const left = first === null ? null : string(first);
      const right = second === null ? null : string(second);
      if (left !== null && right !== null && left.length === right.length) spend(left.length);
      return left === right ? 1 : 0;
    },
    compare(first, second) {
      const left = string(first);
      const right = string(second);
      spend(left.length < right.length ? left.length : right.length);
      if (left === right) return 0;
      return left < right ? -1 : 1;
    },
    fromCharCodeArray(units, start, end) {
      const { store, number } = array(units);
      const from = start >>> 0;
      const to = end >>> 0;
      const length = attempt(() => op_wasm_array16_length(store, number));
      if (from > to || to > length) trap("array element access out of bounds");
      take(to - from);
      let text = "";
      for (let i = from; i < to; i += CHUNK) {
        const stop = i + CHUNK < to ? i + CHUNK : to;
        const bytes = attempt(() => op_wasm_read_array16(store, number, i, stop));
        const chunk = new Uint16Array(TypedArrayPrototypeGetBuffer(bytes));
        const codes = list<number>();
        for (let j = 0; j < stop - i; j++) codes[j] = chunk[j];
        text += ReflectApply(StringFromCharCode, undefined, codes);
      }
      return text;
    },
    intoCharCodeArray(value, units, start) {
      const text = string(value);
      const { store, number } = array(units);
      const from = start >>> 0;
      const length = attempt(() => op_wasm_array16_length(store, number));
      if (from + text.length > length) trap("array element access out of bounds");
      spend(text.length);
      const written = new Uint16Array(text.length);
      for (let i = 0; i < text.length; i++) written[i] = StringPrototypeCharCodeAt(text, i);
      const bytes = new Uint8Array(TypedArrayPrototypeGetBuffer(written));
      attempt(() => op_wasm_write_array16(store, number, from, bytes));
      return text.length;
    },
  } as unknown as Record<string, WasmFunction>;
}
