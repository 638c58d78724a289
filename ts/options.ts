import { describe, toInteger } from "./check.ts";
import { InstantiateError, WasmError } from "./errors.ts";
import type { WasmStore } from "./store.ts";

/** The limits of a store, and what it may reach. */
export interface StoreOptions {
  /**
   * How much the guests may compute before they are stopped with `FuelExhausted`: about one unit
   * an instruction, from 0 to 2⁵³ − 1. Without it they are not metered, unless the host says so.
   */
  fuel?: number;
  /** How many bytes the memories may hold together, from 0 to 2⁵³ − 1. */
  maxMemoryBytes?: number;
  /** Not supported yet: refused with `InstantiateError`. */
  timeoutMs?: number;
  /** Not supported yet: refused with `InstantiateError`. */
  wasi?: unknown;
}

/** Where an instance lives: in the given store, or in one of its own with these limits. */
export type InstantiateOptions = { store: WasmStore } | StoreOptions;

/** Store options in the form that the op takes. */
export function checkOptions(options: StoreOptions | undefined): { fuel?: number; maxMemoryBytes?: number } {
  if (options === undefined) return {};
  if (typeof options !== "object" || options === null) {
    throw new WasmError(`options must be an object, got ${describe(options)}`, InstantiateError);
  }
  const { fuel, maxMemoryBytes, timeoutMs, wasi } = options;
  if (wasi !== undefined) {
    throw new WasmError("the option wasi is not supported yet", InstantiateError);
  }
  if (timeoutMs !== undefined) {
    throw new WasmError("the option timeoutMs is not supported yet", InstantiateError);
  }
  const checked: { fuel?: number; maxMemoryBytes?: number } = {};
  if (fuel !== undefined) checked.fuel = toInteger(fuel, "fuel", InstantiateError);
  if (maxMemoryBytes !== undefined) {
    checked.maxMemoryBytes = toInteger(maxMemoryBytes, "maxMemoryBytes", InstantiateError);
  }
  return checked;
}
