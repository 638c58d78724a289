// Checks of what apps pass, and words for it in messages.

import { Number, NumberIsSafeInteger, String } from "./core.ts";
import { WasmError } from "./errors.ts";
import type { WasmErrorCode } from "./errors.ts";

/** What a value is called in messages. Runs no code of the value's. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case "bigint":
      return `${value}n`;
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

/** A quoted name for messages. */
export function quote(name: unknown): string {
  return typeof name === "string" ? `"${name}"` : describe(name);
}

/** An integer from 0 to 2⁵³ − 1. */
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

/** The elements of an array that may be a proxy, have holes, or change. */
export function copyOf(array: readonly unknown[], length: number): unknown[] {
  const copy = [];
  for (let i = 0; i < length; i++) copy[i] = array[i];
  return copy;
}

export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
