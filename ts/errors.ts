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

  /** Apps need this only to imitate `host:wasm`, in a test for example. Without a code it is a `RuntimeError`. */
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

/** Gives an object a property of its own, whatever accessors its prototypes have. */
function define(object: object, name: string, value: unknown): void {
  ObjectDefineProperty(object, name, {
    __proto__: null,
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}

/** By which deno_core finds the properties that it prints of an error that nobody caught. */
const printed: symbol = SymbolFor("errorAdditionalPropertyKeys");

// deno_core would assign the properties of an error to it, and so call setters that a script put on
// `Object.prototype`, inside an op. The op's message therefore holds them all, as JSON.
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
  ObjectDefineProperty(error, printed, { __proto__: null, value: toArray(given) });
  return error;
});

/** The message in what an op's error says: see above. */
export function messageIn(packed: string): string {
  return JSONParse(packed).message;
}

/** A property that an error has itself, and not by inheritance: one of an op's error, say. */
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
