// Calls of the JavaScript functions that guests import, with the conversions of the standard.

import { writeRef } from "../codec.ts";
import {
  CALL_IMPORT_GROWN,
  EXCEPTION,
  REF_HOST,
  REF_OBJECT,
  RETURNED,
  TAKE_ERROR,
  TAKE_RESULT,
  THREW,
  THREW_PRIVATELY,
} from "../constants.ts";
import { ReflectApply, TypeError } from "../core.ts";
import { uncatchable } from "../guest_errors.ts";
import type { StoreState } from "../store_state.ts";
import type { WasmFunction } from "../types.ts";
import { exceptionIn, FOREIGN } from "./exceptions.ts";
import { listOf } from "./iterables.ts";
import type { StandardStore } from "./standard_store.ts";
import type { FunctionType } from "./value_types.ts";
import { coerce, coerceAll, readAll, writeAll, writeCoerced } from "./values.ts";

/** Does a task for the import at this index of a store, as the import dispatcher does it for strict stores. */
export function dispatchStandard(
  state: StoreState,
  index: number,
  _waits: boolean,
  task: number,
  value: unknown,
): number {
  const store = state as StandardStore;
  const imported = store.importTypes[index];
  try {
    if (task === TAKE_RESULT) return takeResult(store, imported, value);
    if (task === TAKE_ERROR) return takeError(store, value);
    if (task === CALL_IMPORT_GROWN) store.views.detachGrown();
    const { params, isUnusable, hasObjects } = imported;
    if (isUnusable) {
      throw new TypeError("the import takes or returns a value of a type that JavaScript has no values for");
    }
    const args = readAll(store, params);
    if (hasObjects) store.relieveObjects();
    return takeResult(store, imported, ReflectApply(store.imports[index] as WasmFunction, undefined, args));
  } catch (error) {
    return takeError(store, error);
  }
}

/** Gives the guest the value that an import returned. Returns the status. */
function takeResult(store: StandardStore, { results }: FunctionType, result: unknown): number {
  if (results.length === 0) return RETURNED;
  if (results.length === 1) {
    writeCoerced(store, results[0], 0, coerce(results[0], result));
    return RETURNED;
  }
  const values = listOf(result, results.length + 1);
  if (values.length !== results.length) {
    throw new TypeError(`the import must return ${results.length} values, got ${values.length}`);
  }
  writeAll(store, results, coerceAll(results, values));
  return RETURNED;
}

/** Gives the guest the value that an import threw. Returns the status. */
function takeError(store: StandardStore, error: unknown): number {
  // Neither a trap nor the end of a limit can be caught.
  if (uncatchable.has(error as object)) return store.abort(error as object);
  const exception = exceptionIn(store, error);
  if (exception >= 0) {
    writeRef(0, REF_OBJECT, exception);
    return EXCEPTION;
  }
  writeRef(0, REF_HOST, store.hold(error));
  return exception === FOREIGN ? THREW_PRIVATELY : THREW;
}
