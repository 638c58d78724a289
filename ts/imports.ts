// What instantiate makes of the imports that it is given.

import { describe, isObject, quote } from "./check.ts";
import { signatureOf } from "./codec.ts";
import { ArrayPrototypePush } from "./core.ts";
import { InstantiateError, WasmError } from "./errors.ts";
import { newGlobal } from "./global.ts";
import { placeOf } from "./live.ts";
import type { WasmModule } from "./module.ts";
import type { StoreState } from "./store_state.ts";
import type { ExportKind, ImportInfo, Imports } from "./types.ts";

/** Stands for a function of WASI that the app does not provide itself. */
const WASI: unique symbol = Symbol("WASI");

/** The values of a module's imports, in its order. */
export function lookUp(module: WasmModule, imports: Imports | undefined): unknown[] {
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

export function importName({ module, name }: ImportInfo): string {
  return `import ${quote(module)}.${quote(name)}`;
}

export function missing(wanted: ImportInfo, why: string): WasmError {
  return new WasmError(`${importName(wanted)} needs a ${wanted.kind}: ${why}`, InstantiateError);
}

/** An import in the form that the op takes. */
export function toImport(
  store: StoreState,
  wanted: ImportInfo,
  value: unknown,
): { kind: ExportKind | "host" | "wasi"; handle: number } {
  if (value === WASI) {
    if (store.hasWasi) return { kind: "wasi", handle: 0 };
    throw missing(wanted, "the store has no WASI, for which there is the option wasi");
  }
  const place = placeOf(value);
  if (place !== undefined) {
    if (place.kind !== wanted.kind) throw missing(wanted, `got a ${place.kind}`);
    return { kind: place.kind, handle: place.handle };
  }
  if (wanted.kind === "function" && typeof value === "function") {
    const signature = signatureOf(wanted);
    ArrayPrototypePush(store.imports, value);
    ArrayPrototypePush(store.hostImports, { signature, name: importName(wanted) });
    return { kind: "host", handle: store.imports.length - 1 };
  }
  if (wanted.kind === "global" && wanted.mutable) {
    throw missing(wanted, `a mutable one is a WasmGlobal, got ${describe(value)}`);
  }
  if (wanted.kind === "global") {
    try {
      return { kind: "global", handle: newGlobal(store, wanted.value, false, value) };
    } catch (error) {
      throw missing(wanted, error.message);
    }
  }
  throw missing(wanted, `got ${describe(value)}`);
}
