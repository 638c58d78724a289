// Calls of functions that components import.

import { PENDING, RETURNED } from "../constants.ts";
import { isPromise, ReflectApply } from "../core.ts";
import { ignoreFailure, settled } from "../dispatch.ts";
import { RuntimeError, WasmError } from "../errors.ts";
import { uncatchable } from "../guest_errors.ts";
import { list } from "../list.ts";
import { op_wasm_import_arguments, op_wasm_set_import_results } from "../ops.ts";
import type { WasmFunction } from "../types.ts";
import type { ComponentDetails, ComponentFunction } from "./component.ts";
import { ComponentError } from "./component_error.ts";
import { functionName } from "./component_imports.ts";
import { imageFunctionOf, imageOfEnd } from "./image_calls.ts";
import { disposeOfHost, Lifting, Lowering } from "./resources.ts";
import type { InstanceResources } from "./resources.ts";
import { readWitValues } from "./value_reader.ts";
import { writeWitEnd, writeWitValues } from "./value_writer.ts";
import { WIT_RESULT } from "./wit_types.ts";

/** Calls the import at this index: see the import dispatcher. Returns the status. */
export function dispatchComponent(
  component: ComponentDetails,
  resources: InstanceResources,
  index: number,
  waits: boolean,
): number {
  const { store } = resources;
  if (index > component.importCount) return dropOfHost(component, resources, index);
  const call = new ImportCall(component.imported(index - 1), resources, {
    read: () => op_wasm_import_arguments(store.id),
    write: (results) => op_wasm_set_import_results(store.id, results),
  });
  try {
    const result = call.run(index);
    if (waits && isPromise(result)) {
      const promise = settled(result);
      // If the call ends first, nothing waits for the promise, and its failure must not end the program.
      ignoreFailure(promise);
      store.pending = {
        promise,
        returned: (value) => call.returned(value),
        threw: (error) => call.threw(error),
      };
      return PENDING;
    }
    return call.returned(result);
  } catch (error) {
    return call.threw(error);
  }
}

/** Takes an object of the app back that a component drops. Returns the status. */
function dropOfHost(
  component: ComponentDetails,
  resources: InstanceResources,
  index: number,
): number {
  return dropObject(component, resources, index, op_wasm_import_arguments(resources.store.id));
}

/** As {@linkcode dispatchComponent} of a function that drops resources: these bytes have the number of the object. */
export function dropObject(
  component: ComponentDetails,
  resources: InstanceResources,
  index: number,
  bytes: Uint8Array,
): number {
  const { store } = resources;
  try {
    const number = (bytes[0] | bytes[1] << 8 | bytes[2] << 16 | bytes[3] << 24) >>> 0;
    const object = resources.unhold(number);
    if (object !== undefined) disposeOfHost(object);
    return RETURNED;
  } catch (error) {
    const resource = index - 1 - component.importCount;
    const message = `the destructor of the imported resource ${resource} threw`;
    return store.abort(new WasmError(message, RuntimeError, { cause: error }));
  }
}

/** Where the arguments of an import come from, and its results go. */
interface ImportFrame {
  read(): Uint8Array;
  write(results: Uint8Array): void;
}

/** A call of an import. */
export class ImportCall {
  readonly #frame: ImportFrame;
  readonly #imported: ComponentFunction;
  readonly #resources: InstanceResources;
  readonly #lifting: Lifting;

  constructor(imported: ComponentFunction, resources: InstanceResources, frame: ImportFrame) {
    this.#frame = frame;
    this.#imported = imported;
    this.#resources = resources;
    this.#lifting = new Lifting(resources);
  }

  /** Calls the function at this index of the store. */
  run(index: number): unknown {
    const { store } = this.#resources;
    const images = imageFunctionOf(this.#imported);
    if (images !== undefined) {
      return ReflectApply(store.imports[index] as WasmFunction, undefined, images.params.read(store.id));
    }
    const { params } = this.#imported.signature;
    const args = readWitValues(params, this.#frame.read(), this.#lifting);
    return ReflectApply(store.imports[index] as WasmFunction, undefined, args);
  }

  /** Gives the component the value that the import returned. Returns the status. */
  returned(value: unknown): number {
    const { result } = this.#imported.signature;
    const what = () => `the result of import ${functionName(this.#imported)}`;
    const images = imageFunctionOf(this.#imported);
    if (images !== undefined) {
      return this.#giveImage(() => {
        if (result?.kind === WIT_RESULT) return imageOfEnd(result, false, value, what);
        if (!images.result.isScalar) return images.result.image(list(value));
        images.result.writeFrame(list(value));
      });
    }
    return this.#give((handles) =>
      result?.kind === WIT_RESULT
        ? writeWitEnd(result, false, value, handles, what)
        : writeWitValues(result === undefined ? list() : list(result), list(value), handles, what)
    );
  }

  /** Gives the component the error that the import threw, or ends it. Returns the status. */
  threw(error: unknown): number {
    const { result } = this.#imported.signature;
    if (result?.kind === WIT_RESULT && error instanceof ComponentError) {
      const what = () => `the payload that import ${functionName(this.#imported)} threw`;
      if (this.#imported.plan !== undefined) {
        return this.#giveImage(() => imageOfEnd(result, true, error.payload, what));
      }
      return this.#give((handles) => writeWitEnd(result, true, error.payload, handles, what));
    }
    this.#lifting.end();
    const { store } = this.#resources;
    // An error that ended this guest, in a call of its own, ends it here too.
    const isOwn = uncatchable.get(error as object) === store.id;
    return store.abort(isOwn ? error as object : this.#ended(error));
  }

  #give(write: (handles: Lowering) => Uint8Array): number {
    const { store } = this.#resources;
    const handles = new Lowering(this.#resources);
    try {
      this.#frame.write(write(handles));
      handles.commit();
      return RETURNED;
    } catch (error) {
      // A getter of the value may have thrown anything.
      return store.abort(error instanceof WasmError ? error : this.#ended(error));
    } finally {
      this.#lifting.end();
    }
  }

  /** Gives the component the image that `write` returns, or else what it has put into the call frame. */
  #giveImage(write: () => Uint8Array | undefined): number {
    const { store } = this.#resources;
    try {
      const image = write();
      if (image !== undefined) op_wasm_set_import_results(store.id, image);
      return RETURNED;
    } catch (error) {
      // A getter of the value may have thrown anything.
      return store.abort(error instanceof WasmError ? error : this.#ended(error));
    }
  }

  #ended(cause: unknown): WasmError {
    return new WasmError(`import ${functionName(this.#imported)} threw`, RuntimeError, { cause });
  }
}
