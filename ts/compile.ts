// Compilation and validation of modules.

import { toBytes } from "./bytes.ts";
import { construct, internal } from "./construct.ts";
import { JSONParse } from "./core.ts";
import { describe } from "./describe.ts";
import { CompileError, TypeMismatch, WasmError } from "./errors.ts";
import { modulePressure } from "./gc_pressure.ts";
import { WasmModule } from "./module.ts";
import {
  op_wasm_cancel_compile,
  op_wasm_compile,
  op_wasm_compile_file,
  op_wasm_validate,
  op_wasm_validate_async,
} from "./ops.ts";
import { checksFor, signalOf } from "./options.ts";
import type { CompileOptions, ValidateOptions } from "./options.ts";

/**
 * Makes the object of a module that was just compiled. Garbage is collected after the compilation: before it, the app
 * could change the bytes while the collection is awaited.
 */
async function made(info: string): Promise<WasmModule> {
  const module = construct(WasmModule, internal, JSONParse(info));
  if (modulePressure.isHigh()) await modulePressure.relieve();
  return module;
}

/** The number of the last compilation that can be cancelled. */
let lastCancellation = 0;

/**
 * Starts an op with a number by which it can be cancelled (0: not at all), and waits for it. Cancels it when the signal
 * of the options is aborted: a compilation that has not begun then never begins.
 */
export async function unlessAborted<T>(
  options: ValidateOptions | undefined,
  start: (cancellation: number) => Promise<T>,
): Promise<T> {
  const signal = signalOf(options, TypeMismatch);
  if (signal === undefined) return await start(0);
  if (signal.aborted) throw compileAborted(signal);
  const cancellation = lastCancellation = lastCancellation % 0xffffffff + 1;
  let isCancelled = false;
  const abort = () => {
    isCancelled = true;
    op_wasm_cancel_compile(cancellation);
  };
  signal.addEventListener("abort", abort);
  try {
    return await start(cancellation);
  } catch (error) {
    throw isCancelled ? compileAborted(signal) : error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function compileAborted(signal: AbortSignal): WasmError {
  return new WasmError("the compile was aborted", CompileError, { cause: signal.reason });
}

/**
 * Compiles a module in the binary or the text format, on another thread. If the process has compiled the same module
 * before and still uses it, the new module shares its code. Each core compiles one module at a time; other compilations
 * wait.
 *
 * @throws {WasmError} `CompileError` if it is not valid, exceeds a cap, or the signal is aborted.
 */
export async function compile(
  source: BufferSource,
  options?: CompileOptions,
): Promise<WasmModule> {
  const bytes = toBytes(source, CompileError);
  const { fuel, interrupt } = checksFor(options);
  const compile = (cancellation: number) => op_wasm_compile(bytes, cancellation, fuel, interrupt);
  return await made(await unlessAborted(options, compile));
}

/**
 * Compiles the module in a file, if the host grants it. A relative path is resolved against the working directory of
 * the process.
 *
 * @throws {WasmError} `CompileError` if the file is not granted or readable, not valid, or exceeds a
 * cap, or the signal is aborted.
 */
export async function compileFile(path: string, options?: CompileOptions): Promise<WasmModule> {
  if (typeof path !== "string") {
    throw new WasmError(`a path must be a string, got ${describe(path)}`, CompileError);
  }
  const { fuel, interrupt } = checksFor(options);
  const compile = (cancellation: number) => op_wasm_compile_file(path, cancellation, fuel, interrupt);
  return await made(await unlessAborted(options, compile));
}

/**
 * Whether `source` is a valid module, in the binary or the text format. The caps on compilation do not count.
 *
 * @throws {WasmError} `CompileError` if the source is too large, or would keep the event loop for too long: then use
 * {@linkcode validateAsync}.
 */
export function validate(source: BufferSource): boolean {
  return op_wasm_validate(toBytes(source, TypeMismatch));
}

/**
 * Whether `source` is a valid module. The validation runs on another thread.
 *
 * @throws {WasmError} `CompileError` if it exceeds a cap, or the signal is aborted.
 */
export async function validateAsync(
  source: BufferSource,
  options?: ValidateOptions,
): Promise<boolean> {
  const bytes = toBytes(source, TypeMismatch);
  return await unlessAborted(options, (cancellation) => op_wasm_validate_async(bytes, cancellation));
}
