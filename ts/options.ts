import { describe, toInteger } from "./check.ts";
import { InstantiateError, WasmError } from "./errors.ts";
import type { WasmStore } from "./store.ts";
import { checkWasi } from "./wasi.ts";
import type { CheckedWasi, WasiConfig } from "./wasi.ts";

/** The limits of a store, and what it may reach. */
export interface StoreOptions {
  /**
   * How much the guests may compute before they are stopped with `FuelExhausted`: about one unit
   * an instruction, from 0 to 2⁵³ − 1. Without it they are not metered, unless the host says so.
   */
  fuel?: number;
  /** How many bytes the memories may hold together, from 0 to 2⁵³ − 1. */
  maxMemoryBytes?: number;
  /**
   * How many milliseconds a call may take before its guest is stopped with `RuntimeError`, with
   * all that it calls, imports included; from 0 to 2⁵³ − 1. The same holds for start functions. A
   * guest that waits by WASI is stopped when it has waited.
   */
  timeoutMs?: number;
  /**
   * WASI for its guests. Without it, or if the host grants no WASI, a module that imports WASI
   * cannot be instantiated, unless the app provides those imports itself.
   */
  wasi?: WasiConfig;
}

/** Store options in the form that the op takes. */
interface CheckedOptions {
  fuel?: number;
  maxMemoryBytes?: number;
  timeoutMs?: number;
  wasi?: CheckedWasi;
}

/** Where an instance lives: in the given store, or in one of its own with these limits. */
export type InstantiateOptions = { store: WasmStore } | StoreOptions;

export function checkOptions(options: StoreOptions | undefined): CheckedOptions {
  if (options === undefined) return {};
  if (typeof options !== "object" || options === null) {
    throw new WasmError(`options must be an object, got ${describe(options)}`, InstantiateError);
  }
  const { fuel, maxMemoryBytes, timeoutMs, wasi } = options;
  const checked: CheckedOptions = {};
  if (timeoutMs !== undefined) {
    checked.timeoutMs = toInteger(timeoutMs, "timeoutMs", InstantiateError);
  }
  if (wasi !== undefined) checked.wasi = checkWasi(wasi);
  if (fuel !== undefined) checked.fuel = toInteger(fuel, "fuel", InstantiateError);
  if (maxMemoryBytes !== undefined) {
    checked.maxMemoryBytes = toInteger(maxMemoryBytes, "maxMemoryBytes", InstantiateError);
  }
  return checked;
}
