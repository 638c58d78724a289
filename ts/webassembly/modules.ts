// `Module`.

import { construct, internal } from "../construct.ts";
import { TypedArrayPrototypeGetBuffer } from "../core.ts";
import { append, list, toArray } from "../list.ts";
import { customSectionsOf } from "../module.ts";
import type { ExportKind } from "../types.ts";
import { bytesOf, compileNow, readCompileOptions } from "./compilation.ts";
import { checkModule, moduleStates } from "./module_state.ts";
import type { ModuleState } from "./module_state.ts";
import type { NamespaceState, ObjectClass } from "./namespace_state.ts";
import { exposeInterface, requireArguments, toDomString } from "./web_idl.ts";

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
