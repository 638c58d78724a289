import { describe } from "./check.ts";
import {
  ArrayBufferIsView,
  ArrayBufferPrototypeGetByteLength,
  DataViewPrototypeGetBuffer,
  DataViewPrototypeGetByteLength,
  DataViewPrototypeGetByteOffset,
  isArrayBuffer,
  isSharedArrayBuffer,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetByteOffset,
  TypedArrayPrototypeGetSymbolToStringTag,
  TypedArrayPrototypeSet,
  Uint8Array,
} from "./core.ts";
import { WasmError } from "./errors.ts";
import type { WasmErrorCode } from "./errors.ts";

/** The bytes of a buffer source, in a buffer that an op takes. */
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
  if (isSharedArrayBuffer(buffer)) {
    const shared = new Uint8Array(buffer, offset, length);
    const copy = new Uint8Array(TypedArrayPrototypeGetByteLength(shared));
    TypedArrayPrototypeSet(copy, shared);
    return copy;
  }
  if (!isArrayBuffer(buffer)) {
    throw new WasmError(`expected a buffer source, got ${describe(source)}`, code);
  }
  if (isDetached(buffer)) throw new WasmError("the buffer is detached", code);
  return new Uint8Array(buffer, offset, length);
}

export function isDetached(buffer: ArrayBuffer): boolean {
  if (ArrayBufferPrototypeGetByteLength(buffer) !== 0) return false;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}
