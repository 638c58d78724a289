import { TypedArrayPrototypeGetBuffer, TypedArrayPrototypeGetLength, Uint32Array } from "./core.ts";
import { append, list } from "./list.ts";
import { op_wasm_check_store, op_wasm_collect } from "./ops.ts";
import type { ImportInfo } from "./types.ts";

/** Stands for a value that was released. */
const FREE: unique symbol = Symbol("free");

/** With fewer values than this, a store does not look for values that no guest holds. */
const MIN_COLLECTED_VALUES = 4096;
/** The values that were added last may be in the call frame, on their way to a guest: at most so many. */
const LATE_VALUES = 1024;

/**
 * The JavaScript values that the guests of a store hold as `externref`.
 *
 * The runtime knows a value only by its number. So JavaScript's garbage collector sees all references between an app,
 * its imports and its instances, and frees cycles of them.
 */
export class ExternalReferences {
  readonly #store: number;
  /** The values by number; `FREE` for a number that is not in use. */
  readonly held: unknown[] = list();
  /** The import that threw a value, by the number of the value. */
  readonly throwers: (ImportInfo | undefined)[] = list();
  /** The numbers below `held.length` that are not in use. */
  readonly #free: number[] = list();
  /** For each value, how many values were added before it. */
  readonly #ages: number[] = list();
  #age: number = 0;
  #collectAt: number = MIN_COLLECTED_VALUES;

  constructor(store: number) {
    this.#store = store;
  }

  /** Adds a value and returns its number. */
  hold(value: unknown): number {
    op_wasm_check_store(this.#store);
    if (this.#free.length === 0 && this.held.length >= this.#collectAt) this.#collect();
    const last = this.#free.length - 1;
    let number = this.held.length;
    if (last >= 0) {
      number = this.#free[last];
      this.#free.length = last;
    }
    this.held[number] = value;
    this.#ages[number] = this.#age++;
    return number;
  }

  /**
   * The code units of all strings that guests hold. Releases the other values. To be called where no value is on its way
   * to a guest: by an import, before it returns.
   */
  stringUnits(): number {
    const unheld = this.#unheld();
    const length = TypedArrayPrototypeGetLength(unheld);
    for (let i = 0; i < length; i++) {
      if (this.held[unheld[i]] !== FREE) this.release(unheld[i]);
    }
    let units = 0;
    for (let i = 0; i < this.held.length; i++) {
      const value = this.held[i];
      if (typeof value === "string") units += value.length;
    }
    return units;
  }

  /** The numbers of the values that no guest holds. The latest of them may be on their way to one. */
  #unheld(): Uint32Array {
    const bytes = op_wasm_collect(this.#store, this.held.length);
    return new Uint32Array(TypedArrayPrototypeGetBuffer(bytes));
  }

  /** Releases the values that no guest holds, except for the latest: the call frame has a thousand slots. */
  #collect(): void {
    const unheld = this.#unheld();
    const length = TypedArrayPrototypeGetLength(unheld);
    for (let i = 0; i < length; i++) {
      const number = unheld[i];
      const isLate = this.#ages[number] >= this.#age - LATE_VALUES;
      if (this.held[number] !== FREE && !isLate) this.release(number);
    }
    this.#collectAt = 2 * (this.held.length - this.#free.length);
    if (this.#collectAt < MIN_COLLECTED_VALUES) this.#collectAt = MIN_COLLECTED_VALUES;
  }

  /** Releases a value that no guest holds. */
  release(number: number): void {
    this.held[number] = FREE;
    this.throwers[number] = undefined;
    append(this.#free, number);
  }
}
