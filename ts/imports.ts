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
const GLOBAL = 2;
const HOST_FUNCTION = 5;
const WASI_FUNCTION = 6;
const KINDS: Record<ExportKind, number> = {
  __proto__: null,
  function: 0,
  memory: 1,
  global: GLOBAL,
  table: 3,
  tag: 4,
};

/** The imports that were found for a module, as the op takes them: pairs of a kind and a number. */
export function toImports(store: StoreState, module: ModuleDetails, found: unknown[]): Uint32Array {
  const externs = new Uint32Array(2 * found.length);
  for (let i = 0; i < found.length; i++) {
    const wanted = module.imports[i];
    const value = found[i];
    const place = placeOf(value);
    if (place !== undefined) {
      if (place.kind !== wanted.kind) throw missing(wanted, `got a ${place.kind}`);
      put(externs, i, KINDS[place.kind], place.handle);
    } else if (value === WASI) {
      if (!store.hasWasi) {
        throw missing(wanted, "the store has no WASI, for which there is the option wasi");
      }
      put(externs, i, WASI_FUNCTION, 0);
    } else if (wanted.kind === "function" && typeof value === "function") {
      ArrayPrototypePush(store.imports, value);
      ArrayPrototypePush(store.hostImports, module.hostImport(i));
      put(externs, i, HOST_FUNCTION, store.imports.length - 1);
    } else if (wanted.kind === "global") {
      put(externs, i, GLOBAL, toGlobal(store, wanted, value));
    } else {
      throw missing(wanted, `got ${describe(value)}`);
    }
  }
  return externs;
}

function put(externs: Uint32Array, index: number, kind: number, number: number): void {
  externs[2 * index] = kind;
  externs[2 * index + 1] = number;
}

/** The number of a global that holds a value. */
function toGlobal(
  store: StoreState,
  wanted: ImportInfo & { kind: "global" },
  value: unknown,
): number {
  if (wanted.mutable) {
    throw missing(wanted, `a mutable one is a WasmGlobal, got ${describe(value)}`);
  }
  try {
    return newGlobal(store, wanted.value, false, value);
  } catch (error) {
    throw missing(wanted, error.message);
  }
}
