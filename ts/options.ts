import { describe, isObject, option, toInteger } from "./check.ts";
import { InstantiateError, TypeMismatch, WasmError } from "./errors.ts";
import type { WasmErrorCode } from "./errors.ts";
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
  fuel: number | undefined;
  maxMemoryBytes: number | undefined;
  timeoutMs: number | undefined;
  interruptible: boolean | undefined;
  wasi: CheckedWasi | undefined;
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
  const signal = signalOf(options, TypeMismatch);
  if (options === undefined) return { signal, timeoutMs: undefined };
  return { signal, timeoutMs: integer(options, "timeoutMs", TypeMismatch) };
}

/** The signal in options, if there is one. */
export function signalOf(
  options: { signal?: AbortSignal } | undefined,
  code: WasmErrorCode,
): AbortSignal | undefined {
  if (options === undefined) return undefined;
  if (!isObject(options)) {
    throw new WasmError(`options must be an object, got ${describe(options)}`, code);
  }
  const signal = option(options, "signal", code) as AbortSignal | undefined;
  if (signal === undefined) return undefined;
  const listens = isObject(signal) && typeof signal.addEventListener === "function" &&
    typeof signal.removeEventListener === "function";
  if (!listens) throw new WasmError(`signal must be an AbortSignal, got ${describe(signal)}`, code);
  return signal;
}

/** An option that is an integer from 0 to 2⁵³ − 1, if the app gives it. */
function integer(options: object, name: string, code: WasmErrorCode): number | undefined {
  const value = option(options, name, code);
  return value === undefined ? undefined : toInteger(value, name, code);
}

export function checkOptions(options: StoreOptions | undefined): CheckedOptions {
  if (options === undefined) {
    return {
      fuel: undefined,
      maxMemoryBytes: undefined,
      timeoutMs: undefined,
      interruptible: undefined,
      wasi: undefined,
    };
  }
  if (!isObject(options)) {
    throw new WasmError(`options must be an object, got ${describe(options)}`, InstantiateError);
  }
  const timeoutMs = integer(options, "timeoutMs", InstantiateError);
  const interruptible = option(options, "interruptible", InstantiateError);
  if (interruptible !== undefined && typeof interruptible !== "boolean") {
    throw new WasmError(
      `interruptible must be a boolean, got ${describe(interruptible)}`,
      InstantiateError,
    );
  }
  const wasi = option(options, "wasi", InstantiateError);
  return {
    fuel: integer(options, "fuel", InstantiateError),
    maxMemoryBytes: integer(options, "maxMemoryBytes", InstantiateError),
    timeoutMs,
    interruptible,
    wasi: wasi === undefined ? undefined : checkWasi(wasi),
  };
}

/** Whether an app gave none of the options. */
export function asksForNothing(options: CheckedOptions): boolean {
  return options.fuel === undefined && options.maxMemoryBytes === undefined &&
    options.timeoutMs === undefined && options.interruptible === undefined &&
    options.wasi === undefined;
}
