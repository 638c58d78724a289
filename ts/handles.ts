// The handles behind live objects.

import { SafeWeakMap } from "./core.ts";
import type { ExportKind } from "./types.ts";

/** A store, for files below the one that knows what a store is. */
export interface StoreIdentity {
  /** Its number, unique in this runtime. */
  readonly id: number;
}

/** The function, memory, global, table or tag that a live object stands for. */
export interface ExternHandle {
  store: StoreIdentity;
  kind: ExportKind;
  /** Its number among those of its kind in the store. */
  handle: number;
}

/** The handles of all live objects. */
export const externHandles: WeakMap<object, ExternHandle> = new SafeWeakMap();

/** The handle of a live object; `undefined` for any other value. */
export function externHandleOf(value: unknown): ExternHandle | undefined {
  // A WeakMap has no other values as keys, and returns `undefined` for them.
  return externHandles.get(value as object);
}
