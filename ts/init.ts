// `host:wasm`: runs WebAssembly that the app's author did not write, within limits.
//
// This file lists its exports. The exports of other files that are not listed here are internal.

import "./transfer.ts";
import "./func.ts";
import "./webassembly/global_object.ts";

export { compile, compileFile, validate, validateAsync } from "./compile.ts";
export { WasmModule } from "./module.ts";
export { createWebAssembly } from "./webassembly/namespace.ts";
export { esModuleSource, linkEsModule, refuseEsModule } from "./webassembly/es_modules.ts";
export { instantiate } from "./instantiate.ts";
export type { InstantiateOptions } from "./instantiate.ts";
export { compileComponent, compileComponentFile } from "./component/compile_component.ts";
export { instantiateComponent } from "./component/instantiate_component.ts";
export type { ComponentOptions } from "./component/instantiate_component.ts";
export { WasmComponent } from "./component/component.ts";
export type { ComponentItem } from "./component/component.ts";
export type { ComponentImports } from "./component/component_imports.ts";
export { ComponentInstance } from "./component/component_instance.ts";
export type { HttpRequest, HttpResponse } from "./component/http.ts";
export { ComponentError } from "./component/component_error.ts";
export { WasmError, WasmErrorCode } from "./errors.ts";
export type { WasmErrorKind, WasmFrame } from "./errors.ts";
export { WasmInstance } from "./instance.ts";
export { WasmStore } from "./store.ts";
export type { StoreStats } from "./store.ts";
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
  MemoryType,
  TableType,
  TagType,
  WasmFunction,
} from "./types.ts";
export type { Imports, ImportValue } from "./extern_objects.ts";
export type { CallOptions, CompileOptions, StoreOptions, ValidateOptions } from "./options.ts";
export type { NetworkConfig, StdioConfig, WasiConfig } from "./wasi_options.ts";
