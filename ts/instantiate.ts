import { describe, isObject, option } from "./check.ts";
import { construct, internal } from "./construct.ts";
import { op_wasm_instantiate, op_wasm_is_ready, op_wasm_prepare } from "./core.ts";
import { fieldOf, InstantiateError, WasmError } from "./errors.ts";
import { frameU32 } from "./frame.ts";
import { lookUp, toImports } from "./imports.ts";
import type { Found } from "./imports.ts";
import { WasmInstance } from "./instance.ts";
import { detailsOf } from "./module.ts";
import type { ModuleDetails, WasmModule } from "./module.ts";
import { asksForNothing, checkOptions } from "./options.ts";
import type { InstantiateOptions, StoreOptions } from "./options.ts";
import { RETURNED, stopped } from "./outcome.ts";
import { roomForInstances } from "./room.ts";
import { storeStateOf } from "./store.ts";
import { StoreState } from "./store_state.ts";
import { importName } from "./types.ts";
import type { Imports } from "./types.ts";

/**
 * Makes an instance of a module and runs its start function.
 *
 * Imports are looked up before this returns its promise. Without a store in the options, the
 * instance joins that of the live objects that it imports, or gets one of its own.
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
    if (roomForInstances.isScarce()) await roomForInstances.make();
    store = new StoreState(options as StoreOptions, true);
  }
  try {
    if (!op_wasm_is_ready(details.id, store.id)) await op_wasm_prepare(details.id, store.id);
    return start(details, store, found);
  } catch (error) {
    if (store.implicit && store.instances === 0) store.drop();
    throw error;
  }
}

/** The store that an instance with these imports lives in, unless it gets one of its own. */
function sharedStore(
  module: ModuleDetails,
  { places }: Found,
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
  for (let i = 0; i < places.length; i++) {
    const home = places[i]?.store;
    if (home === undefined) continue;
    if (store === undefined) {
      store = home;
      joined = module.imports[i];
    } else if (home !== store) {
      throw new WasmError(
        `${importName(module.imports[i])} belongs to another store than ` +
          (joined === undefined ? "the instance" : importName(joined)),
        InstantiateError,
      );
    }
  }
  if (store === undefined) return undefined;
  if (!asksForNothing(checkOptions(options as StoreOptions))) {
    throw new WasmError(
      "limits and WASI belong to the store: give them where it is made",
      InstantiateError,
    );
  }
  return store;
}

/** Instantiates in a store whose engine the module is compiled for. */
function start(module: ModuleDetails, store: StoreState, found: Found): WasmInstance {
  const before = store.imports.length;
  let ended;
  try {
    const externs = toImports(store, module, found);
    ended = op_wasm_instantiate(module.id, store.id, externs, store.imports);
  } catch (error) {
    // Without a stack of the guest's there is no instance, and nobody who calls its imports.
    const linked = !(error instanceof WasmError) || fieldOf(error, "wasmStack") !== undefined ||
      fieldOf(error, "code") !== InstantiateError;
    if (!linked) store.forgetImports(before);
    throw stopped(store, error);
  }
  const id = frameU32[0];
  const thrown = ended === RETURNED ? undefined : store.thrown(ended);
  store.checkViews();
  if (thrown !== undefined) throw thrown;
  const instance = construct(WasmInstance, internal, id, module, store);
  if (store.hasWasi) initialize(instance);
  return instance;
}

/** Readies a WASI reactor: whoever instantiates one has to call its `_initialize` first. */
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
