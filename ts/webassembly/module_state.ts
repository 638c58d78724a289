// The state behind a `Module`.

import { SafeWeakMap, TypedArrayPrototypeGetBuffer, TypeError, Uint32Array } from "../core.ts";
import { list } from "../list.ts";
import type { ModuleDetails } from "../module.ts";
import { op_wasm_export_indices, op_wasm_has_plain_type } from "../ops.ts";
import type { ExternType, ImportInfo } from "../types.ts";
import { isBuiltin, JS_STRING, wrongBuiltin, wrongConstant } from "./js_string.ts";
import type { NamespaceState } from "./namespace_state.ts";
import { ANY_REF, functionType, valueType } from "./value_types.ts";
import type { FunctionType } from "./value_types.ts";

type TypedFunction = ExternType & { kind: "function" };

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
  readonly #importTypes: FunctionType[] = list();
  readonly #exportTypes: FunctionType[] = list();
  #importedFunctions: number | undefined;
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

  /** The type of the imported function at this index among the imports. */
  importType(index: number): FunctionType {
    return this.#importTypes[index] ??= functionType(this.details.imports[index] as TypedFunction);
  }

  /** The type of the exported function at this index among the exports. */
  exportType(index: number): FunctionType {
    return this.#exportTypes[index] ??= functionType(this.details.exports[index] as TypedFunction);
  }

  /** The number of imported functions. The functions of the module itself have indices from it on. */
  get importedFunctions(): number {
    if (this.#importedFunctions === undefined) {
      const { imports } = this.details;
      let count = 0;
      for (let i = 0; i < imports.length; i++) if (imports[i].kind === "function") count++;
      this.#importedFunctions = count;
    }
    return this.#importedFunctions;
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

/** The states by `Module`. */
export const moduleStates: WeakMap<object, ModuleState> = new SafeWeakMap();

/** The state of a `Module` of this namespace object; `undefined` for any other value. */
export function moduleOf(namespace: NamespaceState, value: unknown): ModuleState | undefined {
  const module = moduleStates.get(value as object);
  return module?.namespace === namespace ? module : undefined;
}

/** The state of a `Module` of this namespace object. */
export function checkModule(namespace: NamespaceState, value: unknown): ModuleState {
  const module = moduleOf(namespace, value);
  if (module === undefined) throw new TypeError("expected a Module of this WebAssembly object");
  return module;
}
