// The imports of an instance.

import { isObject, own } from "./check.ts";
import {
  IMPORT_FUNCTION,
  IMPORT_GLOBAL,
  IMPORT_HOST_FUNCTION,
  IMPORT_MEMORY,
  IMPORT_TABLE,
  IMPORT_TAG,
  IMPORT_WASI_FUNCTION,
} from "./constants.ts";
import { Uint32Array } from "./core.ts";
import { describe, quote } from "./describe.ts";
import { InstantiateError, WasmError } from "./errors.ts";
import type { Imports } from "./extern_objects.ts";
import { newGlobal } from "./global.ts";
import { externHandleOf } from "./handles.ts";
import type { ExternHandle } from "./handles.ts";
import { list } from "./list.ts";
import type { ModuleDetails } from "./module.ts";
import type { StoreState } from "./store_state.ts";
import { importName } from "./types.ts";
import type { ExportKind, ImportInfo, WasmFunction } from "./types.ts";

/** Stands for a function of WASI that the app does not provide itself. */
const WASI: unique symbol = Symbol("WASI");

/** The values for the imports of a module, in the order of the module. */
export interface ImportValues {
  values: unknown[];
  /** The handles of the values that are live objects. */
  handles: (ExternHandle | undefined)[];
}

/**
 * Looks up the values for the imports of a module. At both levels only own properties count. A module could otherwise
 * import `constructor`, for example, and run JavaScript of its own.
 */
export function lookUp(module: ModuleDetails, imports: Imports | undefined): ImportValues {
  if (imports !== undefined && !isObject(imports) && typeof imports !== "function") {
    throw new WasmError(`imports must be an object, got ${describe(imports)}`, InstantiateError);
  }
  const declared = module.imports;
  const values = list<unknown>();
  const handles = list<ExternHandle | undefined>();
  let namespace: unknown;
  let last: string | undefined;
  for (let i = 0; i < declared.length; i++) {
    const wanted = declared[i];
    // Modules mostly list the imports from one module in turn.
    if (wanted.module !== last) {
      last = wanted.module;
      namespace = imports === undefined || isPrototype(imports, last) ? undefined : own(imports, last);
    }
    if (namespace === undefined && isWasi(wanted.module)) {
      values[i] = WASI;
      handles[i] = undefined;
      continue;
    }
    if (!isObject(namespace) && typeof namespace !== "function") {
      const what = inherits(imports, wanted.module) ? inherited : describe(namespace);
      throw missing(wanted, `the import module ${quote(wanted.module)} is ${what}`);
    }
    const value = own(namespace, wanted.name);
    if (value === undefined) {
      throw missing(wanted, inherits(namespace, wanted.name) ? `it is ${inherited}` : "there is none");
    }
    values[i] = value;
    handles[i] = externHandleOf(value);
  }
  return { values, handles };
}

const inherited = "inherited; imports must be own properties";

/** Whether a name is that of a function's prototype, which the function has without the app. */
function isPrototype(object: object, name: string): boolean {
  return name === "prototype" && typeof object === "function";
}

/** Whether an object inherits a property that it does not have itself. For messages. */
function inherits(object: object | undefined, name: string): boolean {
  return object !== undefined && name in object;
}

/** Whether an import module is WASI preview 1. */
export function isWasi(module: string): boolean {
  return module === "wasi_snapshot_preview1" || module === "wasi_unstable";
}

/** The error for an import without a value of its kind. */
function missing(wanted: ImportInfo, why: string): WasmError {
  return new WasmError(`${importName(wanted)} needs a ${wanted.kind}: ${why}`, InstantiateError);
}

const KINDS: Record<ExportKind, number> = {
  __proto__: null,
  function: IMPORT_FUNCTION,
  memory: IMPORT_MEMORY,
  global: IMPORT_GLOBAL,
  table: IMPORT_TABLE,
  tag: IMPORT_TAG,
};

/**
 * The imports of an instance, as the op takes them: pairs of a kind and a number. Adds functions and makes globals for
 * them, but only after the kinds of all values were checked.
 */
export function resolve(
  store: StoreState,
  module: ModuleDetails,
  { values, handles }: ImportValues,
): Uint32Array {
  const declared = module.imports;
  const count = declared.length;
  const pairs = new Uint32Array(2 * count);
  for (let i = 0; i < count; i++) {
    const handle = handles[i];
    pairs[2 * i] = importKind(store, declared[i], values[i], handle);
    if (handle !== undefined) pairs[2 * i + 1] = handle.handle;
  }
  const { imports: functions, hostImports } = store;
  for (let i = 0; i < count; i++) {
    const kind = pairs[2 * i];
    if (kind === IMPORT_HOST_FUNCTION) {
      const index = functions.length;
      pairs[2 * i + 1] = index;
      functions[index] = values[i] as WasmFunction;
      hostImports[index] = module.hostImport(i);
    } else if (kind === IMPORT_GLOBAL && handles[i] === undefined) {
      const wanted = declared[i] as ImportInfo & { kind: "global" };
      pairs[2 * i + 1] = toGlobal(store, wanted, values[i]);
    }
  }
  return pairs;
}

/** The kind of an import, as the op takes it. */
function importKind(
  store: StoreState,
  wanted: ImportInfo,
  value: unknown,
  handle: ExternHandle | undefined,
): number {
  const wantedKind = wanted.kind;
  if (handle !== undefined) {
    if (handle.kind !== wantedKind) throw missing(wanted, `got a ${handle.kind}`);
    return KINDS[wantedKind];
  }
  if (wantedKind === "function" && typeof value === "function") return IMPORT_HOST_FUNCTION;
  if (value === WASI) {
    if (!store.hasWasi) {
      throw missing(wanted, "the store has no WASI, for which there is the option wasi");
    }
    return IMPORT_WASI_FUNCTION;
  }
  if (wanted.kind === "global") {
    if (wanted.mutable) {
      throw missing(wanted, `a mutable one is a WasmGlobal, got ${describe(value)}`);
    }
    return IMPORT_GLOBAL;
  }
  throw missing(wanted, `got ${describe(value)}`);
}

/** The handle of a new global that holds a value. */
function toGlobal(
  store: StoreState,
  wanted: ImportInfo & { kind: "global" },
  value: unknown,
): number {
  try {
    return newGlobal(store, wanted.value, false, value);
  } catch (error) {
    throw missing(wanted, error.message);
  }
}
