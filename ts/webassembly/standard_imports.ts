// The imports of an instance.

import { FUNC_REF, I64, V128 } from "../codec.ts";
import {
  IMPORT_FUNCTION,
  IMPORT_GLOBAL,
  IMPORT_HOST_FUNCTION,
  IMPORT_MEMORY,
  IMPORT_SUSPENDING_FUNCTION,
  IMPORT_TABLE,
  IMPORT_TAG,
  IMPORT_WASI_FUNCTION,
} from "../constants.ts";
import { TypeError, Uint32Array } from "../core.ts";
import { describe, quote } from "../describe.ts";
import { InstantiateError, WasmError } from "../errors.ts";
import { isWasi } from "../imports.ts";
import { list } from "../list.ts";
import { importName } from "../types.ts";
import type { ImportInfo, WasmFunction } from "../types.ts";
import { standardError } from "./error_classes.ts";
import { GlobalState } from "./globals.ts";
import { importProperty } from "./import_lookup.ts";
import { MemoryState } from "./memories.ts";
import type { ModuleState } from "./module_state.ts";
import type { NamespaceState } from "./namespace_state.ts";
import { stateOf } from "./object_state.ts";
import { calleeOfExport, newStandardStore } from "./standard_store.ts";
import type { StandardStore } from "./standard_store.ts";
import { TableState } from "./tables.ts";
import { suspendingFunction } from "./suspending.ts";
import { TagState } from "./tags.ts";
import { suspendingType, valueType } from "./value_types.ts";
import { coerce } from "./values.ts";
import { isObjectLike } from "./web_idl.ts";

/** Stands for a function of WASI that the app does not provide itself. */
const NAMESPACE_WASI: unique symbol = Symbol("WASI");

/**
 * Looks up the values for the imports of a module, in the order of the module, and checks their kinds. Returns a function
 * or a `Suspending` for each imported function, and the state of an object for each other import.
 */
export function readImports(module: ModuleState, imports: unknown): unknown[] {
  const { namespace } = module;
  const declared = module.details.imports;
  const values = list<unknown>();
  for (let i = 0; i < declared.length; i++) {
    const wanted = declared[i];
    if (module.provides(wanted)) {
      values[i] = provided(module, wanted);
      continue;
    }
    if (imports === undefined && !(namespace.wasi !== undefined && isWasi(wanted.module))) {
      throw new TypeError(`${importName(wanted)} is needed, but there is no object with imports`);
    }
    const container = imports === undefined ? undefined : importProperty(imports as object, wanted.module);
    if (container === undefined && namespace.wasi !== undefined && isWasi(wanted.module)) {
      values[i] = NAMESPACE_WASI;
      continue;
    }
    if (!isObjectLike(container)) {
      throw new TypeError(`the import module ${quote(wanted.module)} is ${describe(container)}`);
    }
    values[i] = checkImport(namespace, wanted, importProperty(container, wanted.name));
  }
  return values;
}

/** The value that a namespace object itself has for an import. */
export function provided(module: ModuleState, wanted: ImportInfo): unknown {
  const { namespace } = module;
  const { name } = wanted;
  if (module.hasBuiltin(wanted.module, name)) return namespace.builtins[name];
  const { value } = wanted as ImportInfo & { kind: "global" };
  return new GlobalState(namespace, valueType(value), false, name);
}

/** Checks that an import has a value of its kind. Returns the state behind the value. */
export function checkImport(namespace: NamespaceState, wanted: ImportInfo, value: unknown): unknown {
  let found;
  switch (wanted.kind) {
    case "function":
      if (typeof value === "function" || suspendingFunction(namespace, value) !== undefined) found = value;
      break;
    case "memory":
      found = stateOf(namespace, MemoryState, value);
      break;
    case "table":
      found = stateOf(namespace, TableState, value);
      break;
    case "tag":
      found = stateOf(namespace, TagState, value);
      break;
    case "global":
      found = stateOf(namespace, GlobalState, value) ?? globalFor(namespace, wanted, value);
      break;
  }
  if (found === undefined) throw linkError(namespace, wanted, `got ${describe(value)}`);
  return found;
}

/** The immutable global that holds a value of the app's; `undefined` if the value is not of its type. */
function globalFor(
  namespace: NamespaceState,
  wanted: ImportInfo & { kind: "global" },
  value: unknown,
): GlobalState | undefined {
  if (wanted.mutable) return undefined;
  const type = valueType(wanted.value);
  if (type.kind === V128) return undefined;
  if (type.kind < V128 && typeof value !== (type.kind === I64 ? "bigint" : "number")) {
    return undefined;
  }
  if (value === null && !type.isNullable) return undefined;
  if (type.kind === FUNC_REF && value !== null && calleeOfExport(value) === undefined) return undefined;
  return new GlobalState(namespace, type, false, coerce(type, value));
}

