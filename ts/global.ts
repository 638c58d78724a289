import { option, own } from "./check.ts";
import { codec, read, writeValue } from "./codec.ts";
import type { Codec } from "./codec.ts";
import { JSONParse, String } from "./core.ts";
import { checkDescriptor } from "./descriptor.ts";
import { InstantiateError } from "./errors.ts";
import { attach } from "./live_object.ts";
import {
  op_wasm_get_global,
  op_wasm_global_type,
  op_wasm_new_global,
  op_wasm_set_global,
} from "./ops.ts";
import type { WasmStore } from "./store.ts";
import type { StoreState } from "./store_state.ts";
import type { GlobalType } from "./types.ts";

/** A global variable. */
export class WasmGlobal {
  #store: StoreState;
  #handle: number;
  #codec: Codec | undefined;

  /** Makes a global that holds `value`. */
  constructor(store: WasmStore, type: GlobalType, value: unknown);
  constructor(...args: unknown[]) {
    const { store, handle } = attach(this, "global", args, (store) => {
      const type = checkDescriptor(own(args, 1), "global");
      const value = String(option(type, "value", InstantiateError));
      return newGlobal(store, value, option(type, "mutable", InstantiateError) === true, own(args, 2));
    });
    this.#store = store;
    this.#handle = handle;
  }

  /** Its type. */
  get type(): GlobalType {
    return JSONParse(op_wasm_global_type(this.#store.id, this.#handle));
  }

  /** Its value, converted like the result of a function. */
  // deno-lint-ignore no-explicit-any
  get value(): any {
    const codec = this.#content();
    op_wasm_get_global(this.#store.id, this.#handle);
    return read(this.#store, codec, 0);
  }

  /** Sets its value, converted like an argument of a function; `TypeMismatch` if the global is immutable. */
  set value(value: unknown) {
    writeValue(this.#store, this.#content(), value);
    op_wasm_set_global(this.#store.id, this.#handle);
  }

  #content(): Codec {
    return this.#codec ??= codec(this.type.value);
  }
}

/** Makes a global in a store, and returns its handle. */
export function newGlobal(store: StoreState, type: string, mutable: boolean, value: unknown): number {
  writeValue(store, codec(type), value);
  return op_wasm_new_global(store.id, type, mutable);
}
