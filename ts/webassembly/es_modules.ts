// WebAssembly modules as ES modules. The JavaScript that stands for a module calls these functions: `es_module_text.rs`
// makes it, for the module loader of the host.

import { ObjectHasOwn, ReferenceError } from "../core.ts";
import { InstantiateError, WasmError } from "../errors.ts";
import { append, list } from "../list.ts";
import { op_wasm_claim_module } from "../ops.ts";
import { importName } from "../types.ts";
import type { ImportInfo } from "../types.ts";
import { newModule } from "./compilation.ts";
import { standardError } from "./error_classes.ts";
import { esInstances } from "./es_namespaces.ts";
import { GlobalState } from "./globals.ts";
import { hostNamespace } from "./host_namespace.ts";
import { instanceObject, instantiateModule } from "./instances.ts";
import type { ModuleState, StandardCompileOptions } from "./module_state.ts";
import { moduleObject } from "./modules.ts";
import type { NamespaceState } from "./namespace_state.ts";
import { stateOf } from "./object_state.ts";
import { checkImport, provided } from "./standard_imports.ts";
import { makeOrCollect } from "./store_pressure.ts";
import { hasNoValues } from "./value_types.ts";

/** The builtins of ES modules, which no module can replace. */
const OPTIONS: StandardCompileOptions = { hasJsString: true, constants: "wasm:js/string-constants" };

/** Takes the module that the loader has compiled under this number. */
function claimModule(namespace: NamespaceState, number: number): ModuleState {
  const info = makeOrCollect(namespace.errors, () => op_wasm_claim_module(number));
  return newModule(namespace, info, OPTIONS);
}

function esLinkError(namespace: NamespaceState, message: string): Error {
  return standardError(namespace.errors, new WasmError(message, InstantiateError));
}

/**
 * Takes the module of an ES module that cannot be linked.
 *
 * @throws {LinkError}
 * @internal
 */
export function refuseEsModule(number: number, message: string): never {
  const { state: namespace } = hostNamespace();
  claimModule(namespace, number);
  throw esLinkError(namespace, message);
}

/**
 * The `Module` of an ES module.
 *
 * @internal
 */
export function esModuleSource(number: number): object {
  return moduleObject(claimModule(hostNamespace().state, number));
}

/**
 * Instantiates the module of an ES module, and returns the values of its exports.
 *
 * @param own The namespace of the ES module.
 * @param imports Functions that read the bindings that the ES module imports, in the order of its imports.
 * @param namespaces For an imported global, the namespace that it comes from.
 * @param set Sets the binding of an exported mutable global.
 * @internal
 */
export function linkEsModule(
  number: number,
  own: object | undefined,
  imports: (() => unknown)[],
  namespaces: (object | undefined)[] | undefined,
  set: ((index: number, value: unknown) => void) | undefined,
): unknown[] {
  const { state: namespace } = hostNamespace();
  const module = claimModule(namespace, number);
  const values = readBindings(module, imports, namespaces);
  const exports = instantiateModule(module, values, set !== undefined);
  if (own !== undefined) {
    esInstances.set(own, { namespace, object: instanceObject(namespace, exports), exports });
  }
  return bindingsOf(module, exports, set);
}

/** The values for the imports of a module: see `readImports`. */
function readBindings(
  module: ModuleState,
  imports: (() => unknown)[],
  namespaces: (object | undefined)[] | undefined,
): unknown[] {
  const { namespace, details } = module;
  const values = list<unknown>();
  for (let i = 0; i < details.imports.length; i++) {
    const wanted = details.imports[i];
    if (module.provides(wanted)) {
      values[i] = provided(module, wanted);
      continue;
    }
    const exports = namespaces === undefined ? undefined : esInstances.get(namespaces[i])?.exports;
    const value = exports !== undefined && ObjectHasOwn(exports, wanted.name)
      ? exports[wanted.name]
      : readBinding(namespace, wanted, imports[i]);
    values[i] = checkImport(namespace, wanted, value);
  }
  return values;
}

/** The value of an imported binding. */
function readBinding(
  namespace: NamespaceState,
  wanted: ImportInfo,
  read: (() => unknown) | undefined,
): unknown {
  if (read === undefined) {
    throw esLinkError(namespace, `${importName(wanted)} is no builtin function`);
  }
  try {
    return read();
  } catch {
    // Modules that import each other: this one is evaluated first.
    throw new ReferenceError(`${importName(wanted)} is not initialized yet`);
  }
}

/** The values of the exports of an instance: of a global, its value if JavaScript has one. */
function bindingsOf(
  module: ModuleState,
  exports: object,
  set: ((index: number, value: unknown) => void) | undefined,
): unknown[] {
  const described = module.details.exports;
  const bindings = list<unknown>();
  for (let i = 0; i < described.length; i++) {
    const object = exports[described[i].name];
    const global = stateOf(module.namespace, GlobalState, object);
    if (global === undefined || hasNoValues(global.type)) {
      append(bindings, object);
      continue;
    }
    const value = global.get();
    append(bindings, value);
    if (global.isMutable) global.follow(value, (changed) => set(i, changed));
  }
  return bindings;
}
