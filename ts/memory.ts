import { isArrayBuffer, toBytes } from "./bytes.ts";
import { option, own, toInteger } from "./check.ts";
import {
  ArrayBufferPrototypeGetByteLength,
  JSONParse,
  op_wasm_grow_memory,
  op_wasm_memory_length,
  op_wasm_memory_type,
  op_wasm_new_memory,
  op_wasm_read_memory,
  op_wasm_write_memory,
} from "./core.ts";
import { InstantiateError, MemoryError, TypeMismatch } from "./errors.ts";
import { limitsOf, typeOf } from "./limits.ts";
import { place } from "./live.ts";
import type { WasmStore } from "./store.ts";
import type { StoreState } from "./store_state.ts";
import type { MemoryType } from "./types.ts";

/** A linear memory. */
export class WasmMemory {
  #store: StoreState;
  #handle: number;
  /** The bytes as an app was last given them, if the memory is not shared. */
  #buffer: ArrayBuffer | undefined;
  #length: number = 0;

  /** Makes a memory of zeroed pages. */
  constructor(store: WasmStore, type: MemoryType);
  constructor(...args: unknown[]) {
    const { store, handle } = place(this, "memory", args, (store) => {
      const type = typeOf(own(args, 1), "memory");
      const { minimum, maximum, is64 } = limitsOf(type);
      const shared = option(type, "shared", InstantiateError) === true;
      return op_wasm_new_memory(store.id, minimum, maximum, shared, is64);
    });
    this.#store = store;
    this.#handle = handle;
  }

  /** Its type, with the current size as the minimum. */
  get type(): MemoryType {
    return JSONParse(op_wasm_memory_type(this.#store.id, this.#handle));
  }

  /** Its size in bytes. */
  get byteLength(): number {
    return op_wasm_memory_length(this.#store.id, this.#handle);
  }

  /**
   * Its bytes themselves, not a copy. The buffer is detached when the memory grows or its store
   * is dropped; then take it again. That of a shared memory stays as long as it was.
   */
  get buffer(): ArrayBuffer | SharedArrayBuffer {
    // A buffer that does not show all of the memory any more is detached, and empty. What the app may have
    // made of `byteLength` fools nobody else.
    if (this.#length !== 0 && this.#buffer.byteLength === this.#length) return this.#buffer;
    const buffer = this.#store.view(this.#handle);
    // Nobody tells when a shared memory grows: its buffer is asked for each time.
    if (!isArrayBuffer(buffer)) return buffer;
    this.#buffer = buffer;
    this.#length = ArrayBufferPrototypeGetByteLength(buffer);
    return buffer;
  }

  /**
   * Copies bytes out.
   *
   * @throws {WasmError} `MemoryError` if any of them is out of bounds.
   */
  read(offset: number, length: number): Uint8Array {
    return op_wasm_read_memory(
      this.#store.id,
      this.#handle,
      toInteger(offset, "offset", MemoryError),
      toInteger(length, "length", MemoryError),
    );
  }

  /**
   * Copies bytes in.
   *
   * @throws {WasmError} `MemoryError` if any of them is out of bounds; then nothing is written.
   */
  write(offset: number, data: BufferSource): void {
    const at = toInteger(offset, "offset", MemoryError);
    op_wasm_write_memory(this.#store.id, this.#handle, at, toBytes(data, TypeMismatch));
  }

  /**
   * Adds zeroed pages and returns how many there were before.
   *
   * @throws {WasmError} `MemoryError` if its maximum or a cap does not allow that.
   */
  grow(pages: number): number {
    const grown = op_wasm_grow_memory(
      this.#store.id,
      this.#handle,
      toInteger(pages, "pages", MemoryError),
    );
    this.#store.checkViews();
    return grown;
  }
}
