// Synchronous calls of functions of guests, and the parts of a call that asynchronous calls share.

import { misfit, read, readValues, writeValues } from "./codec.ts";
import { FAILED, GROWN, RETURNED } from "./constants.ts";
import { quote } from "./describe.ts";
import { TypeMismatch, WasmError } from "./errors.ts";
import { toArray } from "./list.ts";
import { op_wasm_call, op_wasm_call_with_imports, op_wasm_last_status } from "./ops.ts";
import type { Signature } from "./signature.ts";
import type { Callee, StoreState } from "./store_state.ts";

/** Calls a function with these arguments. */
export function call(callee: Callee, args: unknown[]): unknown {
  writeArguments(callee.store, callee.signature, args, callee.name);
  return callFrame(callee);
}

/** Calls a function with its arguments in the frame. */
export function callFrame({ store, number, signature }: Callee): unknown {
  const { imports } = store;
  // An op that cannot call imports is quicker.
  const status = imports.length === 1
    ? op_wasm_call(number)
    : op_wasm_call_with_imports(number, imports);
  if (status !== RETURNED) checkStatus(store, status);
  return readResults(store, signature);
}

/** The status of the last call whose op could not return it. Throws the error of a call that failed. */
export function lastStatus(store: StoreState): number {
  try {
    return op_wasm_last_status();
  } catch (error) {
    throw store.stopped(error);
  }
}

/** Detaches views of memories that have grown. Throws the error of a call that did not return. */
export function checkStatus(store: StoreState, statusAndGrown: number): void {
  const status = statusAndGrown & ~GROWN;
  if (status === FAILED) throw lastStatus(store);
  // Read first: what was thrown is in the frame. It may be `undefined`.
  const thrown = status === RETURNED ? undefined : store.thrown(status);
  if (status !== statusAndGrown) store.views.detachGrown();
  if (status !== RETURNED) throw thrown;
}

/** Writes the arguments of a call into the frame. */
export function writeArguments(
  store: StoreState,
  { params, takesUndefined }: Signature,
  args: unknown[],
  name: string | undefined,
): void {
  // A missing argument is an `undefined` that does not fit, except where it would fit.
  if (args.length > params.length || (takesUndefined && args.length < params.length)) {
    throw wrongCount(params.length, args.length, name);
  }
  const misfits = writeValues(store, params, args);
  if (misfits >= 0) throw misfit(params, args, misfits, ofFunction(`argument ${misfits}`, name));
}

/** The error for a wrong number of arguments. */
export function wrongCount(takes: number, got: number, name: string | undefined): WasmError {
  const what = name === undefined ? "the function" : quote(name);
  return new WasmError(`${what} takes ${takes} arguments, got ${got}`, TypeMismatch);
}

/** The return value of a call, from the results in the frame. */
export function readResults(store: StoreState, { results }: Signature): unknown {
  if (results.length === 0) return undefined;
  if (results.length === 1) return read(store, results[0], 0);
  return toArray(readValues(store, results));
}

function ofFunction(what: string, name: string | undefined): string {
  return name === undefined ? what : `${what} of ${quote(name)}`;
}
