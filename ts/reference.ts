import { isObject } from "./check.ts";
import { illegal } from "./construct.ts";
import { SafeFinalizationRegistry } from "./core.ts";
import type { StoreIdentity } from "./handles.ts";
import { op_wasm_release_object } from "./ops.ts";

const collectedReferences: FinalizationRegistry<{ store: number; object: number }> =
  new SafeFinalizationRegistry(({ store, object }: { store: number; object: number }) =>
    op_wasm_release_object(store, object)
  );

/** The handle in a reference of this store; `undefined` for any other value. */
export let referenceHandle: (store: StoreIdentity, value: unknown) => number | undefined;

/** A struct, array, i31 or exception of a guest. An app can only pass it back to the guest. */
export class WasmReference {
  #store: StoreIdentity;
  #handle: number;

  static {
    referenceHandle = (store, value) =>
      isObject(value) && #store in value && value.#store === store ? value.#handle : undefined;
  }

  private constructor(key: symbol, store: StoreIdentity, handle: number) {
    illegal(key);
    this.#store = store;
    this.#handle = handle;
    collectedReferences.register(this, { store: store.id, object: handle });
  }
}
