import { ArrayIsArray, JSONStringify } from "./core.ts";

/**
 * Writes strings, booleans, and lists of them as JSON. For objects and arrays, QuickJS's `JSON.stringify` uses arrays
 * of its own, and calls setters that a script has put on `Array.prototype`.
 */
export function toJson(value: unknown): string {
  if (!ArrayIsArray(value)) return JSONStringify(value);
  let json = "[";
  for (let i = 0; i < value.length; i++) json += (i === 0 ? "" : ",") + toJson(value[i]);
  return json + "]";
}
