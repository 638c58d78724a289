import { op_wasm_detach_grown, op_wasm_memory_view } from "./ops.ts";

/** The buffers by which JavaScript sees the memories of a store. */
export class Views {
  readonly #store: number;
  /** Whether any buffer was made. */
  #exist: boolean = false;

  constructor(store: number) {
    this.#store = store;
  }

  /** The buffer that shows the bytes of a memory: the same one until the memory grows. */
  buffer(memory: number): ArrayBuffer | SharedArrayBuffer {
    this.#exist = true;
    return op_wasm_memory_view(this.#store, memory);
  }

  /** Detaches the buffers of memories that have grown. To be called whenever a memory may have grown. */
  detachGrown(): void {
    if (this.#exist) op_wasm_detach_grown(this.#store);
  }
}
