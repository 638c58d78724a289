// What instantiate makes of the imports that it is given.

import { describe, isObject, own, quote } from "./check.ts";
import { Uint32Array } from "./core.ts";
import { InstantiateError, WasmError } from "./errors.ts";
import { newGlobal } from "./global.ts";
import { append, list } from "./list.ts";
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

/**
 * Looks the imports of a module up: at both levels what the app put there itself. A module could otherwise
 * import `constructor`, say, which is a way to run JavaScript of its own.
 */
export function lookUp(module: ModuleDetails, imports: Imports | undefined): Found {
  if (imports !== undefined && !isObject(imports) && typeof imports !== "function") {
    throw new WasmError(`imports must be an object, got ${describe(imports)}`, InstantiateError);
  }
  const values = list<unknown>();
  const places = list<Place | undefined>();
  for (let i = 0; i < module.imports.length; i++) {
    const wanted = module.imports[i];
    const namespace = imports === undefined ? undefined : own(imports, wanted.module);
    if (namespace === undefined && isWasi(wanted.module)) {
      append(values, WASI);
      append(places, undefined);
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
    append(values, value);
    append(places, placeOf(value));
  }
  return { values, places };
}

const inherited = "inherited; imports must be own properties";

/** Whether an object that has no such property inherits one. For messages. */
function inherits(object: object | undefined, name: string): boolean {
  return object !== undefined && name in object;
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

/**
 * The imports that were found for a module, as the op takes them: pairs of a kind and a number. What has to
 * be made for them is made when all are known to be of the right kind.
 */
export function toImports(store: StoreState, module: ModuleDetails, found: Found): Uint32Array {
  const { values, places } = found;
  const externs = new Uint32Array(2 * values.length);
  for (let i = 0; i < values.length; i++) {
    const place = places[i];
    externs[2 * i] = importKind(store, module.imports[i], values[i], place);
    if (place !== undefined) externs[2 * i + 1] = place.handle;
  }
  for (let i = 0; i < values.length; i++) {
    const kind = externs[2 * i];
    if (kind === HOST_FUNCTION) {
      externs[2 * i + 1] = store.imports.length;
      append(store.imports, values[i]);
      append(store.hostImports, module.hostImport(i));
    } else if (kind === GLOBAL && places[i] === undefined) {
      const wanted = module.imports[i] as ImportInfo & { kind: "global" };
      externs[2 * i + 1] = toGlobal(store, wanted, values[i]);
    }
  }
  return externs;
}

/** The kind of an import, as the op takes it. */
function importKind(
  store: StoreState,
  wanted: ImportInfo,
  value: unknown,
  place: Place | undefined,
): number {
  if (place !== undefined) {
    if (place.kind !== wanted.kind) throw missing(wanted, `got a ${place.kind}`);
    return KINDS[place.kind];
  }
  if (wanted.kind === "function" && typeof value === "function") return HOST_FUNCTION;
  if (value === WASI) {
    if (!store.hasWasi) {
      throw missing(wanted, "the store has no WASI, for which there is the option wasi");
    }
    return WASI_FUNCTION;
  }
  if (wanted.kind === "global") {
    if (wanted.mutable) {
      throw missing(wanted, `a mutable one is a WasmGlobal, got ${describe(value)}`);
    }
    return GLOBAL;
  }
  throw missing(wanted, `got ${describe(value)}`);
}

/** The number of a global that holds a value. */
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
