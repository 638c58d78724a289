import {
  JSONParse,
  ObjectDefineProperty,
  ObjectFreeze,
  ObjectHasOwn,
  ObjectKeys,
  registerErrorBuilder,
  SymbolFor,
} from "./core.ts";
import { append, list, toArray } from "./list.ts";

/** The kinds of errors, as numbers that do not change. */
export const WasmErrorCode = {
  /**
   * The source is not valid WebAssembly, or uses an unsupported feature; or the file is not granted, or not readable.
   */
  CompileError: 5000,
  /** A module could not be instantiated, because of an import, a cap or an option. */
  InstantiateError: 5001,
  /** A trap, an uncaught exception, or an instance that cannot run. */
  RuntimeError: 5002,
  /** An access of the app to a memory is out of bounds, or there is no such memory. */
  MemoryError: 5003,
  /** There is no such export, or it is not a function. */
  FunctionNotFound: 5004,
  /** A value is not of the WebAssembly type that is needed. */
  TypeMismatch: 5005,
  /** The guest used up the fuel budget. */
  FuelExhausted: 5006,
} as const;
ObjectFreeze(WasmErrorCode);

/** One of the numbers in {@linkcode WasmErrorCode}. */
export type WasmErrorCode = (typeof WasmErrorCode)[keyof typeof WasmErrorCode];

/** The name of a {@linkcode WasmErrorCode}. */
export type WasmErrorKind = keyof typeof WasmErrorCode;

/** A function of a guest that was running when an error occurred. */
export interface WasmFrame {
  /** The function's name in the name section of its module, or `<function 3>` with its index if it has none. */
  readonly func: string;
  /** The module's name in its name section, or `<module 3>` with its `id` if it has none. */
  readonly module: string;
  /** The offset of the instruction in the module's binary, in bytes. */
  readonly offset?: number;
  /**
   * The path of the source file, if the module has debug information (DWARF): relative to the folder in which the
   * compiler ran, or absolute.
   */
  readonly file?: string;
  /** The line in the source file, from 1. */
  readonly line?: number;
  /** The column in the source file, from 1. */
  readonly column?: number;
}

/** The error that `host:wasm` throws. */
export class WasmError extends Error {
  /** The kind of the error, as a number. */
  declare readonly code: WasmErrorCode;
  /** The kind of the error, as a name. */
  declare readonly kind: WasmErrorKind;
  /** If the guest trapped: the name of the trap in the WebAssembly specification. */
  declare readonly trap?: string;
  /** If the guest was running: its stack, one frame a line, innermost frame first. */
  declare readonly wasmStack?: string;
  /** If the guest was running: the frames of its stack, innermost frame first. Up to 20. */
  declare readonly frames?: readonly WasmFrame[];
  /** If the guest called WASI's `proc_exit`: its exit status. */
  declare readonly exitCode?: number;

  /**
   * Makes an error, a `RuntimeError` without a code. Apps need this only to imitate `host:wasm`, in a test for example.
   */
  constructor(message: string, code: WasmErrorCode = WasmErrorCode.RuntimeError, options?: { cause?: unknown }) {
    super(message, options);
    define(this, "code", code);
    const kinds = ObjectKeys(WasmErrorCode);
    for (let i = 0; i < kinds.length; i++) {
      if (WasmErrorCode[kinds[i]] === code) define(this, "kind", kinds[i]);
    }
  }
}
ObjectDefineProperty(WasmError.prototype, "name", {
  __proto__: null,
  value: "WasmError",
  writable: true,
  configurable: true,
});

/** Defines an own property. Accessors of the object's prototypes are not called. */
function define(object: object, name: string, value: unknown): void {
  ObjectDefineProperty(object, name, {
    __proto__: null,
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}

/** The key of the list of properties that deno_core prints for an uncaught error. */
const printed: symbol = SymbolFor("errorAdditionalPropertyKeys");

// deno_core would assign the properties of an error, and so call setters that a script has put on `Object.prototype`,
// inside of an op. So the message of an op's error holds all properties, as JSON.
registerErrorBuilder("WasmError", (packed: string): WasmError => {
  const fields = JSONParse(packed);
  const error = new WasmError(fields.message, fields.code);
  const names = ["trap", "wasmStack", "exitCode"];
  const given = list("code", "kind");
  for (let i = 0; i < names.length; i++) {
    const value = fields[names[i]];
    if (value === null) continue;
    define(error, names[i], value);
    append(given, names[i]);
  }
  // Not printed: the stack says the same.
  if (fields.frames !== null) define(error, "frames", fields.frames);
  ObjectDefineProperty(error, printed, { __proto__: null, value: toArray(given) });
  return error;
});

/** The message of an op's error, from the JSON above. */
export function messageIn(packed: string): string {
  return JSONParse(packed).message;
}

/** An own property of an error. */
export function fieldOf<K extends keyof WasmError>(error: WasmError, name: K): WasmError[K] {
  return ObjectHasOwn(error, name) ? error[name] : undefined;
}

export const {
  CompileError,
  InstantiateError,
  RuntimeError,
  MemoryError,
  FunctionNotFound,
  TypeMismatch,
  FuelExhausted,
} = WasmErrorCode;
