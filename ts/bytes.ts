import {
  ArrayBufferIsView,
  ArrayBufferPrototypeGetByteLength,
  DataViewPrototypeGetBuffer,
  DataViewPrototypeGetByteLength,
  DataViewPrototypeGetByteOffset,
  ReflectApply,
  sharedByteLength,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetByteOffset,
  TypedArrayPrototypeGetSymbolToStringTag,
  TypedArrayPrototypeSet,
  Uint8Array,
} from "./core.ts";
import { describe } from "./describe.ts";
import { WasmError } from "./errors.ts";
import type { WasmErrorCode } from "./errors.ts";
import { list } from "./list.ts";

/**
 * The bytes of a buffer source, in an unshared buffer, as ops take them.
 *
 * @throws {WasmError} With `code`, if the value is no buffer source, or its buffer is detached.
 */
export function toBytes(source: unknown, code: WasmErrorCode): Uint8Array {
  let buffer, offset, length;
  if (ArrayBufferIsView(source)) {
    if (TypedArrayPrototypeGetSymbolToStringTag(source) !== undefined) {
      buffer = TypedArrayPrototypeGetBuffer(source);
      offset = TypedArrayPrototypeGetByteOffset(source);
      length = TypedArrayPrototypeGetByteLength(source);
    } else {
      buffer = DataViewPrototypeGetBuffer(source);
      offset = DataViewPrototypeGetByteOffset(source);
      length = DataViewPrototypeGetByteLength(source);
    }
  } else {
    buffer = source;
    offset = 0;
  }
  if (isArrayBuffer(buffer)) {
    if (isDetached(buffer)) throw new WasmError("the buffer is detached", code);
    return new Uint8Array(buffer, offset, length);
  }
  if (!isSharedArrayBuffer(buffer)) {
    throw new WasmError(`expected a buffer source, got ${describe(source)}`, code);
  }
  const shared = new Uint8Array(buffer, offset, length);
  const copy = new Uint8Array(TypedArrayPrototypeGetByteLength(shared));
  TypedArrayPrototypeSet(copy, shared);
  return copy;
}

/**
 * Whether a value is an `ArrayBuffer`. On QuickJS, deno_core's function of this name calls `Object.prototype.toString`,
 * which a script may have patched.
 */
export function isArrayBuffer(value: unknown): value is ArrayBuffer {
  try {
    ArrayBufferPrototypeGetByteLength(value);
    return true;
  } catch {
    return false;
  }
}

function isSharedArrayBuffer(value: unknown): value is SharedArrayBuffer {
  try {
    ReflectApply(sharedByteLength, value, list());
    return true;
  } catch {
    return false;
  }
}

/** Whether a buffer is detached. */
export function isDetached(buffer: ArrayBuffer): boolean {
  if (ArrayBufferPrototypeGetByteLength(buffer) !== 0) return false;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}
