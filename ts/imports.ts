// What instantiate makes of the imports that it is given.

import { describe, isObject, quote } from "./check.ts";
import { ArrayPrototypePush, Uint32Array } from "./core.ts";
import { InstantiateError, WasmError } from "./errors.ts";
import { newGlobal } from "./global.ts";
import { placeOf } from "./live.ts";
import type { ModuleDetails } from "./module.ts";
import type { StoreState } from "./store_state.ts";
import { importName } from "./types.ts";
import type { ExportKind, ImportInfo, Imports } from "./types.ts";

/** Stands for a function of WASI that the app does not provide itself. */
const WASI: unique symbol = Symbol("WASI");

/** The values of a module's imports, in its order. */
export function lookUp(module: ModuleDetails, imports: Imports | undefined): unknown[] {
  if (imports !== undefined && !isObject(imports) && typeof imports !== "function") {
    throw new WasmError(`imports must be an object, got ${describe(imports)}`, InstantiateError);
  }
  const found = [];
  for (let i = 0; i < module.imports.length; i++) {
    const wanted = module.imports[i];
    const namespace = imports?.[wanted.module];
    if (namespace === undefined && isWasi(wanted.module)) {
      found[i] = WASI;
      continue;
    }
    if (!isObject(namespace) && typeof namespace !== "function") {
      throw missing(wanted, `the import module ${quote(wanted.module)} is ${describe(namespace)}`);
    }
    found[i] = namespace[wanted.name];
    if (found[i] === undefined) throw missing(wanted, "there is none");
  }
  return found;
}

function isWasi(module: string): boolean {
  return module === "wasi_snapshot_preview1" || module === "wasi_unstable";
}

export function missing(wanted: ImportInfo, why: string): WasmError {
  return new WasmError(`${importName(wanted)} needs a ${wanted.kind}: ${why}`, InstantiateError);
}

// The kinds of imports, as the op takes them.
const FUNCTION = 0;
const GLOBAL = 2;
const HOST_FUNCTION = 5;
const WASI_FUNCTION = 6;
const KINDS: Record<ExportKind, number> = {
  __proto__: null,
  function: FUNCTION,
  memory: 1,
  global: GLOBAL,
  table: 3,
  tag: 4,
};

/** The imports that were found for a module, in the form that the op takes. */
export function toImports(store: StoreState, details: ModuleDetails, found: unknown[]): Uint32Array {
  const externs = new Uint32Array(2 * found.length);
  for (let i = 0; i < found.length; i++) {
    const place = placeOf(found[i]);
    externs[2 * i] = place === undefined ? HOST_FUNCTION : KINDS[place.kind];
    externs[2 * i + 1] = place === undefined
      ? toImport(store, details, i, found[i], externs)
      : placed(details.imports[i], place);
  }
  return externs;
}

function placed(wanted: ImportInfo, { kind, handle }: { kind: ExportKind; handle: number }): number {
  if (kind !== wanted.kind) throw missing(wanted, `got a ${kind}`);
  return handle;
}

/** The number of an import that is no live object. Says of what kind it is, if not a function. */
function toImport(
  store: StoreState,
  details: ModuleDetails,
  index: number,
  value: unknown,
  externs: Uint32Array,
): number {
  const wanted = details.imports[index];
  if (value === WASI) {
    if (!store.hasWasi) {
      throw missing(wanted, "the store has no WASI, for which there is the option wasi");
    }
    externs[2 * index] = WASI_FUNCTION;
    return 0;
  }
  if (wanted.kind === "function" && typeof value === "function") {
    ArrayPrototypePush(store.imports, value);
    ArrayPrototypePush(store.hostImports, details.hostImport(index));
    return store.imports.length - 1;
  }
  if (wanted.kind === "global" && wanted.mutable) {
    throw missing(wanted, `a mutable one is a WasmGlobal, got ${describe(value)}`);
  }
  if (wanted.kind === "global") {
    externs[2 * index] = GLOBAL;
    try {
      return newGlobal(store, wanted.value, false, value);
    } catch (error) {
      throw missing(wanted, error.message);
    }
  }
  throw missing(wanted, `got ${describe(value)}`);
}
