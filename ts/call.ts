import { quote } from "./check.ts";
import { misfit, readValues, writeValues } from "./codec.ts";
import type { Signature } from "./codec.ts";
import { op_wasm_call } from "./core.ts";
import { TypeMismatch, WasmError } from "./errors.ts";
import { RETURNED, stopped } from "./outcome.ts";
import type { StoreState } from "./store_state.ts";

export function callFunc(
  store: StoreState,
  handle: number,
  signature: Signature,
  args: unknown[],
  name: string | undefined,
): unknown {
  putArguments(store, signature, args, name);
  let ended;
  const outer = store.enter(false);
  try {
    ended = op_wasm_call(store.id, handle);
  } catch (error) {
    throw stopped(store, error);
  } finally {
    store.leave(outer);
  }
  if (ended !== RETURNED) throw store.thrown(ended);
  return takeResults(store, signature);
}

/** Puts the arguments of a call into the frame. */
export function putArguments(
  store: StoreState,
  { params }: Signature,
  args: unknown[],
  name: string | undefined,
): void {
  if (args.length !== params.length) {
    throw new WasmError(
      `${name === undefined ? "the function" : quote(name)} takes ${params.length} arguments, ` +
        `got ${args.length}`,
      TypeMismatch,
    );
  }
  const misfits = writeValues(store, params, args);
  if (misfits >= 0) throw misfit(params, args, misfits, ofFunction(`argument ${misfits}`, name));
}

/** What a call returned, out of the frame. */
export function takeResults(store: StoreState, { results }: Signature): unknown {
  if (results.length === 0) return undefined;
  if (results.length === 1) return results[0].read(store, 0);
  return readValues(store, results);
}

function ofFunction(what: string, name: string | undefined): string {
  return name === undefined ? what : `${what} of ${quote(name)}`;
}
