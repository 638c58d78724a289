import { ArrayIsArray, JSONStringify } from "./core.ts";

/**
 * Strings, booleans, and lists of these as JSON. Engines write an object or an array with the help of arrays
 * of their own (QuickJS does), in which scripts' setters on `Array.prototype` take part.
 */
export function toJson(value: unknown): string {
  if (!ArrayIsArray(value)) return JSONStringify(value);
  let json = "[";
  for (let i = 0; i < value.length; i++) json += (i === 0 ? "" : ",") + toJson(value[i]);
  return json + "]";
}
