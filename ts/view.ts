import {
  ArrayBufferPrototype,
  ObjectDefineProperty,
  op_wasm_detach,
  ReflectApply,
  SafeWeakMap,
  TypeError,
} from "./core.ts";
import type { StoreState } from "./store_state.ts";

/** Which store a view's buffer belongs to: a buffer keeps its store from being collected. */
export const owners: WeakMap<ArrayBuffer | SharedArrayBuffer, StoreState> = new SafeWeakMap();

// The bytes of a memory cannot be given away, as in browsers. QuickJS would hand them to a buffer
// that does not know whose they are, or reallocate them.
for (const name of ["transfer", "transferToFixedLength", "transferToImmutable"]) {
  const transfer = ArrayBufferPrototype[name];
  if (transfer === undefined) continue;
  const guarded = {
    [name](...args: unknown[]): ArrayBuffer {
      if (owners.has(this)) throw new TypeError("The buffer of a memory cannot be transferred");
      return ReflectApply(transfer, this, args);
    },
  };
  ObjectDefineProperty(ArrayBufferPrototype, name, {
    __proto__: null,
    value: guarded[name],
    writable: true,
    configurable: true,
  });
}

/** A memory's bytes, as an app was given them. */
export interface View {
  buffer: ArrayBuffer | SharedArrayBuffer;
  length: number;
  shared: boolean;
  /** Whether it shows all of its memory, as far as is known without a look at that. */
  current: boolean;
}

export function detach(view: View): void {
  view.current = false;
  // What threads share stays as long as it was, as in browsers.
  if (!view.shared) op_wasm_detach(view.buffer);
}
