// `promising`: calls that are suspended while a guest waits for the promise of an import.

import { checkStatus } from "../call.ts";
import { ABORTED, GROWN, RETURNED, WAITING } from "../constants.ts";
import { Promise, TypeError } from "../core.ts";
import { describe } from "../describe.ts";
import { frameU32 } from "../frame.ts";
import { interrupted, interruption, unlessInterrupted } from "../interruption.ts";
import { append } from "../list.ts";
import {
  op_wasm_end_call,
  op_wasm_has_deadline,
  op_wasm_resume_call,
  op_wasm_start_suspendable_call,
} from "../ops.ts";
import type { WasmFunction } from "../types.ts";
import { coerceResults, takeError } from "./dispatch_standard.ts";
import { callExported, refuseCall, standardResults } from "./exported_functions.ts";
import type { NamespaceState } from "./namespace_state.ts";
import { nameFunction } from "./properties.ts";
import { calleeOfExport } from "./standard_store.ts";
import type { PromisingCall, StandardCallee, StandardStore, Suspension } from "./standard_store.ts";
import { collectAfter } from "./store_pressure.ts";
import { coerceAll, writeAll } from "./values.ts";

/** A function that calls an exported function, and returns a promise for its result. */
export function promisingFunction(namespace: NamespaceState, func: unknown): WasmFunction {
  const callee = calleeOfExport(func);
  if (callee?.store.namespace !== namespace) {
    throw new TypeError(
      `promising needs an exported function of this WebAssembly object, got ${describe(func)}`,
    );
  }
  const promising = (...args: unknown[]): Promise<unknown> => callPromising(callee, args);
  nameFunction(promising, "", 1);
  return promising;
}

async function callPromising(callee: StandardCallee, args: unknown[]): Promise<unknown> {
  const { store, number, type: { params, isUnusable } } = callee;
  if (isUnusable) refuseCall();
  // A guest that never waits needs no thread, which a call that can be suspended has.
  if (!store.suspends) return callExported(callee, args);
  // All are converted before the first is written: a conversion can call other functions of guests.
  const values = coerceAll(params, args);
  const write = (): void => writeAll(store, params, values);
  const start = (): number => op_wasm_start_suspendable_call(number, store.imports);
  if (store.hasLiveBindings) store.spendForLiveBindings();
  const promising: PromisingCall = { wake: undefined };
  append(store.promisingCalls, promising);
  try {
    const status = startOrCollect(store, write, start);
    if (!isWaiting(status)) return resultsOf(callee, status);
    return await resumeUntilEnded(callee, promising, frameU32[0], status);
  } finally {
    // It was the innermost call, since only that one can end.
    store.promisingCalls.length--;
    store.innermostCall?.wake?.();
    store.refreshLiveBindings();
  }
}

/** Resumes a suspended call each time that an import has its result, and returns the result of the call. */
async function resumeUntilEnded(
  callee: StandardCallee,
  promising: PromisingCall,
  call: number,
  status: number,
): Promise<unknown> {
  const { store } = callee;
  try {
    while (isWaiting(status)) {
      if (status !== WAITING) store.views.detachGrown();
      const { suspension } = store;
      store.suspension = undefined;
      const write = await answerOf(store, call, suspension);
      // The calls above it on the stack of the guest have to end first.
      while (store.innermostCall !== promising) {
        await new Promise<void>((resolve) => promising.wake = resolve);
      }
      const answered = write();
      status = runGuest(store, () => op_wasm_resume_call(call, answered, store.imports));
    }
    return resultsOf(callee, status);
  } finally {
    op_wasm_end_call(call);
  }
}

/** Whether the call of this status is suspended. */
function isWaiting(status: number): boolean {
  return (status & ~GROWN) === WAITING;
}

/** The return value of a call that has ended with this status. */
function resultsOf(callee: StandardCallee, status: number): unknown {
  if (status !== RETURNED) checkStatus(callee.store, status);
  return standardResults(callee);
}

/**
 * Writes the arguments of a call into the frame, and starts it. Where a cap does not allow it, garbage is collected
 * before the second attempt: that ends suspended calls whose promises nothing can settle any more.
 */
function startOrCollect(store: StandardStore, write: () => void, start: () => number): number {
  write();
  try {
    return start();
  } catch (error) {
    if (!collectAfter(error)) throw store.stopped(error);
  }
  write();
  return runGuest(store, start);
}

/** Runs an op that runs a guest. */
function runGuest(store: StandardStore, op: () => number): number {
  try {
    return op();
  } catch (error) {
    throw store.stopped(error);
  }
}

/**
 * Waits for the result of an import. Returns a function that gives it to the guest, runs no code of the app, and returns
 * the status.
 */
async function answerOf(
  store: StandardStore,
  call: number,
  { imported, promise }: Suspension,
): Promise<() => number> {
  let values: unknown[];
  try {
    // Without a deadline nothing refers to a call whose promise nothing can settle any more: it is collected.
    const result = op_wasm_has_deadline(call) ? unlessInterrupted(interruption(call), promise) : promise;
    values = coerceResults(imported, await result);
  } catch (error) {
    return error === interrupted ? (): number => ABORTED : (): number => takeError(store, error);
  }
  return (): number => {
    try {
      writeAll(store, imported.results, values);
      return RETURNED;
    } catch (error) {
      return takeError(store, error);
    }
  };
}
