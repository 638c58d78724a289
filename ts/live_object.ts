// The live objects of stores: functions, memories, globals, tables and tags.

import { describe, isObject, own } from "./check.ts";
import { internal } from "./construct.ts";
import { SafeWeakMap } from "./core.ts";
import { InstantiateError, WasmError } from "./errors.ts";
import { WasmGlobal } from "./global.ts";
import { WasmMemory } from "./memory.ts";
import { storeStateOf } from "./store.ts";
import type { StoreState } from "./store_state.ts";
import { WasmTable } from "./table.ts";
import { WasmTag } from "./tag.ts";
import type { ExportKind, ImportValue } from "./types.ts";

/** Which thing of which store a live object is. */
export interface Place {
  store: StoreState;
  kind: ExportKind;
  handle: number;
}

export const places: WeakMap<object, Place> = new SafeWeakMap();

export function placeOf(value: unknown): Place | undefined {
  return isObject(value) || typeof value === "function" ? places.get(value) : undefined;
}

/**
 * Places a live object: one that `make` makes in the store that the app gave first, or, where the
 * arguments are internal, one that exists already.
 */
export function place(
  object: object & ImportValue,
  kind: Exclude<ExportKind, "function">,
  args: unknown[],
  make: (store: StoreState) => number,
): { store: StoreState; handle: number } {
  let store, handle;
  const first = own(args, 0);
  if (first === internal) {
    store = args[1];
    handle = args[2];
  } else {
    store = storeStateOf(first);
    if (store === undefined) {
      throw new WasmError(
        `a ${kind} needs a WasmStore, got ${describe(first)}`,
        InstantiateError,
      );
    }
    handle = make(store);
    store.adopt(kind, handle, object);
  }
  places.set(object, { store, kind, handle });
  return { store, handle };
}

type LiveClass = typeof WasmMemory | typeof WasmGlobal | typeof WasmTable | typeof WasmTag;

/** The class of the live objects of a kind. */
export function liveClass(kind: Exclude<ExportKind, "function">): LiveClass {
  switch (kind) {
    case "memory":
      return WasmMemory;
    case "global":
      return WasmGlobal;
    case "table":
      return WasmTable;
    case "tag":
      return WasmTag;
  }
}
