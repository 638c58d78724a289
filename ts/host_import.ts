import { copyOf } from "./check.ts";
import { misfit, readValues, writeRef, writeValues } from "./codec.ts";
import type { Signature } from "./codec.ts";
import { ArrayIsArray, core, PromisePrototypeThen, ReflectApply } from "./core.ts";
import { TypeMismatch, WasmError } from "./errors.ts";
import { HOST, OBJECT } from "./frame.ts";
import {
  EXCEPTION,
  exceptions,
  importThrew,
  PENDING,
  RETURNED,
  stops,
  THREW,
} from "./outcome.ts";
import { referenceHandle } from "./reference.ts";
import { active, activeWaits } from "./store_state.ts";
import type { StoreState } from "./store_state.ts";
import type { WasmFunction } from "./types.ts";

/** A JavaScript function that a guest imports. */
export interface HostImport {
  callback: WasmFunction;
  signature: Signature;
  /** For messages. */
  name: string;
}

/** An import that has returned a promise, for which its guest waits. */
export interface PendingImport {
  promise: Promise<unknown>;
  imported: HostImport;
}

/**
 * Runs the import of this number of the store that is running, its arguments in the frame, which
 * its results replace. Returns how it ended; what it threw is then in the first slot.
 */
export function dispatch(index: number): number {
  const store = active;
  const waits = activeWaits;
  const imported = store.imports[index];
  let ended;
  try {
    store.refresh();
    const args = readValues(store, imported.signature.params);
    const result = ReflectApply(imported.callback, undefined, args);
    if (waits && core.isPromise(result)) {
      const promise = settled(result);
      // Should nobody come to wait for it any more, it is nobody's failure.
      PromisePrototypeThen(promise, undefined, () => {});
      store.pending = { promise, imported };
      return PENDING;
    }
    ended = returned(store, imported, result);
  } catch (error) {
    ended = threw(store, imported, error);
  }
  // The guest runs from here on, and the memory is its own.
  if (waits) store.detachViews();
  return ended;
}

/** What comes of an app's promise, without what the app has made of its methods. */
async function settled(promise: Promise<unknown>): Promise<unknown> {
  return await promise;
}

/** Gives the guest what an import returned. Returns how it ended. */
// deno-lint-ignore no-explicit-any
export function returned(store: StoreState, imported: HostImport, result: any): number {
  const { name, signature: { results } } = imported;
  if (results.length === 0) return RETURNED;
  let values: unknown[] = [result];
  if (results.length !== 1) {
    if (!ArrayIsArray(result) || result.length !== results.length) {
      return store.abort(
        new WasmError(`${name} must return an array of ${results.length} values`, TypeMismatch),
      );
    }
    values = copyOf(result, results.length);
  }
  const misfits = writeValues(store, results, values);
  if (misfits < 0) return RETURNED;
  return store.abort(misfit(results, values, misfits, `result ${misfits} of ${name}`));
}

/** Gives the guest what an import threw. Returns how it ended. */
// deno-lint-ignore no-explicit-any
export function threw(store: StoreState, imported: HostImport, error: any): number {
  const exception = referenceHandle(store, exceptions.get(error));
  if (exception !== undefined) {
    writeRef(0, OBJECT, exception);
    return EXCEPTION;
  }
  const stoppedIn = stops.get(error);
  if (stoppedIn !== undefined) {
    // An exit ends all of a program, however deep in it.
    const exits = stoppedIn === store && error.exitCode !== undefined;
    return store.abort(exits ? error : importThrew(imported.name, error));
  }
  const held = store.hold(error);
  store.throwers.set(held, imported.name);
  writeRef(0, HOST, held);
  return THREW;
}
