// `host:wasm`: run WebAssembly that the app's author did not write, within limits.
//
// These are its exports. What the other files export is for each other.

import "./transfer.ts";

export { compile, compileFile, validate, validateAsync, WasmModule } from "./module.ts";
export type { CompileOptions } from "./module.ts";
export { instantiate } from "./instantiate.ts";
export { WasmError, WasmErrorCode } from "./errors.ts";
export type { WasmErrorKind } from "./errors.ts";
export { WasmInstance } from "./instance.ts";
export { WasmStore } from "./store.ts";
export { WasmMemory } from "./memory.ts";
export { WasmGlobal } from "./global.ts";
export { WasmTable } from "./table.ts";
export { WasmTag } from "./tag.ts";
export { WasmReference } from "./reference.ts";
export type {
  ExportInfo,
  ExportKind,
  ExternType,
  GlobalType,
  ImportInfo,
  Imports,
  ImportValue,
  MemoryType,
  TableType,
  TagType,
  WasmFunction,
} from "./types.ts";
export type { CallOptions, InstantiateOptions, StoreOptions } from "./options.ts";
export type { StdioConfig, WasiConfig } from "./wasi.ts";
