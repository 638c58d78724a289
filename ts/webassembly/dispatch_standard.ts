// Calls of the JavaScript functions that guests import, with the conversions of the standard.

import { writeRef } from "../codec.ts";
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
  THREW_PRIVATELY,
} from "../constants.ts";
import { ReflectApply, TypeError } from "../core.ts";
import type { Promise } from "../core.ts";
import { settled } from "../dispatch.ts";
import { RuntimeError } from "../errors.ts";
import { uncatchable } from "../guest_errors.ts";
import { list } from "../list.ts";
import type { StoreState } from "../store_state.ts";
import type { WasmFunction } from "../types.ts";
import type { ErrorClasses } from "./error_classes.ts";
import { exceptionIn, FOREIGN } from "./exceptions.ts";
import { listOf } from "./iterables.ts";
import { defineHidden } from "./properties.ts";
import type { StandardStore } from "./standard_store.ts";
import type { FunctionType } from "./value_types.ts";
import { coerce, coerceAll, readAll, writeAll, writeCoerced } from "./values.ts";

/** Does a task for the import at this index of a store, as the import dispatcher does it for strict stores. */
export function dispatchStandard(
  state: StoreState,
  index: number,
  waits: boolean,
  task: number,
  value: unknown,
): number {
  const store = state as StandardStore;
  const imported = store.importTypes[index];
  try {
    if (task === TAKE_RESULT) return takeResult(store, imported, value);
    if (task === TAKE_ERROR) return takeError(store, value);
    if (task === CALL_IMPORT_GROWN) store.views.detachGrown();
    const { params, isUnusable, hasObjects, isSuspending } = imported;
    if (isSuspending && !waits) throw suspendError(store.namespace.errors);
    if (isUnusable) {
      throw new TypeError("the import takes or returns a value of a type that JavaScript has no values for");
    }
    const args = readAll(store, params);
    if (hasObjects) store.relieveObjects();
    const func = store.imports[index] as WasmFunction;
    if (isSuspending) return suspend(store, imported, func, args);
    return takeResult(store, imported, ReflectApply(func, undefined, args));
  } catch (error) {
    return takeError(store, error);
  }
}

/** Gives the guest the value that an import returned. Returns the status. */
function takeResult(store: StandardStore, imported: FunctionType, result: unknown): number {
  const { results } = imported;
  if (results.length === 0) return RETURNED;
  if (results.length === 1) {
    writeCoerced(store, results[0], 0, coerce(results[0], result));
    return RETURNED;
  }
  writeAll(store, results, coerceResults(imported, result));
  return RETURNED;
}

/** The values for the results of an import that returned this value, after `coerce`. */
export function coerceResults({ results }: FunctionType, result: unknown): unknown[] {
  if (results.length <= 1) return coerceAll(results, list(result));
  const values = listOf(result, results.length + 1);
  if (values.length !== results.length) {
    throw new TypeError(`the import must return ${results.length} values, got ${values.length}`);
  }
  return coerceAll(results, values);
}

/** Calls an import for whose promise its guest waits. */
function suspend(store: StandardStore, imported: FunctionType, func: WasmFunction, args: unknown[]): number {
  const innermost = store.innermostCall;
  let promise;
  try {
    promise = settled(ReflectApply(func, undefined, args));
  } catch (error) {
    // The guest can go on at once, unless calls above it have been suspended in the meantime.
    if (store.innermostCall === innermost) throw error;
    promise = failed(error);
  }
  store.suspension = { imported, promise };
  return PENDING;
}

/** A promise that is rejected. */
async function failed(error: unknown): Promise<never> {
  throw error;
}

/** The error of a guest that has to wait for a promise, and cannot be suspended. */
function suspendError({ SuspendError }: ErrorClasses): Error {
  const error = new SuspendError(
    "the guest cannot be suspended: only a call of a function that WebAssembly.promising returned can be, and only while no other call runs in its store",
  );
  defineHidden(error, "code", RuntimeError);
  return error;
}

/** Gives the guest the value that an import threw. Returns the status. */
export function takeError(store: StandardStore, error: unknown): number {
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
