import { describe, isObject, toInteger } from "./check.ts";
import { InstantiateError, TypeMismatch, WasmError } from "./errors.ts";
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
   * all that it calls and waits for, imports included; from 0 to 2⁵³ − 1. The same holds for start
   * functions.
   */
  timeoutMs?: number;
  /**
   * Whether {@linkcode WasmInstance.callAsync} may be given a signal and a deadline of its own, for
   * which the guests' code has to be compiled; it runs a little slower. Default: if there is a
   * `timeoutMs`.
   */
  interruptible?: boolean;
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
  interruptible?: boolean;
  wasi?: CheckedWasi;
}

/** Where an instance lives: in the given store, or in one of its own with these limits. */
export type InstantiateOptions = { store: WasmStore } | StoreOptions;

/** How a call is made that the event loop does not wait for. */
export interface CallOptions {
  /** Ends the call when it is aborted. The instance has to be interruptible. */
  signal?: AbortSignal;
  /**
   * How many milliseconds the call may take, instead of what its store says; from 0 to 2⁵³ − 1. The
   * instance has to be interruptible.
   */
  timeoutMs?: number;
}

export function checkCallOptions(options: CallOptions | undefined): CallOptions {
  if (options === undefined) return {};
  if (!isObject(options)) {
    throw new WasmError(`options must be an object, got ${describe(options)}`, TypeMismatch);
  }
  const { signal, timeoutMs } = options;
  if (signal !== undefined) {
    const listens = isObject(signal) && typeof signal.addEventListener === "function" &&
      typeof signal.removeEventListener === "function";
    if (!listens) {
      throw new WasmError(`signal must be an AbortSignal, got ${describe(signal)}`, TypeMismatch);
    }
  }
  if (timeoutMs === undefined) return { signal };
  return { signal, timeoutMs: toInteger(timeoutMs, "timeoutMs", TypeMismatch) };
}

export function checkOptions(options: StoreOptions | undefined): CheckedOptions {
  if (options === undefined) return {};
  if (!isObject(options)) {
    throw new WasmError(`options must be an object, got ${describe(options)}`, InstantiateError);
  }
  const { fuel, maxMemoryBytes, timeoutMs, interruptible, wasi } = options;
  const checked: CheckedOptions = {};
  if (timeoutMs !== undefined) {
    checked.timeoutMs = toInteger(timeoutMs, "timeoutMs", InstantiateError);
  }
  if (interruptible !== undefined) {
    if (typeof interruptible !== "boolean") {
      throw new WasmError(
        `interruptible must be a boolean, got ${describe(interruptible)}`,
        InstantiateError,
      );
    }
    checked.interruptible = interruptible;
  }
  if (wasi !== undefined) checked.wasi = checkWasi(wasi);
  if (fuel !== undefined) checked.fuel = toInteger(fuel, "fuel", InstantiateError);
  if (maxMemoryBytes !== undefined) {
    checked.maxMemoryBytes = toInteger(maxMemoryBytes, "maxMemoryBytes", InstantiateError);
  }
  return checked;
}
