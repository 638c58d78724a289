// Garbage collection for stores that are made without a turn of the event loop, in which finalizers could free others.

import { convertError } from "./error_classes.ts";
import { fieldOf, InstantiateError, WasmError } from "../errors.ts";
import { op_wasm_collect_stores, op_wasm_live_instances, op_wasm_watch_store } from "../ops.ts";
import type { StoreState } from "../store_state.ts";
import type { NamespaceState } from "./namespace_state.ts";

/** With fewer live objects than this, JavaScript's garbage collector runs only when the engine decides to. */
const LEAST_COLLECTED = 1000;

/** The number of stores and memories that were made since the last collection. */
let madeSince = 0;
/** The number of live instances at which the next collection is due. */
let collectAt = LEAST_COLLECTED;

/** Records a new store, which is freed when JavaScript has collected its state. */
export function watchStore(store: StoreState): void {
  op_wasm_watch_store(store.id, store);
}

/** Frees stores that JavaScript does not refer to any more. */
function collectStores(): void {
  op_wasm_collect_stores();
  madeSince = 0;
  const left = op_wasm_live_instances();
  collectAt = 2 * left < LEAST_COLLECTED ? LEAST_COLLECTED : 2 * left;
}

/** Collects garbage when there are many instances. */
export function relieveNow(): void {
  if (op_wasm_live_instances() >= collectAt) collectStores();
}

/**
 * Makes a store, memory or instance. Where a cap does not allow it, garbage is collected before the second and last
 * attempt, if enough was made since the last collection.
 *
 * @throws The error of the namespace object for what `make` throws.
 */
export function makeOrCollect<T>(namespace: NamespaceState, make: () => T): T {
  madeSince++;
  try {
    return make();
  } catch (error) {
    const refused = error instanceof WasmError && fieldOf(error, "code") === InstantiateError;
    if (!refused || madeSince < LEAST_COLLECTED) throw convertError(namespace.errors, error);
  }
  collectStores();
  try {
    return make();
  } catch (error) {
    throw convertError(namespace.errors, error);
  }
}
