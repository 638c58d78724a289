// The live objects that JavaScript has for the functions, memories, globals, tables and tags of guests.

import { construct, internal } from "./construct.ts";
import { WasmGlobal } from "./global.ts";
import { WasmMemory } from "./memory.ts";
import type { StoreState } from "./store_state.ts";
import { WasmTable } from "./table.ts";
import { WasmTag } from "./tag.ts";
import type { ExportKind, WasmFunction } from "./types.ts";

/** The values for a module's imports: by module name, then by name. */
export type Imports = Record<string, Record<string, ImportValue>>;

/**
 * The value for one import: a function, the number or bigint that an immutable global holds, or a live object that an
 * instance exports or the app has made.
 */
export type ImportValue =
  | WasmFunction
  | WasmMemory
  | WasmGlobal
  | WasmTable
  | WasmTag
  | number
  | bigint;

/** The live object of this kind and handle: the same one each time. */
export function liveObject(
  store: StoreState,
  kind: ExportKind,
  handle: number,
  name: string,
): ImportValue {
  if (kind === "function") return store.func(handle, name);
  const objects = store.objects(kind);
  return (objects[handle] ??= construct(classOf(kind), internal, store, handle)) as ImportValue;
}

type LiveClass = typeof WasmMemory | typeof WasmGlobal | typeof WasmTable | typeof WasmTag;

/** The class of the live objects of a kind. */
function classOf(kind: Exclude<ExportKind, "function">): LiveClass {
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
