import { isObject, toInteger } from "./check.ts";
import { construct, internal } from "./construct.ts";
import { JSONParse } from "./core.ts";
import { RuntimeError } from "./errors.ts";
import {
  op_wasm_fuel,
  op_wasm_is_metered,
  op_wasm_set_fuel,
  op_wasm_store_stats,
} from "./ops.ts";
import type { StoreOptions } from "./options.ts";
import { newStore } from "./store_state.ts";
import type { StoreState } from "./store_state.ts";

/** The state of a `WasmStore`; `undefined` for any other value. */
export let storeStateOf: (value: unknown) => StoreState | undefined;

/** How much a store uses. */
export interface StoreStats {
  /**
   * The bytes of its memories and of its guests' garbage-collected objects, as they count against `maxMemoryBytes`: a
   * shared memory counts with its maximum size.
   */
  readonly memoryBytes: number;
  /** The elements of its tables. */
  readonly tableElements: number;
  /** The instances, including dropped ones: they are freed with their store. */
  readonly instances: number;
  /**
   * The functions, memories, globals, tables, tags and references of its guests that JavaScript has, and the JavaScript
   * values that its guests hold.
   */
  readonly handles: number;
  /** The fuel that its guests have used. `undefined` if the store has no fuel budget. */
  readonly fuelUsed?: number;
}

/** A store, which instances share that import from each other. Its limits hold for all of them together. */
export class WasmStore {
  #state: StoreState;

  static {
    storeStateOf = (value) => isObject(value) && #state in value ? value.#state : undefined;
  }

  /** Makes a store with these limits, or lower ones where the host's caps are lower. */
  constructor(options?: StoreOptions);
  constructor(options?: StoreOptions | symbol, state?: StoreState) {
    if (options === internal) {
      this.#state = state;
    } else {
      this.#state = newStore(options as StoreOptions);
      this.#state.handle = this;
    }
  }

  /** The fuel that is left, or `undefined` if the store has no fuel budget. */
  get fuel(): number | undefined {
    return op_wasm_is_metered(this.#state.id) ? op_wasm_fuel(this.#state.id) : undefined;
  }

  /** Sets the fuel that is left, up to the host's cap. */
  setFuel(fuel: number): void {
    op_wasm_set_fuel(this.#state.id, toInteger(fuel, "fuel", RuntimeError));
  }

  /**
   * How much the store uses now.
   *
   * @throws {WasmError} `RuntimeError` if the store is busy, or was dropped.
   */
  stats(): StoreStats {
    return JSONParse(op_wasm_store_stats(this.#state.id));
  }

  /**
   * Frees the store with everything in it. A synchronous call that is running goes on until it returns; an
   * asynchronous call fails.
   */
  drop(): void {
    this.#state.drop();
  }

  [Symbol.dispose](): void {
    this.#state.drop();
  }
}

/** The `WasmStore` of a state: the same one each time. */
export function storeOf(state: StoreState): WasmStore {
  return (state.handle ??= construct(WasmStore, internal, state)) as WasmStore;
}
