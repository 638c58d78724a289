import { isObject, option } from "./check.ts";
import { NOT_COMPILED, RETURNED, YIELD_DUE } from "./constants.ts";
import { construct, internal } from "./construct.ts";
import { describe } from "./describe.ts";
import { fieldOf, InstantiateError, WasmError } from "./errors.ts";
import type { Imports } from "./extern_objects.ts";
import { frameU32 } from "./frame.ts";
import { instancePressure } from "./gc_pressure.ts";
import { lookUp, resolve } from "./imports.ts";
import type { ImportValues } from "./imports.ts";
import { WasmInstance } from "./instance.ts";
import { detailsOf } from "./module.ts";
import type { ModuleDetails, WasmModule } from "./module.ts";
import {
  op_wasm_instantiate,
  op_wasm_preparation,
  op_wasm_prepare,
  op_wasm_yield_now,
} from "./ops.ts";
import { areEmpty, checkOptions } from "./options.ts";
import type { StoreOptions } from "./options.ts";
import { storeStateOf } from "./store.ts";
import type { WasmStore } from "./store.ts";
import { newStoreFor } from "./store_state.ts";
import type { StoreState } from "./store_state.ts";
import { importName } from "./types.ts";

/** The store of an instance: this one, or a new one with these limits. */
export type InstantiateOptions = { store: WasmStore } | StoreOptions;

/**
 * Makes an instance of a module and runs its start function.
 *
 * The imports are looked up before this returns its promise. Without a store in the options, the instance joins the
 * store of the live objects that it imports. If it imports none, it gets a store of its own.
 *
 * @throws {WasmError} `InstantiateError` if an import is missing or of the wrong type, a cap is
 * exceeded, or an option is unusable; `RuntimeError` or `FuelExhausted` from the start function.
 */
export async function instantiate(
  module: WasmModule,
  imports?: Imports,
  options?: InstantiateOptions,
): Promise<WasmInstance> {
  const details = detailsOf(module);
  if (details === undefined) {
    throw new WasmError(`expected a WasmModule, got ${describe(module)}`, InstantiateError);
  }
  const found = lookUp(details, imports);
  let store = sharedStore(details, found, options);
  if (store === undefined) {
    if (instancePressure.isHigh()) await instancePressure.relieve();
    store = newStoreFor(details.id, options as StoreOptions);
  }
  try {
    const step = op_wasm_preparation(details.id, store.id);
    if (step === NOT_COMPILED) await op_wasm_prepare(details.id, store.id);
    else if (step === YIELD_DUE) await op_wasm_yield_now();
    return start(details, store, found);
  } catch (error) {
    if (store.implicit && store.instances === 0) store.drop();
    throw error;
  }
}

/** The store that an instance with these imports and options joins; `undefined` if it gets a store of its own. */
function sharedStore(
  module: ModuleDetails,
  { handles }: ImportValues,
  options: InstantiateOptions | undefined,
): StoreState | undefined {
  let store;
  const chosen = isObject(options) ? option(options, "store", InstantiateError) : undefined;
  if (chosen !== undefined) {
    store = storeStateOf(chosen);
    if (store === undefined) {
      throw new WasmError(
        `the option store must be a WasmStore, got ${describe(chosen)}`,
        InstantiateError,
      );
    }
  }
  let joined;
  for (let i = 0; i < handles.length; i++) {
    const other = handles[i]?.store as StoreState | undefined;
    if (other === undefined) continue;
    if (store === undefined) {
      store = other;
      joined = module.imports[i];
    } else if (other !== store) {
      throw new WasmError(
        `${importName(module.imports[i])} belongs to another store than ` +
          (joined === undefined ? "the instance" : importName(joined)),
        InstantiateError,
      );
    }
  }
  if (store === undefined) return undefined;
  if (!areEmpty(checkOptions(options as StoreOptions))) {
    throw new WasmError(
      "limits and WASI belong to the store: give them where it is made",
      InstantiateError,
    );
  }
  return store;
}

/** Instantiates a module that is compiled for the engine of the store. */
function start(module: ModuleDetails, store: StoreState, found: ImportValues): WasmInstance {
  const before = store.imports.length;
  let status;
  try {
    const imports = resolve(store, module, found);
    status = op_wasm_instantiate(module.id, store.id, imports, store.imports);
  } catch (error) {
    // If no guest has run, there is no instance that calls the imports.
    const linked = !(error instanceof WasmError) || fieldOf(error, "wasmStack") !== undefined ||
      fieldOf(error, "code") !== InstantiateError;
    if (!linked) store.forgetImports(before);
    throw store.stopped(error);
  }
  const id = frameU32[0];
  const thrown = status === RETURNED ? undefined : store.thrown(status);
  store.views.detachGrown();
  if (thrown !== undefined) throw thrown;
  const instance = construct(WasmInstance, internal, id, module, store);
  if (store.hasWasi) initialize(instance);
  return instance;
}

/** Calls the function `_initialize` of a WASI reactor: nothing else may be called before it. */
function initialize(instance: WasmInstance): void {
  let reactor = false;
  for (let i = 0; i < instance.exports.length; i++) {
    const info = instance.exports[i];
    if (info.kind !== "function") continue;
    if (info.name === "_start") return;
    if (info.name !== "_initialize") continue;
    reactor = info.params.length === 0 && info.results.length === 0;
  }
  if (!reactor) return;
  try {
    instance.call("_initialize");
  } catch (error) {
    instance.drop();
    throw error;
  }
}
