// The import dispatcher, which calls the JavaScript functions that guests import.

import { copyOf } from "./check.ts";
import { misfit, readValues, writeRef, writeValues } from "./codec.ts";
import {
  CALL_IMPORT_GROWN,
  EXCEPTION,
  PENDING,
  REF_HOST,
  REF_OBJECT,
  RETURNED,
  TAKE_ERROR,
  TAKE_RESULT,
  THREW,
} from "./constants.ts";
import { ArrayIsArray, isPromise, ReflectApply } from "./core.ts";
import { fieldOf, TypeMismatch, WasmError } from "./errors.ts";
import { exceptions, importThrew, uncatchable } from "./guest_errors.ts";
import type { HostImport } from "./host_import.ts";
import { list } from "./list.ts";
import { op_wasm_set_import_dispatcher } from "./ops.ts";
import { referenceHandle } from "./reference.ts";
import type { StoreState } from "./store_state.ts";
import { importName } from "./types.ts";
import type { WasmFunction } from "./types.ts";

/**
 * Does a task for the import at this index of a store: calls it with its arguments in the frame, or takes the value
 * that it returned or threw. Returns the status. The results, or the thrown reference, are then in the frame.
 */
function dispatch(
  imports: [StoreState, ...WasmFunction[]],
  index: number,
  waits: boolean,
  task: number,
  value: unknown,
): number {
  const store = imports[0];
  const { dispatch: special } = store;
  if (special !== undefined) return special(store, index, waits, task, value);
  const imported = store.hostImports[index];
  try {
    if (task === TAKE_RESULT) return returned(store, imported, value);
    if (task === TAKE_ERROR) return threw(store, imported, value);
    if (task === CALL_IMPORT_GROWN) store.views.detachGrown();
    const args = readValues(store, imported.signature.params);
    const result = ReflectApply(imports[index], undefined, args);
    if (waits && isPromise(result)) {
      const promise = settled(result);
      // If the call ends first, nothing waits for the promise, and its failure must not end the program.
      ignoreFailure(promise);
      store.pending = {
        promise,
        returned: (value) => returned(store, imported, value),
        threw: (error) => threw(store, imported, error),
      };
      return PENDING;
    }
    return returned(store, imported, result);
  } catch (error) {
    return threw(store, imported, error);
  }
}

op_wasm_set_import_dispatcher(dispatch);

/** A promise for the result of an import: its own result, if it is a promise, whatever the app has made of its methods. */
export async function settled(result: unknown): Promise<unknown> {
  return await result;
}

/** Waits for a promise, without its method `then`, which a script may have changed. */
export async function ignoreFailure(promise: Promise<unknown>): Promise<void> {
  try {
    await promise;
  } catch {
    // The call that waits for the promise handles the failure.
  }
}

/** Gives the guest the value that an import returned. Returns the status. */
// deno-lint-ignore no-explicit-any
function returned(store: StoreState, imported: HostImport, result: any): number {
  const { results } = imported.signature;
  if (results.length === 0) return RETURNED;
  let values = list<unknown>(result);
  if (results.length !== 1) {
    if (!ArrayIsArray(result) || result.length !== results.length) {
      const name = importName(imported.info);
      return store.abort(
        new WasmError(`${name} must return an array of ${results.length} values`, TypeMismatch),
      );
    }
    values = copyOf(result, results.length);
  }
  const misfits = writeValues(store, results, values);
  if (misfits < 0) return RETURNED;
  return store.abort(misfit(results, values, misfits, `result ${misfits} of ${importName(imported.info)}`));
}

/** Gives the guest the value that an import threw. Returns the status. */
// deno-lint-ignore no-explicit-any
function threw(store: StoreState, imported: HostImport, error: any): number {
  const exception = referenceHandle(store, exceptions.get(error));
  if (exception !== undefined) {
    writeRef(0, REF_OBJECT, exception);
    return EXCEPTION;
  }
  const endedStore = uncatchable.get(error);
  if (endedStore !== undefined) {
    // An exit ends the whole program, however deeply its calls nest.
    const exits = endedStore === store.id && fieldOf(error, "exitCode") !== undefined;
    return store.abort(exits ? error : importThrew(importName(imported.info), error));
  }
  const number = store.externals.hold(error);
  store.externals.throwers[number] = imported.info;
  writeRef(0, REF_HOST, number);
  return THREW;
}