function linkError(namespace: NamespaceState, wanted: ImportInfo, why: string): unknown {
  const message = `${importName(wanted)} needs a ${wanted.kind}: ${why}`;
  return standardError(namespace.errors, new WasmError(message, InstantiateError));
}

/**
 * The store for an instance with these imports. Memories, tables and mutable globals cannot move to another store, so
 * their store is the store of the instance. Without them it joins the store of a function that it imports, or gets a
 * store of its own.
 *
 * @throws {LinkError} If two imports are in different stores.
 */
export function storeFor(module: ModuleState, values: unknown[]): StandardStore {
  const { namespace, details: { imports } } = module;
  let fixed: StandardStore | undefined;
  let fixedBy;
  let preferred: StandardStore | undefined;
  for (let i = 0; i < values.length; i++) {
    const { kind } = imports[i];
    const value = values[i];
    if (kind === "function") {
      preferred ??= storeOfFunction(namespace, value);
      continue;
    }
    let store: StandardStore | undefined;
    if (kind === "memory") store = (value as MemoryState).store;
    else if (kind === "table") store = (value as TableState).fixedStore;
    else if (kind === "global") store = (value as GlobalState).fixedStore;
    if (store === undefined || store === fixed) continue;
    if (fixed !== undefined) {
      throw linkError(
        namespace,
        imports[i],
        `it is connected with other instances than ${
          importName(fixedBy)
        }, and one instance cannot connect them`,
      );
    }
    fixed = store;
    fixedBy = imports[i];
  }
  if (fixed !== undefined) return fixed;
  if (preferred !== undefined) return preferred;
  return module.passesObjects ? storeForObjects(namespace) : newStandardStore(namespace);
}

/** The most instances that pass objects of guests and share a store. */
const INSTANCES_PER_STORE = 64;

/**
 * The store for an instance that takes or returns structs or arrays. They are of use in their own store only, and
 * JavaScript may pass them between instances that are not connected otherwise.
 */
function storeForObjects(namespace: NamespaceState): StandardStore {
  const objectStore = namespace.objectStore as StandardStore | undefined;
  if (objectStore !== undefined && objectStore.instances < INSTANCES_PER_STORE) return objectStore;
  const store = newStandardStore(namespace);
  namespace.objectStore = store;
  return store;
}

function storeOfFunction(namespace: NamespaceState, value: unknown): StandardStore | undefined {
  const store = calleeOfExport(value)?.store;
  return store?.namespace === namespace ? store : undefined;
}

/**
 * The imports as the op takes them: pairs of a kind and a number. What is in no store is put into this one. Functions of
 * JavaScript's are not added yet: their pairs have the kind `IMPORT_HOST_FUNCTION` or `IMPORT_SUSPENDING_FUNCTION`.
 */
export function placeImports(store: StandardStore, module: ModuleState, values: unknown[]): Uint32Array {
  const declared = module.details.imports;
  const pairs = new Uint32Array(2 * values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    let kind, number;
    switch (declared[i].kind) {
      case "memory":
        kind = IMPORT_MEMORY;
        number = (value as MemoryState).handle;
        break;
      case "table":
        kind = IMPORT_TABLE;
        number = (value as TableState).handleIn(store);
        break;
      case "global":
        kind = IMPORT_GLOBAL;
        number = (value as GlobalState).handleIn(store);
        break;
      case "tag":
        kind = IMPORT_TAG;
        number = (value as TagState).handleIn(store);
        break;
      default:
        number = value === NAMESPACE_WASI ? 0 : store.funcHandle(value);
        kind = value === NAMESPACE_WASI ? IMPORT_WASI_FUNCTION : IMPORT_FUNCTION;
        if (number < 0) kind = typeof value === "function" ? IMPORT_HOST_FUNCTION : IMPORT_SUSPENDING_FUNCTION;
    }
    pairs[2 * i] = kind;
    pairs[2 * i + 1] = number;
  }
  return pairs;
}

/**
 * Adds the functions of JavaScript's among the imports. They come after all that `placeImports` has put into the store,
 * and which stays there: if the instance is not made, they are forgotten.
 */
export function addFunctions(
  store: StandardStore,
  module: ModuleState,
  values: unknown[],
  pairs: Uint32Array,
): void {
  for (let i = 0; i < values.length; i++) {
    const kind = pairs[2 * i];
    if (kind === IMPORT_HOST_FUNCTION) {
      pairs[2 * i + 1] = store.addImport(values[i] as WasmFunction, module.importType(i));
    } else if (kind === IMPORT_SUSPENDING_FUNCTION) {
      const func = suspendingFunction(module.namespace, values[i]);
      pairs[2 * i + 1] = store.addImport(func, suspendingType(module.importType(i)));
    }
  }
}
