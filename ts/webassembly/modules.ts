// `Module`, and compilation.

import { toBytes } from "../bytes.ts";
import { construct, internal } from "../construct.ts";
import {
  JSONParse,
  SafeWeakMap,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeSet,
  TypeError,
  Uint32Array,
  Uint8Array,
} from "../core.ts";
import { CompileError, TypeMismatch, WasmError } from "../errors.ts";
import { append, list, toArray } from "../list.ts";
import { customSectionsOf, ModuleDetails, releaseWithModule } from "../module.ts";
import {
  op_wasm_compile_for,
  op_wasm_compile_now,
  op_wasm_export_indices,
  op_wasm_has_plain_type,
  op_wasm_validate,
} from "../ops.ts";
import type { ExportKind, ExternType, ImportInfo } from "../types.ts";
import { isBuiltin, JS_STRING, wrongBuiltin, wrongConstant } from "./js_string.ts";
import { convertError, standardError } from "./error_classes.ts";
import { listOf } from "./iterables.ts";
import type { NamespaceState, ObjectClass } from "./namespace_state.ts";
import { makeOrCollect, watchModule } from "./store_pressure.ts";
import { ANY_REF, valueType } from "./value_types.ts";
import { checkDictionary, exposeInterface, member, requireArguments, toDomString } from "./web_idl.ts";

/** The options of a compilation. */
export interface StandardCompileOptions {
  /** Whether the module gets the builtin functions `wasm:js-string`. */
  readonly hasJsString: boolean;
  /** The name of the module whose imports are strings. */
  readonly constants: string | undefined;
}

/** A module. */
export class ModuleState {
  readonly namespace: NamespaceState;
  readonly details: ModuleDetails;
  readonly options: StandardCompileOptions;
  #indices: Uint32Array | undefined;
  #passesObjects: boolean | undefined;

  constructor(namespace: NamespaceState, details: ModuleDetails, options: StandardCompileOptions) {
    this.namespace = namespace;
    this.details = details;
    this.options = options;
  }

  /** The function indices of the exports, in their order. */
  get exportIndices(): Uint32Array {
    if (this.#indices === undefined) {
      const bytes = op_wasm_export_indices(this.details.id);
      this.#indices = new Uint32Array(TypedArrayPrototypeGetBuffer(bytes));
    }
    return this.#indices;
  }

  /** Whether an import or export has a type of structs, arrays or other objects of guests. */
  get passesObjects(): boolean {
    if (this.#passesObjects === undefined) {
      const { imports, exports } = this.details;
      let passes = false;
      for (let i = 0; i < imports.length && !passes; i++) {
        passes = !this.provides(imports[i]) && hasObjects(imports[i]);
      }
      for (let i = 0; i < exports.length && !passes; i++) passes = hasObjects(exports[i]);
      this.#passesObjects = passes;
    }
    return this.#passesObjects;
  }

  /** Whether the namespace object itself has the value of an import. */
  provides({ module, name }: ImportInfo): boolean {
    return this.hasBuiltin(module, name) || module === this.options.constants;
  }

  /** Whether an import is a builtin function. */
  hasBuiltin(module: string, name: string): boolean {
    return this.options.hasJsString && module === JS_STRING && isBuiltin(name);
  }

