import { isObject } from "./check.ts";
import { illegal } from "./construct.ts";
import { op_wasm_release_object, SafeFinalizationRegistry } from "./core.ts";
import type { StoreState } from "./store_state.ts";

const droppedReferences: FinalizationRegistry<{ store: number; object: number }> =
  new SafeFinalizationRegistry(({ store, object }: { store: number; object: number }) =>
    op_wasm_release_object(store, object)
  );

/** Reads the handle out of a reference of this store; `undefined` for anything else. */
export let referenceHandle: (store: StoreState, value: unknown) => number | undefined;

/** A struct, array, i31, or exception of a guest: nothing to look into, only to pass back. */
export class WasmReference {
  #store: StoreState;
  #handle: number;

  static {
    referenceHandle = (store, value) =>
      isObject(value) && #store in value && value.#store === store ? value.#handle : undefined;
  }

  private constructor(key: symbol, store: StoreState, handle: number) {
    illegal(key);
    this.#store = store;
    this.#handle = handle;
    droppedReferences.register(this, { store: store.id, object: handle });
  }
}
