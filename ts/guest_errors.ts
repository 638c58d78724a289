// How a guest's run ended, and how an import did.

import { RangeError, SafeWeakMap } from "./core.ts";
import { fieldOf, FuelExhausted, messageIn, RuntimeError, WasmError } from "./errors.ts";
import type { WasmReference } from "./reference.ts";
import type { StoreState } from "./store_state.ts";

/** The exceptions of guests that these errors tell of, to be thrown on where they pass a guest. */
export const exceptions: WeakMap<object, WasmReference> = new SafeWeakMap();

/** Errors that stopped a guest, of this store, and that no other guest may catch. */
export const stops: WeakMap<object, StoreState> = new SafeWeakMap();

export const RETURNED = 0;
/** With a JavaScript value. */
export const THREW = 1;
/** With an exception of a guest. */
export const EXCEPTION = 2;
/** With an error that no guest can catch, which the store keeps. */
export const ABORTED = 3;
/** An import, which returned a promise: it has not ended. */
export const PENDING = 4;
/** A call that never began: an argument is no number that fits, or the op is not made for it. */
export const MISFIT = 6;
/** A call that failed: `op_wasm_ended` throws why. */
export const FAILED = 7;
/** Beside one of these: a memory has grown. */
export const GROWN = 8;

/** Remembers whether the error of an op that ran a guest is one that no guest may catch. */
export function stopped(store: StoreState, error: WasmError): WasmError {
  // Where the stack has no room to make an error, deno_core throws the message alone.
  if (typeof error === "string") throw new RangeError(messageIn(error));
  const ran = fieldOf(error, "trap") !== undefined || fieldOf(error, "exitCode") !== undefined ||
    fieldOf(error, "wasmStack") !== undefined;
  if (ran || fieldOf(error, "code") === FuelExhausted) stops.set(error, store);
  store.checkViews();
  return error;
}

export function importThrew(name: string, cause: unknown): WasmError {
  return new WasmError(`${name} threw`, RuntimeError, { cause });
}

/** The status that a guest exited with, if that is what the error tells; else throws it on. */
export function exitStatus(error: unknown): number {
  const status = error instanceof WasmError ? fieldOf(error, "exitCode") : undefined;
  if (status === undefined) throw error;
  return status;
}
