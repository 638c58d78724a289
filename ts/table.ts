import { option, own, toInteger } from "./check.ts";
import { codec, read, writeValue } from "./codec.ts";
import type { Codec } from "./codec.ts";
import { JSONParse, String } from "./core.ts";
import { checkDescriptor, limitsOf } from "./descriptor.ts";
import { InstantiateError, MemoryError } from "./errors.ts";
import { attach } from "./live_object.ts";
import {
  op_wasm_get_table,
  op_wasm_grow_table,
  op_wasm_new_table,
  op_wasm_set_table,
  op_wasm_table_size,
  op_wasm_table_type,
} from "./ops.ts";
import type { WasmStore } from "./store.ts";
import type { StoreState } from "./store_state.ts";
import type { TableType } from "./types.ts";

/** A table of references. */
export class WasmTable {
  #store: StoreState;
  #handle: number;
  #codec: Codec | undefined;

  /** Makes a table whose elements are all `init`. */
  constructor(store: WasmStore, type: TableType, init?: unknown);
  constructor(...args: unknown[]) {
    const { store, handle } = attach(this, "table", args, (store) => {
      const type = checkDescriptor(own(args, 1), "table");
      const element = String(option(type, "element", InstantiateError));
      const { minimum, maximum, is64 } = limitsOf(type);
      writeValue(store, codec(element), own(args, 2) ?? null);
      return op_wasm_new_table(store.id, element, minimum, maximum, is64);
    });
    this.#store = store;
    this.#handle = handle;
  }

  /** Its type, with the current size as the minimum. */
  get type(): TableType {
    return JSONParse(op_wasm_table_type(this.#store.id, this.#handle));
  }

  /** The number of its elements. */
  get length(): number {
    return op_wasm_table_size(this.#store.id, this.#handle);
  }

  /**
   * The element at `index`, converted like the result of a function.
   *
   * @throws {WasmError} `MemoryError` if the index is out of bounds.
   */
  // deno-lint-ignore no-explicit-any
  get(index: number): any {
    const codec = this.#element();
    op_wasm_get_table(this.#store.id, this.#handle, toInteger(index, "index", MemoryError));
    return read(this.#store, codec, 0);
  }

  /**
   * Sets the element at `index`, converted like an argument of a function.
   *
   * @throws {WasmError} `MemoryError` if the index is out of bounds.
   */
  set(index: number, value: unknown): void {
    const at = toInteger(index, "index", MemoryError);
    writeValue(this.#store, this.#element(), value);
    op_wasm_set_table(this.#store.id, this.#handle, at);
  }

  /**
   * Adds `delta` elements that are `init`. Returns the number of elements before.
   *
   * @throws {WasmError} `MemoryError` if the maximum of the table or a cap does not allow it.
   */
  grow(delta: number, init: unknown = null): number {
    const more = toInteger(delta, "delta", MemoryError);
    writeValue(this.#store, this.#element(), init);
    return op_wasm_grow_table(this.#store.id, this.#handle, more);
  }

  #element(): Codec {
    return this.#codec ??= codec(this.type.element);
  }
}
