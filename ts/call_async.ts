// Asynchronous calls of functions of guests.

import { readResults, writeArguments } from "./call.ts";
import { releaseValues } from "./codec.ts";
import { ABORTED, RETURNED, RUNNING, WAITING } from "./constants.ts";
import type { Promise } from "./core.ts";
import { returned, threw } from "./dispatch.ts";
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
  callee: Callee,
  args: unknown[],
  name: string,
  { signal, timeoutMs }: CallOptions,
  started?: () => void,
): Promise<unknown> {
  const { store, number, signature } = callee;
  if (signal?.aborted) throw aborted(store, signal);
  writeArguments(store, signature, args, name);
  let call: number;
  try {
    call = op_wasm_start_call(number, timeoutMs ?? -1, signal !== undefined);
  } catch (error) {
    releaseValues(store, signature.params);
    throw store.stopped(error);
  }
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
    result = await drive(callee, call);
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
async function drive(callee: Callee, call: number): Promise<{ value: unknown }> {
  const { store, signature } = callee;
  while (true) {
    await op_wasm_call_ready(call);
    const status = advance(store, call);
    // The results stay in the frame only until other JavaScript runs.
    if (status === RETURNED) return { __proto__: null, value: readResults(store, signature) };
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
  { promise, imported }: PendingImport,
): Promise<void> {
  let status;
  try {
    store.end = interruption(call);
    status = returned(store, imported, await unlessInterrupted(store.end, promise));
  } catch (error) {
    status = error === interrupted ? ABORTED : threw(store, imported, error);
  }
  store.pending = undefined;
  store.end = undefined;
  op_wasm_answer(call, status);
}
