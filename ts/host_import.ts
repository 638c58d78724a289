import { copyOf } from "./check.ts";
import { misfit, readValues, writeRef, writeValues } from "./codec.ts";
import type { Signature } from "./codec.ts";
import { ArrayIsArray, isPromise, ReflectApply } from "./core.ts";
import { fieldOf, TypeMismatch, WasmError } from "./errors.ts";
import { HOST, OBJECT } from "./frame.ts";
import { list } from "./list.ts";
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
import type { StoreState } from "./store_state.ts";
import { importName } from "./types.ts";
import type { ImportInfo, WasmFunction } from "./types.ts";

/** A JavaScript function that a guest imports. */
export interface HostImport {
  signature: Signature;
  info: ImportInfo;
}

/** What it is called in messages. */
export function nameOf({ info }: HostImport): string {
  return importName(info);
}

/** An import that has returned a promise, for which its guest waits. */
export interface PendingImport {
  promise: Promise<unknown>;
  imported: HostImport;
}

// What `dispatch` is to do: run the import with its arguments in the frame, also where a memory has
// grown, or take what it returned or threw.
const RUN_GROWN = 1;
const RETURN = 2;
const THROW = 3;

/**
 * Runs the import of this number of the store that `imports` belongs to, its arguments in the frame,
 * which its results replace; or takes what it returned or threw. Returns how it ended; what it threw
 * is then in the first slot.
 */
export function dispatch(
  imports: [StoreState, ...WasmFunction[]],
  index: number,
  waits: boolean,
  task: number,
  value: unknown,
): number {
  const store = imports[0];
  const imported = store.hostImports[index];
  try {
    if (task === RETURN) return returned(store, imported, value);
    if (task === THROW) return threw(store, imported, value);
    if (task === RUN_GROWN) store.checkViews();
    const args = readValues(store, imported.signature.params);
    const result = ReflectApply(imports[index], undefined, args);
    if (waits && isPromise(result)) {
      const promise = settled(result);
      // Should nobody come to wait for it any more, it is nobody's failure.
      ignoreFailure(promise);
      store.pending = { promise, imported };
      return PENDING;
    }
    return returned(store, imported, result);
  } catch (error) {
    return threw(store, imported, error);
  }
}

/** What comes of an app's promise, without what the app has made of its methods. */
async function settled(promise: Promise<unknown>): Promise<unknown> {
  return await promise;
}

/** Waits for a promise. In place of its method `then`, which a script may have changed. */
async function ignoreFailure(promise: Promise<unknown>): Promise<void> {
  try {
    await promise;
  } catch {
    // Whoever waits for the promise hears of it.
  }
}

/** Gives the guest what an import returned. Returns how it ended. */
// deno-lint-ignore no-explicit-any
export function returned(store: StoreState, imported: HostImport, result: any): number {
  const { results } = imported.signature;
  if (results.length === 0) return RETURNED;
  let values = list<unknown>(result);
  if (results.length !== 1) {
    if (!ArrayIsArray(result) || result.length !== results.length) {
      return store.abort(
        new WasmError(`${nameOf(imported)} must return an array of ${results.length} values`, TypeMismatch),
      );
    }
    values = copyOf(result, results.length);
  }
  const misfits = writeValues(store, results, values);
  if (misfits < 0) return RETURNED;
  return store.abort(misfit(results, values, misfits, `result ${misfits} of ${nameOf(imported)}`));
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
    const exits = stoppedIn === store && fieldOf(error, "exitCode") !== undefined;
    return store.abort(exits ? error : importThrew(nameOf(imported), error));
  }
  const held = store.hold(error);
  store.throwers[held] = imported;
  writeRef(0, HOST, held);
  return THREW;
}
