import { isObject, option, toInteger } from "./check.ts";
import { describe } from "./describe.ts";
import { InstantiateError, TypeMismatch, WasmError } from "./errors.ts";
import type { WasmErrorCode } from "./errors.ts";
import { checkWasi } from "./wasi_options.ts";
import type { CheckedWasi, WasiConfig } from "./wasi_options.ts";

/** The limits of a store, and its WASI. */
export interface StoreOptions {
  /**
   * The fuel budget: guests that use it up fail with `FuelExhausted`. An instruction takes about one unit. From 0 to
   * 2⁵³ − 1. Without this option there is no budget, unless the host has a cap.
   */
  fuel?: number;
  /** The most bytes of all memories together, from 0 to 2⁵³ − 1. */
  maxMemoryBytes?: number;
  /**
   * The deadline of a call in milliseconds, from 0 to 2⁵³ − 1: then the guest fails with `RuntimeError`. The time
   * counts for everything that the guest calls or waits for, imports included. Start functions have the same deadline.
   */
  timeoutMs?: number;
  /**
   * Whether {@linkcode WasmInstance.callAsync} takes a signal and a deadline of its own. The code of guests is compiled
   * for that, and runs a little slower. Default: `true` if there is a `timeoutMs`.
   */
  interruptible?: boolean;
  /**
   * WASI for the guests. Without this option, or if the host grants no WASI, a module that imports WASI cannot be
   * instantiated, unless the app provides these imports itself.
   */
  wasi?: WasiConfig;
}

/** The options of a validation. */
export interface ValidateOptions {
  /** Cancels it when it is aborted. */
  signal?: AbortSignal;
}

/** The options of a compilation. */
export interface CompileOptions extends ValidateOptions {
  /**
   * The options of the stores that the code is for, or like them. The code has only the checks that its stores need: for
   * `fuel`, and for `timeoutMs` or `interruptible`; how much does not matter. If it lacks the checks of a store,
   * {@linkcode instantiate} compiles it again. Without this option, the code has the checks that the host's caps need.
   */
  for?: StoreOptions;
}

/** The checks that code does while it runs. */
export interface Checks {
  fuel: boolean;
  interrupt: boolean;
}

/** Store options as the op takes them. */
export interface CheckedOptions {
  fuel: number | undefined;
  maxMemoryBytes: number | undefined;
  timeoutMs: number | undefined;
  interruptible: boolean | undefined;
  wasi: CheckedWasi | undefined;
}

/** The options of an asynchronous call. */
export interface CallOptions {
  /** Ends the call when it is aborted. The store has to be interruptible. */
  signal?: AbortSignal;
  /**
   * The deadline of the call in milliseconds, instead of the deadline of its store; from 0 to 2⁵³ − 1. The store has to
   * be interruptible.
   */
  timeoutMs?: number;
}

/**
 * Checks and copies call options.
 *
 * @throws {WasmError} `TypeMismatch` if an option is unusable.
 */
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

/**
 * The checks that the options of a compilation ask for.
 *
 * @throws {WasmError} `TypeMismatch` if an option is unusable.
 */
export function checksFor(options: CompileOptions | undefined): Checks {
  const none = { fuel: false, interrupt: false };
  // Options that are no object are refused where the signal is read.
  if (!isObject(options)) return none;
  const store = option(options, "for", TypeMismatch) as StoreOptions | undefined;
  if (store === undefined) return none;
  if (!isObject(store)) {
    throw new WasmError(`for must be an object, got ${describe(store)}`, TypeMismatch);
  }
  const timeoutMs = integer(store, "timeoutMs", TypeMismatch);
  const interruptible = boolean(store, "interruptible", TypeMismatch);
  return {
    fuel: integer(store, "fuel", TypeMismatch) !== undefined,
    interrupt: timeoutMs !== undefined || interruptible === true,
  };
}

/** An option that is a boolean, if the app gives it. */
function boolean(options: object, name: string, code: WasmErrorCode): boolean | undefined {
  const value = option(options, name, code);
  if (value !== undefined && typeof value !== "boolean") {
    throw new WasmError(`${name} must be a boolean, got ${describe(value)}`, code);
  }
  return value as boolean | undefined;
}

/** An option that is an integer from 0 to 2⁵³ − 1, if the app gives it. */
function integer(options: object, name: string, code: WasmErrorCode): number | undefined {
  const value = option(options, name, code);
  return value === undefined ? undefined : toInteger(value, name, code);
}

/**
 * Checks and copies store options.
 *
 * @throws {WasmError} `InstantiateError` if an option is unusable.
 */
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
  const interruptible = boolean(options, "interruptible", InstantiateError);
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
export function areEmpty(options: CheckedOptions): boolean {
  return options.fuel === undefined && options.maxMemoryBytes === undefined &&
    options.timeoutMs === undefined && options.interruptible === undefined &&
    options.wasi === undefined;
}
