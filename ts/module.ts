import { toBytes } from "./bytes.ts";
import { describe, isObject } from "./check.ts";
import { signatureOf } from "./codec.ts";
import { construct, illegal, internal } from "./construct.ts";
import {
  JSONParse,
  ObjectFreeze,
  op_wasm_compile,
  op_wasm_compile_file,
  op_wasm_custom_sections,
  op_wasm_drop_module,
  op_wasm_give_up,
  op_wasm_validate,
  op_wasm_validate_async,
  SafeFinalizationRegistry,
  SafeMap,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeSet,
  Uint32Array,
  Uint8Array,
} from "./core.ts";
import { CompileError, TypeMismatch, WasmError } from "./errors.ts";
import type { HostImport } from "./host_import.ts";
import { append, list, toArray } from "./list.ts";
import { signalOf } from "./options.ts";
import { roomForModules } from "./room.ts";
import type { ExportInfo, ImportInfo } from "./types.ts";

const droppedModules: FinalizationRegistry<number> = new SafeFinalizationRegistry(
  (id: number) => op_wasm_drop_module(id),
);

/** What is told of a module that was just compiled. */
type ModuleInfo = { id: number; exports: ExportInfo[]; imports: ImportInfo[] };

/** What is known of a module; `undefined` for anything else. */
export let detailsOf: (value: unknown) => ModuleDetails | undefined;

/** What the instances of a module share. */
export class ModuleDetails {
  readonly id: number;
  readonly exports: readonly ExportInfo[];
  readonly imports: readonly ImportInfo[];
  #exportsByName: Map<string, ExportInfo> | undefined;
  readonly #hostImports: HostImport[] = list();

  constructor({ id, exports, imports }: ModuleInfo) {
    this.id = id;
    this.exports = frozen(exports);
    this.imports = frozen(imports);
  }

  get exportsByName(): Map<string, ExportInfo> {
    if (this.#exportsByName === undefined) {
      this.#exportsByName = new SafeMap();
      for (let i = 0; i < this.exports.length; i++) {
        this.#exportsByName.set(this.exports[i].name, this.exports[i]);
      }
    }
    return this.#exportsByName;
  }

  /** The import of this index, which is a function of JavaScript's. */
  hostImport(index: number): HostImport {
    const info = this.imports[index] as ImportInfo & { kind: "function" };
    return this.#hostImports[index] ??= { signature: signatureOf(info), info };
  }
}

/** A compiled module. */
export class WasmModule {
  /** Its number, unique in this runtime. */
  readonly id: number;
  /** What it exports, in its own order. */
  readonly exports: readonly ExportInfo[];
  /** What it imports, in its own order. */
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
    droppedModules.register(this, info.id, this);
  }

  /** The contents of every custom section of this name, copied. */
  customSections(name: string): Uint8Array[] {
    if (typeof name !== "string") {
      throw new WasmError(`a section's name is a string, got ${describe(name)}`, TypeMismatch);
    }
    return unpack(op_wasm_custom_sections(this.#details.id, name));
  }

  /** Frees the module. Its instances live on. */
  drop(): void {
    droppedModules.unregister(this);
    op_wasm_drop_module(this.#details.id);
  }

  [Symbol.dispose](): void {
    this.drop();
  }
}

/** The byte strings in what {@linkcode op_wasm_custom_sections} returns. */
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

/**
 * The module that was just compiled. Room is made after that: while it is, the app could change the
 * bytes to compile.
 */
async function made(info: string): Promise<WasmModule> {
  const module = construct(WasmModule, internal, JSONParse(info));
  if (roomForModules.isScarce()) await roomForModules.make();
  return module;
}

/** How a module is compiled, or validated. */
export interface CompileOptions {
  /** Gives up waiting when it is aborted. */
  signal?: AbortSignal;
}

/** How many compiles could be given up so far. */
let tickets = 0;

/**
 * Waits for an op that is started with a ticket, unless the signal of the options is aborted. What has
 * not begun then never does.
 */
async function unlessAborted<T>(
  options: CompileOptions | undefined,
  start: (ticket: number) => Promise<T>,
): Promise<T> {
  const signal = signalOf(options, TypeMismatch);
  if (signal === undefined) return await start(0);
  if (signal.aborted) throw givenUp(signal);
  const ticket = tickets = tickets % 0xffffffff + 1;
  let isGivenUp = false;
  const abort = () => {
    isGivenUp = true;
    op_wasm_give_up(ticket);
  };
  signal.addEventListener("abort", abort);
  try {
    return await start(ticket);
  } catch (error) {
    throw isGivenUp ? givenUp(signal) : error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function givenUp(signal: AbortSignal): WasmError {
  return new WasmError("the compile was aborted", CompileError, { cause: signal.reason });
}

/**
 * Compiles a module in the binary or the text format, away from the event loop; or shares the code of
 * the same module, if somebody in this process still has one. One module a core is compiled at a time,
 * and the others wait in line.
 *
 * @throws {WasmError} `CompileError` if it is not valid, exceeds a cap, or the signal is aborted.
 */
export async function compile(
  source: BufferSource,
  options?: CompileOptions,
): Promise<WasmModule> {
  const bytes = toBytes(source, CompileError);
  return await made(await unlessAborted(options, (ticket) => op_wasm_compile(bytes, ticket)));
}

/**
 * Compiles the module in a file, if the host grants it. A relative path starts where the process
 * does.
 *
 * @throws {WasmError} `CompileError` if the file is not granted or readable, not valid, or exceeds a
 * cap, or the signal is aborted.
 */
export async function compileFile(path: string, options?: CompileOptions): Promise<WasmModule> {
  if (typeof path !== "string") {
    throw new WasmError(`a path must be a string, got ${describe(path)}`, CompileError);
  }
  return await made(await unlessAborted(options, (ticket) => op_wasm_compile_file(path, ticket)));
}

/**
 * Whether `source` is a valid module, in the binary or the text format. The caps on what compiles do
 * not matter here.
 *
 * @throws {WasmError} `CompileError` if it is too large, or too much work, to be done here and now:
 * {@linkcode validateAsync} takes it.
 */
export function validate(source: BufferSource): boolean {
  return op_wasm_validate(toBytes(source, TypeMismatch));
}

/**
 * Whether `source` is a valid module, away from the event loop.
 *
 * @throws {WasmError} `CompileError` if it exceeds a cap, or the signal is aborted.
 */
export async function validateAsync(
  source: BufferSource,
  options?: CompileOptions,
): Promise<boolean> {
  const bytes = toBytes(source, TypeMismatch);
  return await unlessAborted(options, (ticket) => op_wasm_validate_async(bytes, ticket));
}
