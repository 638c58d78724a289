// Garbage collection for stores that are made without a turn of the event loop, in which finalizers could free others.

import { MapPrototypeForEach, SafeFinalizationRegistry, SafeMap, SafeWeakRef } from "../core.ts";
import { CompileError, fieldOf, InstantiateError, RuntimeError, WasmError } from "../errors.ts";
import {
  op_wasm_collect_in_job,
  op_wasm_drop_module,
  op_wasm_forget_store,
  op_wasm_live_instances,
  op_wasm_max_instances,
} from "../ops.ts";
import { append, list } from "../list.ts";
import type { StoreState } from "../store_state.ts";
import { convertError } from "./error_classes.ts";
import type { ErrorClasses } from "./error_classes.ts";

/** With fewer live objects than this, JavaScript's garbage collector runs only when the engine decides to. */
const LEAST_COLLECTED = 1000;

/** The number of stores and memories that were made since the last collection. */
let madeSince = 0;
/** The number of live instances at which the next collection is due. */
let collectAt = LEAST_COLLECTED;

/** A store of a group. */
interface WatchedStore {
  group: number;
  state: WeakRef<StoreState>;
}

/** The stores, by their numbers. */
const watched: Map<number, WatchedStore> = new SafeMap();

/** The modules, by their numbers. */
const watchedModules: Map<number, WeakRef<object>> = new SafeMap();

const forgottenModules: FinalizationRegistry<number> = new SafeFinalizationRegistry(
  (id: number) => watchedModules.delete(id),
);

/** Records a new module, which is dropped when JavaScript has collected this object. */
export function watchModule(id: number, object: object): void {
  watchedModules.set(id, new SafeWeakRef(object));
  forgottenModules.register(object, id);
}

const forgottenStores: FinalizationRegistry<number> = new SafeFinalizationRegistry(
  (id: number) => watched.delete(id),
);

/** Records a new store, which is freed when JavaScript has collected its state. */
export function watchStore(store: StoreState, group: number): void {
  watched.set(store.id, { group, state: new SafeWeakRef(store) });
  forgottenStores.register(store, store.id);
}

/**
 * Frees stores and modules that JavaScript does not refer to any more. Finalizers would do it in a turn of the event
 * loop. Returns whether there were any.
 */
function collectStores(): boolean {
  op_wasm_collect_in_job();
  const stores = list<number>();
  MapPrototypeForEach(watched, ({ state }: WatchedStore, id: number) => {
    if (state.deref() === undefined) append(stores, id);
  });
  for (let i = 0; i < stores.length; i++) {
    watched.delete(stores[i]);
    op_wasm_forget_store(stores[i]);
  }
  const modules = list<number>();
  MapPrototypeForEach(watchedModules, (object: WeakRef<object>, id: number) => {
    if (object.deref() === undefined) append(modules, id);
  });
  for (let i = 0; i < modules.length; i++) {
    watchedModules.delete(modules[i]);
    op_wasm_drop_module(modules[i]);
  }
  // The buffers of the memories in these stores are garbage only now.
  if (stores.length > 0) op_wasm_collect_in_job();
  madeSince = 0;
  const left = op_wasm_live_instances();
  const most = op_wasm_max_instances();
  collectAt = 2 * left < LEAST_COLLECTED ? LEAST_COLLECTED : 2 * left;
  if (collectAt > most) collectAt = most;
  return stores.length + modules.length > 0;
}

/** The code units of all strings that the guests of a group hold. */
export function heldStringUnits(group: number): number {
  let units = 0;
  MapPrototypeForEach(watched, ({ group: of, state }: WatchedStore) => {
    const store = of === group ? state.deref() : undefined;
    if (store !== undefined) units += store.externals.stringUnits();
  });
  return units;
}

/** Collects garbage when there are many instances. */
export function relieveNow(): void {
  if (op_wasm_live_instances() >= collectAt) collectStores();
}

/** The number of objects that have to be made before a refusal makes garbage be collected. */
let refusalAt = 1;

/**
 * Whether it is worth to try again what a cap has refused: garbage was collected. Where it frees nothing, refusals have it
 * collected less and less often.
 */
export function collectAfter(error: unknown): boolean {
  if (!(error instanceof WasmError)) return false;
  const code = fieldOf(error, "code");
  const isRefusal = code === InstantiateError || code === RuntimeError || code === CompileError;
  if (!isRefusal) return false;
  // A guest has run.
  if (fieldOf(error, "wasmStack") !== undefined || fieldOf(error, "exitCode") !== undefined) return false;
  if (++madeSince < refusalAt) return false;
  const freed = collectStores();
  refusalAt = freed ? 1 : 2 * refusalAt;
  if (refusalAt > LEAST_COLLECTED) refusalAt = LEAST_COLLECTED;
  return freed;
}

/**
 * Makes a module, a store, or something in one. Where a cap does not allow it, garbage is collected before the second
 * and last attempt.
 *
 * @throws The error of the namespace object for what `make` throws.
 */
export function makeOrCollect<T>(errors: ErrorClasses, make: () => T): T {
  madeSince++;
  try {
    return make();
  } catch (error) {
    if (!collectAfter(error)) throw convertError(errors, error);
  }
  try {
    return make();
  } catch (error) {
    throw convertError(errors, error);
  }
}
