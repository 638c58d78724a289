import { copyOf } from "../check.ts";
import { ArrayIsArray, ReflectApply, SymbolIterator, TypeError } from "../core.ts";
import { describe } from "../describe.ts";
import { append, list } from "../list.ts";

/**
 * The values of an iterable of the app's, at most so many.
 *
 * @throws {TypeError} If it is no iterable.
 */
export function listOf(iterable: unknown, most: number): unknown[] {
  // An array is read by index: a script may have changed how arrays are iterated.
  if (ArrayIsArray(iterable)) return copyOf(iterable, iterable.length < most ? iterable.length : most);
  if (iterable === undefined || iterable === null) {
    throw new TypeError(`expected an iterable, got ${describe(iterable)}`);
  }
  const method = iterable[SymbolIterator];
  if (typeof method !== "function") {
    throw new TypeError(`expected an iterable, got ${describe(iterable)}`);
  }
  const iterator = ReflectApply(method, iterable, list());
  const next = iterator.next;
  const values = list<unknown>();
  while (values.length < most) {
    const step = ReflectApply(next, iterator, list());
    if (step.done) break;
    append(values, step.value);
  }
  return values;
}
