// Asynchronous calls of functions of guests.

import { readResults, writeArguments } from "./call.ts";
import { releaseValues } from "./codec.ts";
import { ABORTED, RETURNED, RUNNING, WAITING } from "./constants.ts";
import type { Promise } from "./core.ts";
import { fieldOf, FuelExhausted, RuntimeError, WasmError } from "./errors.ts";
import { uncatchable } from "./guest_errors.ts";
import type { PendingImport } from "./host_import.ts";
import { interrupted, interruption, unlessInterrupted } from "./interruption.ts";
import {
  op_wasm_abort_call,
  op_wasm_advance,
  op_wasm_answer,
  op_wasm_call_ready,
  op_wasm_end_call,
  op_wasm_start_call,
} from "./ops.ts";
import type { CallOptions } from "./options.ts";
import type { Callee, StoreState } from "./store_state.ts";

/**
 * Calls a function, and resolves when it returns. The guest has a thread of its own, which waits while an import runs
 * on this thread, or while the promise is pending that the import returned.
 */
export async function callAsync(
  { store, number, signature }: Callee,
  args: unknown[],
  name: string,
  options: CallOptions,
  started?: () => void,
): Promise<unknown> {
  const start = (timeoutMs: number, isAbortable: boolean): number => {
    writeArguments(store, signature, args, name);
    try {
      return op_wasm_start_call(number, timeoutMs, isAbortable);
    } catch (error) {
      releaseValues(store, signature.params);
      throw store.stopped(error);
    }
  };
  return await runCall(store, start, () => readResults(store, signature), options, started);
}

/**
 * Runs an asynchronous call. `start` starts it, with a timeout (−1 for none) and whether it can be aborted, and returns
 * its number. `finish` returns the results of a call that has returned.
 */
export async function runCall(
  store: StoreState,
  start: (timeoutMs: number, isAbortable: boolean) => number,
  finish: () => unknown,
  { signal, timeoutMs }: CallOptions,
  started?: () => void,
): Promise<unknown> {
  if (signal?.aborted) throw aborted(store, signal);
  const call = start(timeoutMs ?? -1, signal !== undefined);
  let stop: WasmError | undefined;
  const abort = () => {
    op_wasm_abort_call(call);
    stop = aborted(store, signal);
    store.abort(stop);
    store.awaitEnd();
  };
  let result;
  try {
    started?.();
    signal?.addEventListener("abort", abort);
    result = await drive(store, call, finish);
  } catch (error) {
    throw stop === undefined || endedByItself(error) ? error : stop;
  } finally {
    op_wasm_end_call(call);
    signal?.removeEventListener("abort", abort);
  }
  return result.value;
}

/** The error of a call that was aborted. No guest may catch it. */
function aborted(store: StoreState, signal: AbortSignal): WasmError {
  const error = new WasmError("the call was aborted", RuntimeError, { cause: signal.reason });
  uncatchable.set(error, store.id);
  return error;
}

/** Whether a call with this error ended for another reason than its signal. */
function endedByItself(error: WasmError): boolean {
  return fieldOf(error, "trap") !== undefined || fieldOf(error, "exitCode") !== undefined ||
    fieldOf(error, "code") === FuelExhausted;
}

/**
 * Runs the JavaScript side of a call until it has ended. Returns the result in an object: the promise of an async
 * function would wait for a result that is a promise itself.
 */
async function drive(
  store: StoreState,
  call: number,
  finish: () => unknown,
): Promise<{ value: unknown }> {
  while (true) {
    await op_wasm_call_ready(call);
    const status = advance(store, call);
    // The results stay in the frame only until other JavaScript runs.
    if (status === RETURNED) return { __proto__: null, value: finish() };
    if (status === WAITING) await answer(store, call, store.pending);
    else if (status !== RUNNING) throw store.thrown(status);
  }
}

/** Calls the import that the guest waits for, if it waits for one. Returns the status of the call. */
function advance(store: StoreState, call: number): number {
  try {
    return op_wasm_advance(call, store.imports);
  } catch (error) {
    throw store.stopped(error);
  }
}

/** Waits for the promise that an import returned, and gives its result to the guest. */
async function answer(
  store: StoreState,
  call: number,
  pending: PendingImport,
): Promise<void> {
  let status;
  try {
    store.end = interruption(call);
    status = pending.returned(await unlessInterrupted(store.end, pending.promise));
  } catch (error) {
    status = error === interrupted ? ABORTED : pending.threw(error);
  }
  store.pending = undefined;
  store.end = undefined;
  op_wasm_answer(call, status);
}
