import { quote } from "./check.ts";
import { misfit, read, readValues, writeValues } from "./codec.ts";
import type { Signature } from "./codec.ts";
import { op_wasm_call, op_wasm_call_with, op_wasm_ended } from "./core.ts";
import { TypeMismatch, WasmError } from "./errors.ts";
import { toArray } from "./list.ts";
import { FAILED, GROWN, RETURNED, stopped } from "./outcome.ts";
import type { StoreState } from "./store_state.ts";

/** A function of a guest, for JavaScript. */
export interface Callee {
  store: StoreState;
  /** By which it is called. */
  number: number;
  signature: Signature;
  /** For messages. */
  name: string | undefined;
}

/** Calls a function with these arguments. */
export function call(callee: Callee, args: unknown[]): unknown {
  putArguments(callee.store, callee.signature, args, callee.name);
  return callFrame(callee);
}

/** Calls a function with its arguments in the frame. */
export function callFrame({ store, number, signature }: Callee): unknown {
  const { imports } = store;
  // Without imports of JavaScript's, its engine need not be ready to run any.
  const ended = imports.length === 1 ? op_wasm_call(number) : op_wasm_call_with(number, imports);
  if (ended !== RETURNED) endedOddly(store, ended);
  return takeResults(store, signature);
}

/** How the last call ended that could not tell. Throws why, if it failed. */
export function endedHow(store: StoreState): number {
  try {
    return op_wasm_ended();
  } catch (error) {
    throw stopped(store, error);
  }
}

/** Detaches views of what has grown, and throws what the guest did if it did not return. */
export function endedOddly(store: StoreState, ended: number): void {
  const how = ended & ~GROWN;
  if (how === FAILED) throw endedHow(store);
  const error = how === RETURNED ? undefined : store.thrown(how);
  if (how !== ended) store.checkViews();
  if (error !== undefined) throw error;
}

/** Puts the arguments of a call into the frame. */
export function putArguments(
  store: StoreState,
  { params, takesAnything }: Signature,
  args: unknown[],
  name: string | undefined,
): void {
  // Too few are an `undefined` that does not fit, unless it would.
  if (args.length > params.length || (takesAnything && args.length < params.length)) {
    throw wrongCount(params.length, args.length, name);
  }
  const misfits = writeValues(store, params, args);
  if (misfits >= 0) throw misfit(params, args, misfits, ofFunction(`argument ${misfits}`, name));
}

export function wrongCount(takes: number, got: number, name: string | undefined): WasmError {
  const what = name === undefined ? "the function" : quote(name);
  return new WasmError(`${what} takes ${takes} arguments, got ${got}`, TypeMismatch);
}

/** What a call returned, out of the frame. */
export function takeResults(store: StoreState, { results }: Signature): unknown {
  if (results.length === 0) return undefined;
  if (results.length === 1) return read(store, results[0], 0);
  return toArray(readValues(store, results));
}

function ofFunction(what: string, name: string | undefined): string {
  return name === undefined ? what : `${what} of ${quote(name)}`;
}
