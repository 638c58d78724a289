// Calls that the event loop does not wait for.

import { putArguments, takeResults } from "./call.ts";
import { releaseValues } from "./codec.ts";
import type { Signature } from "./codec.ts";
import {
  op_wasm_abort_call,
  op_wasm_advance,
  op_wasm_answer,
  op_wasm_call_ready,
  op_wasm_end_call,
  op_wasm_has_deadline,
  op_wasm_interrupted,
  op_wasm_start_call,
  Promise,
  unrefOpPromise,
} from "./core.ts";
import { fieldOf, FuelExhausted, RuntimeError, WasmError } from "./errors.ts";
import { returned, threw } from "./host_import.ts";
import type { PendingImport } from "./host_import.ts";
import type { CallOptions } from "./options.ts";
import { ABORTED, RETURNED, stopped, stops } from "./outcome.ts";
import type { StoreState } from "./store_state.ts";

/** How `op_wasm_advance` says that a call has not ended: its guest runs, or waits for a promise. */
const RUNNING = 4;
const WAITING = 5;

/** Why an answer is not waited for any longer. */
const interrupted = { __proto__: null };

/**
 * Calls a function, and resolves when it returns. Meanwhile the guest has a thread of its own, which
 * waits while an import runs here, or the promise that it returned is pending.
 */
export async function callAsync(
  store: StoreState,
  handle: number,
  args: unknown[],
  name: string,
  { signal, timeoutMs }: CallOptions,
  started?: () => void,
): Promise<unknown> {
  if (signal?.aborted) throw aborted(store, signal);
  const signature = store.signature(handle);
  putArguments(store, signature, args, name);
  let call: number;
  try {
    call = op_wasm_start_call(store.id, handle, timeoutMs ?? -1, signal !== undefined);
  } catch (error) {
    releaseValues(store, signature.params);
    throw stopped(store, error);
  }
  let stop: WasmError | undefined;
  const abort = () => {
    op_wasm_abort_call(call);
    stop = aborted(store, signal);
    store.abort(stop);
    store.awaitEnd();
  };
  let returned;
  try {
    started?.();
    signal?.addEventListener("abort", abort);
    returned = await drive(store, call, signature);
  } catch (error) {
    throw stop === undefined || endedByItself(error) ? error : stop;
  } finally {
    op_wasm_end_call(call);
    signal?.removeEventListener("abort", abort);
  }
  return returned.value;
}

/** The error of a call that was aborted, which no guest may catch, whenever that was. */
function aborted(store: StoreState, signal: AbortSignal): WasmError {
  const error = new WasmError("the call was aborted", RuntimeError, { cause: signal.reason });
  stops.set(error, store);
  return error;
}

/** Whether a call was over for a reason of its own before its signal was heard of. */
function endedByItself(error: WasmError): boolean {
  return fieldOf(error, "trap") !== undefined || fieldOf(error, "exitCode") !== undefined ||
    fieldOf(error, "code") === FuelExhausted;
}

/**
 * Does what a call wants of JavaScript until it has ended. Returns its value in an object, since a
 * promise would take a value that is a promise for its own.
 */
async function drive(
  store: StoreState,
  call: number,
  signature: Signature,
): Promise<{ value: unknown }> {
  while (true) {
    await op_wasm_call_ready(call);
    const ended = advance(store, call);
    // The results are in the frame until other JavaScript runs.
    if (ended === RETURNED) return { __proto__: null, value: takeResults(store, signature) };
    if (ended === WAITING) await answer(store, call, store.pending);
    else if (ended !== RUNNING) throw store.thrown(ended);
  }
}

/** Runs the import that the guest waits for, if it does. Returns where the call has got to. */
function advance(store: StoreState, call: number): number {
  try {
    return op_wasm_advance(call, store.imports);
  } catch (error) {
    throw stopped(store, error);
  }
}

/** Gives the guest what comes of a promise that an import returned. */
async function answer(
  store: StoreState,
  call: number,
  { promise, imported }: PendingImport,
): Promise<void> {
  let ended;
  try {
    ended = returned(store, imported, await unlessInterrupted(store, call, promise));
  } catch (error) {
    ended = error === interrupted ? ABORTED : threw(store, imported, error);
  }
  store.pending = undefined;
  store.end = undefined;
  op_wasm_answer(call, ended);
}

/** What comes of a promise, or `interrupted` thrown if the guest, which waits for it, has to end. */
function unlessInterrupted(
  store: StoreState,
  call: number,
  promise: Promise<unknown>,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    settle(promise, resolve, reject);
    store.end = op_wasm_interrupted(call);
    settle(store.end, (has: boolean) => has && reject(interrupted), reject);
    // Where no time ends, the event loop has nothing to wait for but the promise.
    if (!op_wasm_has_deadline(call)) unrefOpPromise(store.end);
  });
}

/** What the method `then` of promises does, which a script may have changed. */
async function settle<T>(
  promise: Promise<T>,
  resolve: (value: T) => void,
  reject: (error: unknown) => void,
): Promise<void> {
  try {
    resolve(await promise);
  } catch (error) {
    reject(error);
  }
}