  /** The import that the namespace object has a value of another type for, in a message. */
  get wrongImport(): string | undefined {
    const { imports } = this.details;
    for (let i = 0; i < imports.length; i++) {
      if (!this.provides(imports[i])) continue;
      const wrong = imports[i].module === this.options.constants
        ? wrongConstant(imports[i])
        : wrongBuiltin(imports[i], op_wasm_has_plain_type(this.details.id, i));
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }
}

/** Whether the type of an import or export has objects of guests in it. */
function hasObjects(type: ExternType): boolean {
  switch (type.kind) {
    case "function":
      return anyObjects(type.params) || anyObjects(type.results);
    case "global":
      return isObjectType(type.value);
    case "table":
      return isObjectType(type.element);
    case "tag":
      return anyObjects(type.params);
    default:
      return false;
  }
}

function anyObjects(names: string[]): boolean {
  for (let i = 0; i < names.length; i++) if (isObjectType(names[i])) return true;
  return false;
}

function isObjectType(name: string): boolean {
  return valueType(name).kind === ANY_REF;
}

const moduleStates: WeakMap<object, ModuleState> = new SafeWeakMap();

/** The state of a `Module` of this namespace object; `undefined` for any other value. */
export function moduleOf(namespace: NamespaceState, value: unknown): ModuleState | undefined {
  const module = moduleStates.get(value as object);
  return module?.namespace === namespace ? module : undefined;
}

/** `WebAssemblyCompileOptions`. */
export function readCompileOptions(options: unknown): StandardCompileOptions {
  checkDictionary(options, "the compile options");
  const builtins = member(options, "builtins");
  let hasJsString = false;
  if (builtins !== undefined) {
    const names = listOf(builtins, MAX_BUILTINS);
    for (let i = 0; i < names.length; i++) {
      const name = toDomString(names[i]);
      hasJsString ||= name === "js-string";
    }
  }
  const constants = member(options, "importedStringConstants");
  return {
    hasJsString,
    constants: constants === undefined || constants === null ? undefined : toDomString(constants),
  };
}

/** The most names of builtins that are read. */
const MAX_BUILTINS = 1000;

/**
 * A copy of the bytes of a buffer source.
 *
 * @throws {TypeError} If it is none.
 */
export function bytesOf(source: unknown): Uint8Array {
  try {
    const bytes = toBytes(source, TypeMismatch);
    const copy = new Uint8Array(TypedArrayPrototypeGetByteLength(bytes));
    TypedArrayPrototypeSet(copy, bytes);
    return copy;
  } catch (error) {
    if (error instanceof WasmError && error.message === "the buffer is detached") {
      return new Uint8Array(0);
    }
    throw new TypeError(error.message);
  }
}

/** Compiles a module, and waits for the compilation. */
export function compileNow(
  namespace: NamespaceState,
  bytes: Uint8Array,
  options: StandardCompileOptions,
): ModuleState {
  const info = makeOrCollect(namespace.errors, () => op_wasm_compile_now(bytes, namespace.group));
  return newModule(namespace, info, options);
}

/** Compiles a module on another thread. */
export async function compileLater(
  namespace: NamespaceState,
  bytes: Uint8Array,
  options: StandardCompileOptions,
): Promise<ModuleState> {
  let info;
  try {
    info = await op_wasm_compile_for(bytes, 0, namespace.group);
  } catch (error) {
    throw convertError(namespace.errors, error);
  }
  return newModule(namespace, info, options);
}

function newModule(namespace: NamespaceState, info: string, options: StandardCompileOptions): ModuleState {
  const details = new ModuleDetails(JSONParse(info));
  const state = new ModuleState(namespace, details, options);
  releaseWithModule(state, details.id);
  watchModule(details.id, state);
  const wrong = state.wrongImport;
  if (wrong !== undefined) {
    throw standardError(namespace.errors, new WasmError(wrong, CompileError));
  }
  return state;
}

/** Whether bytes are a valid module, and its imports fit what the namespace object has for them. */
export function isValid(
  namespace: NamespaceState,
  bytes: Uint8Array,
  options: StandardCompileOptions,
): boolean {
  if (!isBinary(bytes)) return false;
  if (!options.hasJsString && options.constants === undefined) {
    try {
      return op_wasm_validate(bytes);
    } catch {
      // It takes too long for the event loop. The standard has no other answer than to compile it.
    }
  }
  try {
    compileNow(namespace, bytes, options);
    return true;
  } catch (error) {
    if (error instanceof namespace.errors.CompileError) return false;
    throw error;
  }
}

/** Whether bytes begin as a module in the binary format does. */
function isBinary(bytes: Uint8Array): boolean {
  return bytes[0] === 0 && bytes[1] === 0x61 && bytes[2] === 0x73 && bytes[3] === 0x6d;
}

/** The `Module` for a state. */
export function moduleObject(state: ModuleState): object {
  return construct(state.namespace.classes.Module, undefined, internal, state);
}

/** The class `Module` of a namespace object. */
export function makeModuleClass(namespace: NamespaceState): ObjectClass {
  class Module {
    constructor(source?: unknown, options?: unknown, state?: ModuleState) {
      if (options !== internal) {
        const bytes = bytesOf(source);
        state = compileNow(namespace, bytes, readCompileOptions(options));
      }
      moduleStates.set(this, state);
    }

    static exports(module: unknown): ModuleExportDescriptor[] {
      const { details } = checkModule(namespace, module);
      const described = list<ModuleExportDescriptor>();
      for (let i = 0; i < details.exports.length; i++) {
        const { name, kind } = details.exports[i];
        append(described, { name, kind });
      }
      return toArray(described);
    }

    static imports(module: unknown): ModuleImportDescriptor[] {
      const state = checkModule(namespace, module);
      const { imports } = state.details;
      const described = list<ModuleImportDescriptor>();
      for (let i = 0; i < imports.length; i++) {
        const { module, name, kind } = imports[i];
        if (!state.provides(imports[i])) append(described, { module, name, kind });
      }
      return toArray(described);
    }

    static customSections(module: unknown, name: unknown): ArrayBuffer[] {
      requireArguments(arguments.length, 2);
      const { details } = checkModule(namespace, module);
      const sections = customSectionsOf(details.id, toDomString(name));
      const buffers = list<ArrayBuffer>();
      for (let i = 0; i < sections.length; i++) {
        append(buffers, TypedArrayPrototypeGetBuffer(sections[i]));
      }
      return toArray(buffers);
    }
  }
  exposeInterface(Module, "Module", 1);
  return Module;
}

interface ModuleExportDescriptor {
  name: string;
  kind: ExportKind;
}

interface ModuleImportDescriptor {
  module: string;
  name: string;
  kind: ExportKind;
}

/** The state of a `Module`. */
export function checkModule(namespace: NamespaceState, value: unknown): ModuleState {
  const module = moduleOf(namespace, value);
  if (module === undefined) throw new TypeError("expected a Module of this WebAssembly object");
  return module;
}
