// `Memory`.

import { isArrayBuffer } from "../bytes.ts";
import { internal } from "../construct.ts";
import {
  ArrayBufferPrototypeGetByteLength,
  JSONParse,
  ObjectFreeze,
  RangeError,
  TypeError,
} from "../core.ts";
import { op_wasm_detach_view, op_wasm_grow_memory, op_wasm_memory_type, op_wasm_new_memory } from "../ops.ts";
import { readLimits } from "./descriptors.ts";
import type { NamespaceState, ObjectClass } from "./namespace_state.ts";
import { ObjectState } from "./object_state.ts";
import { newStandardStore } from "./standard_store.ts";
import type { StandardStore } from "./standard_store.ts";
import { makeOrCollect } from "./store_pressure.ts";
import { exposeInterface, fromAddress, toAddress, toOpAddress } from "./web_idl.ts";
import type { AddressType } from "./web_idl.ts";

/** The most pages of a memory with 32-bit addresses, and with 64-bit addresses, in the specification. */
const MAX_PAGES = 65536;
const MAX_PAGES_64 = 2 ** 48;

/** A memory. */
export class MemoryState extends ObjectState {
  readonly store: StandardStore;
  readonly handle: number;
  readonly address: AddressType;
  readonly isShared: boolean;
  /** The buffer that an app got last. */
  lastBuffer: ArrayBuffer | SharedArrayBuffer | undefined;

  constructor(store: StandardStore, handle: number, address: AddressType, isShared: boolean) {
    super(store.namespace, "Memory");
    this.store = store;
    this.handle = handle;
    this.address = address;
    this.isShared = isShared;
    store.memories[handle] = this;
  }

  /** The buffer that shows the memory now. */
  showBuffer(): ArrayBuffer | SharedArrayBuffer {
    const buffer = this.store.views.buffer(this.handle);
    if (isArrayBuffer(buffer)) return this.lastBuffer = buffer;
    // A shared memory may grow on another thread, so the length is always asked for.
    if (this.lastBuffer === undefined || this.lastBuffer.byteLength !== buffer.byteLength) {
      this.lastBuffer = ObjectFreeze(buffer);
    }
    return this.lastBuffer;
  }

  grow(delta: number): number {
    const { store, handle } = this;
    let pages;
    try {
      pages = op_wasm_grow_memory(store.id, handle, delta);
    } catch (error) {
      throw new RangeError(error.message);
    }
    store.views.detachGrown();
    // The standard detaches the buffer even if the memory has not grown.
    if (delta === 0 && !this.isShared) op_wasm_detach_view(store.id, handle);
    return pages;
  }
}

/** The memory with this handle in a store. */
export function memoryIn(store: StandardStore, handle: number): MemoryState {
  const known = store.memories[handle];
  if (known !== undefined) return known as MemoryState;
  const { address, shared } = JSONParse(op_wasm_memory_type(store.id, handle));
  return new MemoryState(store, handle, address, shared);
}

/** The most memories that share a store before an instance joins it. */
const MEMORIES_PER_STORE = 16;

/**
 * The store for a new memory. A memory cannot move to another store, and an instance that imports two memories needs
 * both of them in one. So memories that are made one after another share a store, until an instance has joined it.
 */
function storeForMemory(namespace: NamespaceState): StandardStore {
  const memoryStore = namespace.memoryStore as StandardStore | undefined;
  if (
    memoryStore !== undefined && memoryStore.instances === 0 &&
    memoryStore.memories.length < MEMORIES_PER_STORE
  ) return memoryStore;
  const store = newStandardStore(namespace);
  namespace.memoryStore = store;
  return store;
}

/** The class `Memory` of a namespace object. */
export function makeMemoryClass(namespace: NamespaceState): ObjectClass {
  class Memory {
    #memory: MemoryState;
    /** The buffer that an app got last, if the memory is not shared. It is kept here, since glue asks for it often. */
    #buffer: ArrayBuffer | undefined;
    /** The length of the buffer that an app got last, if it has bytes and the memory is not shared. */
    #length: number = 0;

    constructor(type?: unknown, key?: unknown, state?: MemoryState) {
      if (key !== internal) {
        const { address, initial, maximum, shared } = readLimits(type, "memory");
        const most = address === "i64" ? MAX_PAGES_64 : MAX_PAGES;
        if (shared && maximum === undefined) throw new TypeError("a shared memory needs a maximum");
        const first = toOpAddress(initial);
        const last = maximum === undefined ? -1 : toOpAddress(maximum);
        if (first > most || last > most) throw new RangeError(`a memory has at most ${most} pages`);
        if (last >= 0 && first > last) {
          throw new RangeError("the initial size of the memory exceeds its maximum");
        }
        const store = storeForMemory(namespace);
        let handle;
        try {
          handle = makeOrCollect(
            namespace.errors,
            () => op_wasm_new_memory(store.id, first, last, shared, address === "i64"),
          );
        } catch (error) {
          throw new RangeError(error.message);
        }
        state = new MemoryState(store, handle, address, shared);
      }
      this.#memory = state;
      state.attach(this);
    }

    grow(delta: unknown): number | bigint {
      const memory = this.#memory;
      const { address } = memory;
      const pages = toOpAddress(toAddress(delta, address, "the number of pages"));
      if (pages > MAX_PAGES_64) throw new RangeError("the memory cannot grow to this size");
      return fromAddress(memory.grow(pages), address);
    }

    get buffer(): ArrayBuffer | SharedArrayBuffer {
      // The buffer of a memory that has grown is detached, and has no bytes. An app that changes `byteLength` misleads
      // only itself.
      if (this.#length !== 0 && this.#buffer.byteLength === this.#length) return this.#buffer;
      const buffer = this.#memory.showBuffer();
      if (!isArrayBuffer(buffer)) return buffer;
      this.#length = ArrayBufferPrototypeGetByteLength(buffer);
      return this.#buffer = buffer;
    }
  }
  exposeInterface(Memory, "Memory", 1);
  return Memory;
}
