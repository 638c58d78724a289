import { isObject } from "./check.ts";
import { illegal } from "./construct.ts";
import {
  ObjectCreate,
  ObjectFreeze,
  SafeFinalizationRegistry,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeSet,
  Uint32Array,
  Uint8Array,
} from "./core.ts";
import { describe } from "./describe.ts";
import { TypeMismatch, WasmError } from "./errors.ts";
import type { HostImport } from "./host_import.ts";
import { append, list, toArray } from "./list.ts";
import { op_wasm_custom_sections, op_wasm_drop_module } from "./ops.ts";
import { signatureOf } from "./signature.ts";
import type { ExportInfo, ImportInfo } from "./types.ts";
import { isWellFormed } from "./well_formed.ts";

const collectedModules: FinalizationRegistry<number> = new SafeFinalizationRegistry(
  (id: number) => op_wasm_drop_module(id),
);

/** The description of a compiled module, as the op returns it. */
type ModuleInfo = { id: number; exports: ExportInfo[]; imports: ImportInfo[] };

/** The details of a `WasmModule`; `undefined` for any other value. */
export let detailsOf: (value: unknown) => ModuleDetails | undefined;

/** The parts of a module that its instances share. */
export class ModuleDetails {
  readonly id: number;
  readonly exports: readonly ExportInfo[];
  readonly imports: readonly ImportInfo[];
  #exportsByName: Record<string, ExportInfo> | undefined;
  readonly #hostImports: HostImport[] = list();

  constructor({ id, exports, imports }: ModuleInfo) {
    this.id = id;
    this.exports = frozen(exports);
    this.imports = frozen(imports);
  }

  /** The export of this name. */
  exportOf(name: string): ExportInfo | undefined {
    // Other values would be converted to strings, which can run code of the app.
    if (typeof name !== "string") return undefined;
    if (this.#exportsByName === undefined) {
      // A `Map` of QuickJS does not find long strings that were concatenated.
      this.#exportsByName = ObjectCreate(null) as Record<string, ExportInfo>;
      for (let i = 0; i < this.exports.length; i++) {
        this.#exportsByName[this.exports[i].name] = this.exports[i];
      }
    }
    return this.#exportsByName[name];
  }

  /** The import at this index, for which the app gives a JavaScript function. */
  hostImport(index: number): HostImport {
    const info = this.imports[index] as ImportInfo & { kind: "function" };
    return this.#hostImports[index] ??= { signature: signatureOf(info), info };
  }
}

/** A compiled module. */
export class WasmModule {
  /** Its number, unique in this runtime. */
  readonly id: number;
  /** Its exports, in its own order. */
  readonly exports: readonly ExportInfo[];
  /** Its imports, in its own order. */
  readonly imports: readonly ImportInfo[];
  #details: ModuleDetails;

  static {
    detailsOf = (value) => isObject(value) && #details in value ? value.#details : undefined;
  }

  private constructor(key: symbol, info: ModuleInfo) {
    illegal(key);
    const details = new ModuleDetails(info);
    this.#details = details;
    this.id = details.id;
    this.exports = details.exports;
    this.imports = details.imports;
    ObjectFreeze(this);
    collectedModules.register(this, info.id, this);
  }

  /** Copies of the contents of all custom sections of this name. */
  customSections(name: string): Uint8Array[] {
    if (typeof name !== "string") {
      throw new WasmError(`a section's name is a string, got ${describe(name)}`, TypeMismatch);
    }
    return customSectionsOf(this.#details.id, name);
  }

  /** Drops the module. Its instances can still be used. */
  drop(): void {
    collectedModules.unregister(this);
    op_wasm_drop_module(this.#details.id);
  }

  [Symbol.dispose](): void {
    this.drop();
  }
}

/** Copies of the contents of all custom sections of this name. */
export function customSectionsOf(module: number, name: string): Uint8Array[] {
  // No section has a name that is not well-formed, but the op would get U+FFFD in the place of the wrong parts.
  if (!isWellFormed(name)) return toArray(list<Uint8Array>());
  return unpack(op_wasm_custom_sections(module, name));
}

/** Drops a module when an object is collected. */
export function releaseWithModule(object: object, module: number): void {
  collectedModules.register(object, module);
}

/** The byte strings in the bytes that {@linkcode op_wasm_custom_sections} returns. */
function unpack(packed: Uint8Array): Uint8Array[] {
  const buffer = TypedArrayPrototypeGetBuffer(packed);
  const count = new Uint32Array(buffer, 0, 1)[0];
  const lengths = new Uint32Array(buffer, 4, count);
  const unpacked = list<Uint8Array>();
  let at = 4 + 4 * count;
  for (let i = 0; i < count; i++) {
    const bytes = new Uint8Array(lengths[i]);
    TypedArrayPrototypeSet(bytes, new Uint8Array(buffer, at, lengths[i]));
    append(unpacked, bytes);
    at += lengths[i];
  }
  return toArray(unpacked);
}

function frozen<T>(infos: T[]): readonly T[] {
  for (let i = 0; i < infos.length; i++) ObjectFreeze(infos[i]);
  return ObjectFreeze(infos);
}
