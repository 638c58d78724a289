import { core, ObjectDefineProperty, ObjectFreeze } from "./core.ts";

/** What went wrong, as a number that apps may rely on. */
export const WasmErrorCode = {
  /** Not valid WebAssembly, an unsupported feature, or a file that may not or cannot be read. */
  CompileError: 5000,
  /** A module could not become an instance: imports, caps, or options. */
  InstantiateError: 5001,
  /** A trap, an exception that nobody caught, or an instance that cannot run. */
  RuntimeError: 5002,
  /** A host access to a memory that is out of bounds or does not exist. */
  MemoryError: 5003,
  /** No such export, or it is not a function. */
  FunctionNotFound: 5004,
  /** A value that does not fit the WebAssembly type it is meant for. */
  TypeMismatch: 5005,
  /** The fuel budget ran out. */
  FuelExhausted: 5006,
} as const;
ObjectFreeze(WasmErrorCode);

/** One of the numbers in {@linkcode WasmErrorCode}. */
export type WasmErrorCode = (typeof WasmErrorCode)[keyof typeof WasmErrorCode];

/** The name of a {@linkcode WasmErrorCode}. */
export type WasmErrorKind = keyof typeof WasmErrorCode;

/** The only error that `host:wasm` throws of its own. */
export class WasmError extends Error {
  /** What kind of error this is, as a number. */
  declare readonly code: WasmErrorCode;
  /** What kind of error this is, as a name. */
  declare readonly kind: WasmErrorKind;
  /** The trap, in the words of the WebAssembly specification, if the guest trapped. */
  declare readonly trap?: string;
  /** The guest's stack, innermost frame first, one frame a line, if it was running. */
  declare readonly wasmStack?: string;
  /** The status that the guest exited with, if it called WASI's `proc_exit`. */
  declare readonly exitCode?: number;

  /** Apps need this only to imitate `host:wasm`, in a test for example. */
  constructor(message: string, code?: WasmErrorCode, options?: { cause?: unknown }) {
    super(message, options);
    if (code !== undefined) {
      this.code = code;
      for (const kind in WasmErrorCode) {
        if (WasmErrorCode[kind] === code) this.kind = kind as WasmErrorKind;
      }
    }
  }
}
ObjectDefineProperty(WasmError.prototype, "name", {
  __proto__: null,
  value: "WasmError",
  writable: true,
  configurable: true,
});
core.registerErrorClass("WasmError", WasmError);

export const {
  CompileError,
  InstantiateError,
  RuntimeError,
  MemoryError,
  FunctionNotFound,
  TypeMismatch,
  FuelExhausted,
} = WasmErrorCode;
