// `Instance`, and instantiation.

import { RETURNED } from "../constants.ts";
import { construct, internal } from "../construct.ts";
import { ObjectCreate, ObjectDefineProperty, ObjectFreeze, String, TypeError } from "../core.ts";
import { describe } from "../describe.ts";
import { fieldOf, InstantiateError, WasmError } from "../errors.ts";
import { frameU32 } from "../frame.ts";
import { op_wasm_get_export, op_wasm_instantiate } from "../ops.ts";
import { GlobalState } from "./globals.ts";
import { memoryIn } from "./memories.ts";
import { checkModule } from "./module_state.ts";
import type { ModuleState } from "./module_state.ts";
import type { NamespaceState, ObjectClass } from "./namespace_state.ts";
import { addFunctions, placeImports, readImports, storeFor } from "./standard_imports.ts";
import type { StandardStore } from "./standard_store.ts";
import { collectAfter } from "./store_pressure.ts";
import { tableIn } from "./tables.ts";
import { tagIn } from "./tags.ts";
import { valueType } from "./value_types.ts";
import { exposeInterface, isObjectLike } from "./web_idl.ts";

/**
 * Instantiates a module with the values that were looked up for its imports, and runs its start function. Returns the
 * object with its exports. `isLive`: bindings will follow its mutable globals.
 */
export function instantiateModule(module: ModuleState, values: unknown[], isLive: boolean = false): object {
  const store = storeFor(module, values);
  if (isLive) store.prepareLiveBindings();
  const { id } = module.details;
  const pairs = placeImports(store, module, values);
  const before = store.imports.length;
  addFunctions(store, module, values, pairs);
  let status;
  try {
    try {
      status = op_wasm_instantiate(id, store.id, pairs, store.imports);
    } catch (error) {
      if (!collectAfter(error)) throw error;
      status = op_wasm_instantiate(id, store.id, pairs, store.imports);
    }
  } catch (error) {
    if (!(error instanceof WasmError) && typeof error !== "string") throw error;
    // If no guest has run, there is no instance that calls the imports.
    const linked = fieldOf(error, "wasmStack") !== undefined ||
      fieldOf(error, "code") !== InstantiateError;
    if (!linked) store.forgetImports(before);
    throw store.stopped(error);
  }
  const instance = frameU32[0];
  // Read before anything else uses the frame. It may be `undefined`.
  const thrown = status === RETURNED ? undefined : store.thrown(status);
  store.views.detachGrown();
  store.instances++;
  store.refreshLiveBindings();
  if (status !== RETURNED) throw thrown;
  return exportsOf(module, store, instance);
}

/** The object with the exports of an instance. */
function exportsOf(module: ModuleState, store: StandardStore, instance: number): object {
  const { exports } = module.details;
  const object = ObjectCreate(null);
  for (let i = 0; i < exports.length; i++) {
    const info = exports[i];
    const handle = op_wasm_get_export(instance, info.name);
    const value = exportedObject(module, i, store, handle);
    ObjectDefineProperty(object, info.name, { __proto__: null, value, enumerable: true });
  }
  return ObjectFreeze(object);
}

/** The JavaScript object for the export at this index: the same one each time. */
function exportedObject(module: ModuleState, i: number, store: StandardStore, handle: number): object {
  const info = module.details.exports[i];
  switch (info.kind) {
    case "function": {
      const index = module.exportIndices[i];
      const type = module.exportType(i);
      return index < module.importedFunctions
        ? store.importedFunc(handle, type, String(index))
        : store.definedFunc(handle, type, String(index));
    }
    case "memory":
      return memoryIn(store, handle).object;
    case "table":
      return tableIn(store, handle).object;
    case "tag":
      return tagIn(store, handle).object;
    case "global": {
      let global = store.globals[handle] as GlobalState | undefined;
      if (global === undefined) {
        global = new GlobalState(store.namespace, valueType(info.value), info.mutable, undefined);
        global.place(store, handle);
      }
      return global.object;
    }
  }
}

/** The argument `importObject`, which has to be an object if it is given. */
export function checkImportObject(imports: unknown): void {
  if (imports !== undefined && !isObjectLike(imports)) {
    throw new TypeError(`the imports must be an object, got ${describe(imports)}`);
  }
}

/** The `Instance` with these exports. */
export function instanceObject(namespace: NamespaceState, exports: object): object {
  return construct(namespace.classes.Instance, undefined, internal, exports);
}

/** The class `Instance` of a namespace object. */
export function makeInstanceClass(namespace: NamespaceState): ObjectClass {
  class Instance {
    #exports: object;

    constructor(module?: unknown, imports?: unknown, exports?: object) {
      if (imports === internal) {
        this.#exports = exports;
        return;
      }
      const state = checkModule(namespace, module);
      checkImportObject(imports);
      this.#exports = instantiateModule(state, readImports(state, imports));
    }

    get exports(): object {
      return this.#exports;
    }
  }
  exposeInterface(Instance, "Instance", 1);
  return Instance;
}
