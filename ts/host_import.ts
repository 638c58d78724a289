import { copyOf } from "./check.ts";
import { misfit, readValues, writeRef, writeValues } from "./codec.ts";
import type { Codec, Signature } from "./codec.ts";
import { ArrayIsArray, ReflectApply } from "./core.ts";
import { TypeMismatch, WasmError } from "./errors.ts";
import { HOST, OBJECT } from "./frame.ts";
import { EXCEPTION, exceptions, importThrew, RETURNED, stops, THREW } from "./outcome.ts";
import { referenceHandle } from "./reference.ts";
import { active } from "./store_state.ts";
import type { StoreState } from "./store_state.ts";
import type { WasmFunction } from "./types.ts";

/** A JavaScript function that a guest imports. */
export interface HostImport {
  callback: WasmFunction;
  signature: Signature;
  /** For messages. */
  name: string;
}

/**
 * Runs the import of this number of the store that is running, its arguments in the frame, which
 * its results replace. Returns how it ended; what it threw is then in the first slot.
 */
export function dispatch(index: number): number {
  const store = active;
  const { callback, signature, name } = store.imports[index];
  try {
    store.refresh();
    const result = ReflectApply(callback, undefined, readValues(store, signature.params));
    return finishImport(store, signature.results, result, name);
  } catch (error) {
    const exception = referenceHandle(store, exceptions.get(error));
    if (exception !== undefined) {
      writeRef(0, OBJECT, exception);
      return EXCEPTION;
    }
    if (stops.has(error)) return store.abort(importThrew(name, error));
    const held = store.hold(error);
    store.throwers.set(held, name);
    writeRef(0, HOST, held);
    return THREW;
  }
}

// deno-lint-ignore no-explicit-any
function finishImport(store: StoreState, results: Codec[], result: any, name: string): number {
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
