// Construction of the live objects of stores: memories, globals, tables and tags.

import { own } from "./check.ts";
import { internal } from "./construct.ts";
import { describe } from "./describe.ts";
import { InstantiateError, WasmError } from "./errors.ts";
import { externHandles } from "./handles.ts";
import { storeStateOf } from "./store.ts";
import type { StoreState } from "./store_state.ts";
import type { ExportKind } from "./types.ts";

/**
 * Gives a new live object its store and its handle. Where an app constructs the object, the first argument is a
 * `WasmStore`, and `make` makes what the object stands for. Otherwise the arguments are `internal`, a state and a
 * handle.
 */
export function attach(
  object: object,
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
    store.objects(kind)[handle] = object;
  }
  externHandles.set(object, { store, kind, handle });
  return { store, handle };
}
