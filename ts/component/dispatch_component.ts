// Calls of functions that components import.

import { PENDING, RETURNED } from "../constants.ts";
import { isPromise, ReflectApply } from "../core.ts";
import { ignoreFailure, settled } from "../dispatch.ts";
import { RuntimeError, WasmError } from "../errors.ts";
import { uncatchable } from "../guest_errors.ts";
import { list } from "../list.ts";
import { op_wasm_import_arguments, op_wasm_set_import_results } from "../ops.ts";
import type { Dispatch, StoreState } from "../store_state.ts";
import type { WasmFunction } from "../types.ts";
import type { ComponentDetails, ComponentFunction } from "./component.ts";
import { ComponentError } from "./component_error.ts";
import { functionName } from "./component_imports.ts";
import { readWitValues } from "./value_reader.ts";
import { writeWitEnd, writeWitValues } from "./value_writer.ts";
import { WIT_RESULT } from "./wit_types.ts";

/** Makes the function that calls the imports of an instance: see the import dispatcher. */
export function dispatcherFor(component: ComponentDetails): Dispatch {
  return (store: StoreState, index: number, waits: boolean): number => {
    const imported = component.imported(index - 1);
    try {
      const args = readWitValues(imported.signature.params, op_wasm_import_arguments(store.id));
      const result = ReflectApply(store.imports[index] as WasmFunction, undefined, args);
      if (waits && isPromise(result)) {
        const promise = settled(result);
        // If the call ends first, nothing waits for the promise, and its failure must not end the program.
        ignoreFailure(promise);
        store.pending = {
          promise,
          returned: (value) => componentImportReturned(store, imported, value),
          threw: (error) => componentImportThrew(store, imported, error),
        };
        return PENDING;
      }
      return componentImportReturned(store, imported, result);
    } catch (error) {
      return componentImportThrew(store, imported, error);
    }
  };
}

/** Gives the component the value that an import returned. Returns the status. */
function componentImportReturned(store: StoreState, imported: ComponentFunction, value: unknown): number {
  const { result } = imported.signature;
  const what = () => `the result of import ${functionName(imported)}`;
  try {
    const bytes = result?.kind === WIT_RESULT
      ? writeWitEnd(result, false, value, what)
      : writeWitValues(result === undefined ? list() : [result], [value], what);
    op_wasm_set_import_results(store.id, bytes);
    return RETURNED;
  } catch (error) {
    // A getter of the value may have thrown anything.
    return store.abort(error instanceof WasmError ? error : importEnded(imported, error));
  }
}

/** Gives the component the error that an import threw, or ends it. Returns the status. */
function componentImportThrew(store: StoreState, imported: ComponentFunction, error: unknown): number {
  const { result } = imported.signature;
  if (result?.kind === WIT_RESULT && error instanceof ComponentError) {
    const what = () => `the payload that import ${functionName(imported)} threw`;
    try {
      op_wasm_set_import_results(store.id, writeWitEnd(result, true, error.payload, what));
      return RETURNED;
    } catch (misfit) {
      return store.abort(misfit instanceof WasmError ? misfit : importEnded(imported, misfit));
    }
  }
  // An error that ended this guest, in a call of its own, ends it here too.
  const isOwn = uncatchable.get(error as object) === store.id;
  return store.abort(isOwn ? error as object : importEnded(imported, error));
}

function importEnded(imported: ComponentFunction, cause: unknown): WasmError {
  return new WasmError(`import ${functionName(imported)} threw`, RuntimeError, { cause });
}
