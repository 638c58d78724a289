// The error classes of a namespace object, and the errors of `host:wasm` as such errors.

import {
  NativeError,
  ObjectCreate,
  ObjectDefineProperty,
  ObjectSetPrototypeOf,
  RangeError,
  ReflectConstruct,
  TypeError,
} from "../core.ts";
import { CompileError, fieldOf, InstantiateError, MemoryError, TypeMismatch, WasmError } from "../errors.ts";
import { list } from "../list.ts";
import { defineHidden, nameFunction } from "./properties.ts";

type ErrorClass = new (message?: string, options?: { cause?: unknown }) => Error;

/** The error classes of one namespace object. */
export interface ErrorClasses {
  readonly CompileError: ErrorClass;
  readonly LinkError: ErrorClass;
  readonly RuntimeError: ErrorClass;
  readonly SuspendError: ErrorClass;
}

export function makeErrorClasses(): ErrorClasses {
  return {
    CompileError: makeErrorClass("CompileError"),
    LinkError: makeErrorClass("LinkError"),
    RuntimeError: makeErrorClass("RuntimeError"),
    SuspendError: makeErrorClass("SuspendError"),
  };
}

/** A class like JavaScript's own error classes: it can be called without `new`. */
function makeErrorClass(name: string): ErrorClass {
  function construct(this: unknown, ...args: unknown[]): unknown {
    return ReflectConstruct(NativeError, args, new.target ?? construct);
  }
  ObjectSetPrototypeOf(construct, NativeError);
  const prototype = ObjectCreate(NativeError.prototype);
  defineHidden(prototype, "constructor", construct);
  defineHidden(prototype, "name", name);
  defineHidden(prototype, "message", "");
  ObjectDefineProperty(construct, "prototype", {
    __proto__: null,
    value: prototype,
    writable: false,
    enumerable: false,
    configurable: false,
  });
  nameFunction(construct, name, 1);
  return construct as unknown as ErrorClass;
}

/** The name of the trap where the native stack has no room left. */
const STACK_EXHAUSTED = "call stack exhausted";

/**
 * The error of the namespace object for an error of `host:wasm`. Beside the properties of the standard it has `code`,
 * `trap`, `wasmStack`, `frames` and `exitCode` of that error.
 */
export function standardError(classes: ErrorClasses, error: WasmError): Error {
  const trap = fieldOf(error, "trap");
  const message = trap ?? fieldOf(error, "message");
  const converted = new (classFor(classes, error, trap))(message);
  const fields = list("code", "trap", "wasmStack", "frames", "exitCode") as (keyof WasmError)[];
  for (let i = 0; i < fields.length; i++) {
    const value = fieldOf(error, fields[i]);
    if (value !== undefined) defineHidden(converted, fields[i], value);
  }
  return converted;
}

/** The error of the namespace object for whatever an op threw. */
export function convertError(classes: ErrorClasses, error: unknown): unknown {
  return error instanceof WasmError ? standardError(classes, error) : error;
}

function classFor(classes: ErrorClasses, error: WasmError, trap: string | undefined): ErrorClass {
  switch (fieldOf(error, "code")) {
    case CompileError:
      return classes.CompileError;
    case InstantiateError:
      return classes.LinkError;
    case MemoryError:
      return RangeError;
    case TypeMismatch:
      return TypeError;
    default:
      return trap === STACK_EXHAUSTED ? RangeError : classes.RuntimeError;
  }
}
