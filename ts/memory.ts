import { isArrayBuffer, toBytes } from "./bytes.ts";
import { option, own, toInteger } from "./check.ts";
import { ArrayBufferPrototypeGetByteLength, JSONParse } from "./core.ts";
import { checkDescriptor, limitsOf } from "./descriptor.ts";
import { InstantiateError, MemoryError, TypeMismatch } from "./errors.ts";
import { attach } from "./live_object.ts";
import {
  op_wasm_grow_memory,
  op_wasm_memory_length,
  op_wasm_memory_type,
  op_wasm_new_memory,
  op_wasm_read_memory,
  op_wasm_write_memory,
} from "./ops.ts";
import type { WasmStore } from "./store.ts";
import type { StoreState } from "./store_state.ts";
import type { MemoryType } from "./types.ts";

/** A linear memory. */
export class WasmMemory {
  #store: StoreState;
  #handle: number;
  /** The buffer that an app got last, if the memory is not shared. */
  #buffer: ArrayBuffer | undefined;
  #length: number = 0;

  /** Makes a memory whose bytes are 0. */
  constructor(store: WasmStore, type: MemoryType);
  constructor(...args: unknown[]) {
    const { store, handle } = attach(this, "memory", args, (store) => {
      const type = checkDescriptor(own(args, 1), "memory");
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
   * Its bytes, not a copy of them. The buffer is detached when the memory grows or its store is dropped; then ask for
   * the buffer again. The buffer of a shared memory keeps its length.
   */
  get buffer(): ArrayBuffer | SharedArrayBuffer {
    // The buffer of a memory that has grown is detached, and has no bytes. An app that changes `byteLength` misleads
    // only itself.
    if (this.#length !== 0 && this.#buffer.byteLength === this.#length) return this.#buffer;
    const buffer = this.#store.views.buffer(this.#handle);
    // A shared memory may grow on another thread, so its buffer is made each time.
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
   * Adds pages whose bytes are 0. Returns the number of pages before.
   *
   * @throws {WasmError} `MemoryError` if the maximum of the memory or a cap does not allow it.
   */
  grow(pages: number): number {
    const grown = op_wasm_grow_memory(
      this.#store.id,
      this.#handle,
      toInteger(pages, "pages", MemoryError),
    );
    this.#store.views.detachGrown();
    return grown;
  }
}
