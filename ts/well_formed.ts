import { StringPrototypeCharCodeAt } from "./core.ts";

/** Whether a string has no surrogate without its other half. */
export function isWellFormed(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = StringPrototypeCharCodeAt(text, i) & 0xfc00;
    if (unit === 0xdc00) return false;
    if (unit !== 0xd800) continue;
    i++;
    if (i === text.length || (StringPrototypeCharCodeAt(text, i) & 0xfc00) !== 0xdc00) return false;
  }
  return true;
}
