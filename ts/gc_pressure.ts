import {
  op_wasm_collect_js,
  op_wasm_live_instances,
  op_wasm_live_modules,
  op_wasm_max_instances,
  op_wasm_yield_now,
} from "./ops.ts";

/** With fewer live objects than this, JavaScript's garbage collector runs only when the engine decides to. */
const MIN_COLLECTED = 1000;

/**
 * Runs JavaScript's garbage collector when there are many live objects of a kind. The collector does not see how much
 * memory of the runtime stands behind each of them.
 */
class GcPressure {
  readonly #count: () => number;
  readonly #max: () => number;
  /** The result of `#max`, after the first call. */
  #cap: number | undefined;
  #collectAt: number = MIN_COLLECTED;
  /** The collection that is running. */
  #collection: Promise<void> | undefined;

  /** `count` returns the number of live objects, and `max` the most that there may be. */
  constructor(count: () => number, max: () => number) {
    this.#count = count;
    this.#max = max;
  }

  /** Whether there are so many live objects that the collector should run. */
  isHigh(): boolean {
    const count = this.#count();
    return count >= this.#collectAt || count >= (this.#cap ??= this.#max());
  }

  /** Runs the collector. Calls that overlap wait for the same collection. */
  async relieve(): Promise<void> {
    this.#collection ??= this.#collect();
    await this.#collection;
  }

  async #collect(): Promise<void> {
    op_wasm_collect_js();
    // Finalizers free the objects, in a turn of the event loop.
    await op_wasm_yield_now();
    const left = this.#count();
    this.#collectAt = 2 * left < MIN_COLLECTED ? MIN_COLLECTED : 2 * left;
    this.#collection = undefined;
  }
}

export const instancePressure: GcPressure = new GcPressure(
  op_wasm_live_instances,
  op_wasm_max_instances,
);
export const modulePressure: GcPressure = new GcPressure(op_wasm_live_modules, () => Infinity);
