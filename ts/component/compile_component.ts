// Compilation of components.

import { toBytes } from "../bytes.ts";
import { unlessAborted } from "../compile.ts";
import { construct, internal } from "../construct.ts";
import { JSONParse } from "../core.ts";
import { describe } from "../describe.ts";
import { CompileError, WasmError } from "../errors.ts";
import { modulePressure } from "../gc_pressure.ts";
import { op_wasm_compile_component, op_wasm_compile_component_file } from "../ops.ts";
import { checksFor } from "../options.ts";
import type { CompileOptions } from "../options.ts";
import { WasmComponent } from "./component.ts";

/** Makes the object of a component that was just compiled. */
async function madeComponent(info: string): Promise<WasmComponent> {
  const component = construct(WasmComponent, internal, JSONParse(info));
  if (modulePressure.isHigh()) await modulePressure.relieve();
  return component;
}

/**
 * Compiles a component in the binary or the text format, on another thread, as {@linkcode compile} does a module.
 *
 * @throws {WasmError} `CompileError` if it is not valid, exceeds a cap, or the signal is aborted.
 */
export async function compileComponent(
  source: BufferSource,
  options?: CompileOptions,
): Promise<WasmComponent> {
  const bytes = toBytes(source, CompileError);
  const { fuel, interrupt } = checksFor(options);
  const compile = (cancellation: number) => op_wasm_compile_component(bytes, cancellation, fuel, interrupt);
  return await madeComponent(await unlessAborted(options, compile));
}

/**
 * Compiles the component in a file, if the host grants it. A relative path is resolved against the working directory of
 * the process.
 *
 * @throws {WasmError} `CompileError` if the file is not granted or readable, not valid, or exceeds a cap, or the signal
 * is aborted.
 */
export async function compileComponentFile(
  path: string,
  options?: CompileOptions,
): Promise<WasmComponent> {
  if (typeof path !== "string") {
    throw new WasmError(`a path must be a string, got ${describe(path)}`, CompileError);
  }
  const { fuel, interrupt } = checksFor(options);
  const compile = (cancellation: number) =>
    op_wasm_compile_component_file(path, cancellation, fuel, interrupt);
  return await madeComponent(await unlessAborted(options, compile));
}
