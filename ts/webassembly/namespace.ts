// `createWebAssembly`: the standard namespace object.

import { own } from "../check.ts";
import { ObjectDefineProperty } from "../core.ts";
import { op_wasm_yield_now } from "../ops.ts";
import type { StoreOptions } from "../options.ts";
import { bytesOf, compileLater, isValid, readCompileOptions } from "./compilation.ts";
import { dispatchStandard } from "./dispatch_standard.ts";
import { defineHidden } from "./properties.ts";
import { namespaceInstance } from "./es_namespaces.ts";
import { makeException, makeExceptionClass, thrownBy } from "./exceptions.ts";
import { makeExportedFunction } from "./exported_functions.ts";
import { makeGlobalClass } from "./globals.ts";
import { checkImportObject, instanceObject, instantiateModule, makeInstanceClass } from "./instances.ts";
import { makeMemoryClass } from "./memories.ts";
import { moduleOf } from "./module_state.ts";
import { makeModuleClass, moduleObject } from "./modules.ts";
import { NamespaceState } from "./namespace_state.ts";
import { promisingFunction } from "./promising.ts";
import { readImports } from "./standard_imports.ts";
import { setStoreParts } from "./standard_store.ts";
import { bytesOfStream } from "./streaming.ts";
import { makeSuspendingClass } from "./suspending.ts";
import { makeTableClass } from "./tables.ts";
import { makeTagClass, TagState } from "./tags.ts";
import type { WasmFunction } from "../types.ts";
import { valueType } from "./value_types.ts";
import { defineTag, exposeMembers } from "./web_idl.ts";

setStoreParts({ dispatch: dispatchStandard, makeFunction: makeExportedFunction, makeException, thrownBy });

/**
 * Makes a namespace object like the standard `WebAssembly`, for code that knows nothing of `host:wasm`. The limits hold
 * for everything that is made through it, together.
 *
 * The errors are those of the standard. An error of `host:wasm` behind one is seen by its property `code`.
 *
 * @throws {WasmError} `InstantiateError` if an option is unusable.
 */
export function createWebAssembly(options?: StoreOptions): object {
  return makeNamespace(options).object;
}

/** A namespace object, and its state. */
export interface Namespace {
  readonly state: NamespaceState;
  readonly object: object;
}

/** Makes a namespace object. */
export function makeNamespace(options?: StoreOptions): Namespace {
  const namespace = new NamespaceState(options);
  const classes = {
    Module: makeModuleClass(namespace),
    Instance: makeInstanceClass(namespace),
    Memory: makeMemoryClass(namespace),
    Table: makeTableClass(namespace),
    Global: makeGlobalClass(namespace),
    Tag: makeTagClass(namespace),
    Exception: makeExceptionClass(namespace),
  };
  namespace.classes = classes;
  const object = functionsOf(namespace);
  exposeMembers(object);
  const Suspending = makeSuspendingClass(namespace);
  const all = { __proto__: null, ...classes, Suspending, ...namespace.errors };
  for (const name in all) defineHidden(object, name, all[name]);
  const jsTag = new TagState(namespace, [valueType("externref")], true);
  ObjectDefineProperty(object, "JSTag", { __proto__: null, value: jsTag.object, enumerable: true });
  defineTag(object, "WebAssembly");
  return { state: namespace, object };
}

/** The object with the functions of a namespace. */
function functionsOf(namespace: NamespaceState): object {
  return {
    namespaceInstance(value: unknown): object {
      return namespaceInstance(namespace, value);
    },
    validate(bytes: unknown, ...options: unknown[]): boolean {
      return isValid(namespace, bytesOf(bytes), readCompileOptions(own(options, 0)));
    },
    compile(bytes: unknown, ...options: unknown[]): Promise<object> {
      return compileObject(namespace, bytes, own(options, 0));
    },
    instantiate(source: unknown, ...rest: unknown[]): Promise<object> {
      return instantiateSource(namespace, source, own(rest, 0), own(rest, 1));
    },
    promising(func: unknown): WasmFunction {
      return promisingFunction(namespace, func);
    },
    compileStreaming(source: unknown, ...options: unknown[]): Promise<object> {
      return compileStream(namespace, source, own(options, 0));
    },
    instantiateStreaming(source: unknown, ...rest: unknown[]): Promise<object> {
      return instantiateStream(namespace, source, own(rest, 0), own(rest, 1));
    },
  };
}

async function compileObject(namespace: NamespaceState, bytes: unknown, options: unknown): Promise<object> {
  const copy = bytesOf(bytes);
  return moduleObject(await compileLater(namespace, copy, readCompileOptions(options)));
}

async function instantiateSource(
  namespace: NamespaceState,
  source: unknown,
  imports: unknown,
  options: unknown,
): Promise<object> {
  const given = moduleOf(namespace, source);
  if (given !== undefined) {
    checkImportObject(imports);
    const values = readImports(given, imports);
    // The standard queues a task: a loop of instantiations must not keep the event loop from its other work.
    await op_wasm_yield_now();
    return instanceObject(namespace, instantiateModule(given, values));
  }
  return await instantiateBytes(namespace, bytesOf(source), imports, options);
}

async function instantiateBytes(
  namespace: NamespaceState,
  bytes: Uint8Array,
  imports: unknown,
  options: unknown,
): Promise<object> {
  checkImportObject(imports);
  const module = await compileLater(namespace, bytes, readCompileOptions(options));
  const values = readImports(module, imports);
  const exports = instantiateModule(module, values);
  return { module: moduleObject(module), instance: instanceObject(namespace, exports) };
}

async function compileStream(namespace: NamespaceState, source: unknown, options: unknown): Promise<object> {
  const read = readCompileOptions(options);
  return moduleObject(await compileLater(namespace, await bytesOfStream(namespace, source), read));
}

async function instantiateStream(
  namespace: NamespaceState,
  source: unknown,
  imports: unknown,
  options: unknown,
): Promise<object> {
  checkImportObject(imports);
  return await instantiateBytes(namespace, await bytesOfStream(namespace, source), imports, options);
}
