import { StringPrototypeIsWellFormed } from "./core.ts";

/** Whether a string has no surrogate without its other half. */
export function isWellFormed(text: string): boolean {
  return StringPrototypeIsWellFormed(text);
}
