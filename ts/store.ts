import { isObject, toInteger } from "./check.ts";
import { internal } from "./construct.ts";
import { op_wasm_fuel, op_wasm_is_metered, op_wasm_set_fuel } from "./core.ts";
import { RuntimeError } from "./errors.ts";
import type { StoreOptions } from "./options.ts";
import { StoreState } from "./store_state.ts";

/** What is behind a `WasmStore`; `undefined` for anything else. */
export let storeStateOf: (value: unknown) => StoreState | undefined;

/** What instances share that can import from each other. Its limits hold for all of them together. */
export class WasmStore {
  #state: StoreState;

  static {
    storeStateOf = (value) => isObject(value) && #state in value ? value.#state : undefined;
  }

  /** Makes a store with these limits, cut down to what the host allows. */
  constructor(options?: StoreOptions);
  constructor(options?: StoreOptions | symbol, state?: StoreState) {
    if (options === internal) {
      this.#state = state;
    } else {
      this.#state = new StoreState(options as StoreOptions, false);
      this.#state.handle = this;
    }
  }

  /** What is left of the fuel budget, or `undefined` if there is none. */
  get fuel(): number | undefined {
    return op_wasm_is_metered(this.#state.id) ? op_wasm_fuel(this.#state.id) : undefined;
  }

  /** Sets what is left of the fuel budget, up to the host's cap. */
  setFuel(fuel: number): void {
    op_wasm_set_fuel(this.#state.id, toInteger(fuel, "fuel", RuntimeError));
  }

  /**
   * Frees the store with everything in it. A call that is running goes on until it returns, unless it
   * is asynchronous: then it fails.
   */
  drop(): void {
    this.#state.drop();
  }

  [Symbol.dispose](): void {
    this.#state.drop();
  }
}
