// Compilation and validation, as the standard object has them.

import { toBytes } from "../bytes.ts";
import {
  JSONParse,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeSet,
  TypeError,
  Uint8Array,
} from "../core.ts";
import { CompileError, TypeMismatch, WasmError } from "../errors.ts";
import { ModuleDetails, releaseWithModule } from "../module.ts";
import { op_wasm_compile_for, op_wasm_compile_now, op_wasm_validate } from "../ops.ts";
import { convertError, standardError } from "./error_classes.ts";
import { listOf } from "./iterables.ts";
import { ModuleState } from "./module_state.ts";
import type { StandardCompileOptions } from "./module_state.ts";
import type { NamespaceState } from "./namespace_state.ts";
import { makeOrCollect, watchModule } from "./store_pressure.ts";
import { checkDictionary, member, toDomString } from "./web_idl.ts";

/** The most names of builtins that are read. */
const MAX_BUILTINS = 1000;

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

/** The module that this description is of. */
export function newModule(
  namespace: NamespaceState,
  info: string,
  options: StandardCompileOptions,
): ModuleState {
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
