// What instantiate makes of the imports that it is given.

import { describe, isObject, quote } from "./check.ts";
import { ArrayPrototypePush, Uint32Array } from "./core.ts";
import { InstantiateError, WasmError } from "./errors.ts";
import { newGlobal } from "./global.ts";
import { placeOf } from "./live.ts";
import type { Place } from "./live.ts";
import type { ModuleDetails } from "./module.ts";
import type { StoreState } from "./store_state.ts";
import { importName } from "./types.ts";
import type { ExportKind, ImportInfo, Imports } from "./types.ts";

/** Stands for a function of WASI that the app does not provide itself. */
const WASI: unique symbol = Symbol("WASI");

/** What was found for a module's imports, in its order. */
export interface Found {
  values: unknown[];
  /** The places of those that are live objects. */
  places: (Place | undefined)[];
}

/** Looks the imports of a module up. */
export function lookUp(module: ModuleDetails, imports: Imports | undefined): Found {
  if (imports !== undefined && !isObject(imports) && typeof imports !== "function") {
    throw new WasmError(`imports must be an object, got ${describe(imports)}`, InstantiateError);
  }
  const values = [];
  const places = [];
  for (let i = 0; i < module.imports.length; i++) {
    const wanted = module.imports[i];
    const namespace = imports?.[wanted.module];
    if (namespace === undefined && isWasi(wanted.module)) {
      values[i] = WASI;
      places[i] = undefined;
      continue;
    }
    if (!isObject(namespace) && typeof namespace !== "function") {
      throw missing(wanted, `the import module ${quote(wanted.module)} is ${describe(namespace)}`);
    }
    const value = namespace[wanted.name];
    if (value === undefined) throw missing(wanted, "there is none");
    values[i] = value;
    places[i] = placeOf(value);
  }
  return { values, places };
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
export function toImports(store: StoreState, module: ModuleDetails, found: Found): Uint32Array {
  const { values, places } = found;
  const externs = new Uint32Array(2 * values.length);
  for (let i = 0; i < values.length; i++) {
    const wanted = module.imports[i];
    const value = values[i];
    const place = places[i];
    let kind, number;
    if (place !== undefined) {
      if (place.kind !== wanted.kind) throw missing(wanted, `got a ${place.kind}`);
      kind = KINDS[place.kind];
      number = place.handle;
    } else if (wanted.kind === "function" && typeof value === "function") {
      kind = HOST_FUNCTION;
      number = store.imports.length;
      ArrayPrototypePush(store.imports, value);
      ArrayPrototypePush(store.hostImports, module.hostImport(i));
    } else if (value === WASI) {
      if (!store.hasWasi) {
        throw missing(wanted, "the store has no WASI, for which there is the option wasi");
      }
      kind = WASI_FUNCTION;
      number = 0;
    } else if (wanted.kind === "global") {
      kind = GLOBAL;
      number = toGlobal(store, wanted, value);
    } else {
      throw missing(wanted, `got ${describe(value)}`);
    }
    externs[2 * i] = kind;
    externs[2 * i + 1] = number;
  }
  return externs;
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
