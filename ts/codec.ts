// Conversion of values between JavaScript and slots of the call frame.

import { REF_FUNC, REF_HOST, REF_NULL, REF_OBJECT } from "./constants.ts";
import { construct, internal } from "./construct.ts";
import {
  BigInt,
  BigIntAsIntN,
  BigIntAsUintN,
  isPromise,
  MathTrunc,
  NumberIsSafeInteger,
  SafeMap,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetSymbolToStringTag,
  TypedArrayPrototypeSet,
  Uint8Array,
} from "./core.ts";
import { describe, typeName } from "./describe.ts";
import { TypeMismatch, WasmError } from "./errors.ts";
import type { ExternalReferences } from "./external_references.ts";
import { frame32, frame64, frame8, frameF32, frameF64, frameU32 } from "./frame.ts";
import { externHandleOf } from "./handles.ts";
import type { StoreIdentity } from "./handles.ts";
import { append, list } from "./list.ts";
import { referenceHandle, WasmReference } from "./reference.ts";
import type { WasmFunction } from "./types.ts";

/** A store, as far as conversions of references need it. */
export interface ReferenceStore extends StoreIdentity {
  readonly externals: ExternalReferences;
  /** The JavaScript function for the function with this handle. */
  func(handle: number): WasmFunction;
}

/** The conversion of values of one type. */
export interface Codec {
  type: string;
  kind: number;
}

// The kinds of types. The functions below switch over the kind. A codec with functions of its own would hide from the
// engine which code a call runs.
export const I32 = 0;
export const I64 = 1;
export const F32 = 2;
export const F64 = 3;
export const V128 = 4;
/** Any JavaScript value. */
export const EXTERN_REF = 5;
export const FUNC_REF = 6;
/** A reference that is a `WasmReference` in JavaScript. */
const OBJECT_REF = 7;

/** The codecs by type. Only so many are kept, since apps can make up any number of type names. */
const codecs: Map<string, Codec> = new SafeMap();
const MAX_CODECS = 100;
let codecCount = 0;

/** The value in a slot. */
export function read(store: ReferenceStore, codec: Codec, slot: number): unknown {
  switch (codec.kind) {
    case I32:
      return frame32[slot << 2];
    case I64:
      return frame64[slot << 1];
    case F32:
      return frameF32[slot << 2];
    case F64:
      return frameF64[slot << 1];
    case V128:
      return readVector(slot);
    default:
      return readRef(store, slot);
  }
}

/** Writes a value into a slot. Returns `false` if it is not of the type. */
function write(store: ReferenceStore, codec: Codec, slot: number, value: unknown): boolean {
  return writeNumber(codec.kind, slot, value) || writeOther(store, codec.kind, slot, value);
}

/**
 * Writes a value of a number type into a slot, if it is in the form that values mostly have. Returns `false` otherwise.
 * Small enough for engines to inline it.
 */
export function writeNumber(kind: number, slot: number, value: unknown): boolean {
  switch (kind) {
    case I32:
      if (typeof value !== "number" || (value | 0) !== value) return false;
      frame32[slot << 2] = value;
      return true;
    case I64:
      if (typeof value !== "bigint" || BigIntAsIntN(64, value) !== value) return false;
      frame64[slot << 1] = value;
      return true;
    case F32:
      if (typeof value !== "number") return false;
      frameF32[slot << 2] = value;
      return true;
    case F64:
      if (typeof value !== "number") return false;
      frameF64[slot << 1] = value;
      return true;
    default:
      return false;
  }
}

/** Writes a value that `writeNumber` does not write. */
function writeOther(store: ReferenceStore, kind: number, slot: number, value: unknown): boolean {
  switch (kind) {
    case I32:
      // An integer from 2³¹ to 2³² − 1, too.
      if (
        typeof value !== "number" || !(value >= -2147483648 && value <= 4294967295) ||
        MathTrunc(value) !== value
      ) return false;
      frame32[slot << 2] = value;
      return true;
    case I64:
      if (typeof value === "bigint") {
        if (BigIntAsUintN(64, value) !== value) return false;
        frame64[slot << 1] = value;
        return true;
      }
      if (!NumberIsSafeInteger(value)) return false;
      frame64[slot << 1] = BigInt(value);
      return true;
    case V128:
      return writeVector(slot, value);
    case EXTERN_REF:
      return writeObject(store, slot, value) ||
        writeRef(slot, REF_HOST, store.externals.hold(value));
    case FUNC_REF:
      return writeFunc(store, slot, value);
    case OBJECT_REF:
      return writeObject(store, slot, value);
    default:
      return false;
  }
}

function readVector(slot: number): Uint8Array {
  const bytes = new Uint8Array(16);
  for (let i = 0; i < 16; i++) bytes[i] = frame8[(slot << 4) + i];
  return bytes;
}

function writeVector(slot: number, value: unknown): boolean {
  if (
    TypedArrayPrototypeGetSymbolToStringTag(value) !== "Uint8Array" ||
    TypedArrayPrototypeGetByteLength(value) !== 16
  ) return false;
  TypedArrayPrototypeSet(frame8, value, slot << 4);
  return true;
}

/** The reference in a slot. */
export function readRef(store: ReferenceStore, slot: number): unknown {
  const number = frameU32[slot << 2];
  switch (frameU32[(slot << 2) + 1]) {
    case REF_HOST:
      return store.externals.held[number];
    case REF_FUNC:
      return store.func(number);
    case REF_OBJECT:
      return construct(WasmReference, internal, store, number);
    default:
      return null;
  }
}

/** Writes a reference with this tag and number into a slot. */
export function writeRef(slot: number, tag: number, number: number): true {
  frameU32[slot << 2] = number;
  frameU32[(slot << 2) + 1] = tag;
  return true;
}

function writeFunc(store: ReferenceStore, slot: number, value: unknown): boolean {
  if (value === null) return writeRef(slot, REF_NULL, 0);
  const func = externHandleOf(value);
  return func !== undefined && func.kind === "function" && func.store === store &&
    writeRef(slot, REF_FUNC, func.handle);
}

function writeObject(store: ReferenceStore, slot: number, value: unknown): boolean {
  if (value === null) return writeRef(slot, REF_NULL, 0);
  const handle = referenceHandle(store, value);
  return handle !== undefined && writeRef(slot, REF_OBJECT, handle);
}

function kindOf(type: string): number {
  switch (type) {
    case "i32":
      return I32;
    case "i64":
      return I64;
    case "f32":
      return F32;
    case "f64":
      return F64;
    case "v128":
      return V128;
    case "externref":
    case "(ref extern)":
      return EXTERN_REF;
    case "funcref":
    case "(ref func)":
    case "(ref $func)":
    case "(ref null $func)":
      return FUNC_REF;
    default:
      return OBJECT_REF;
  }
}

/** The codec of a type, which is written as in the text format. */
export function codec(type: string): Codec {
  let codec = codecs.get(type);
  if (codec === undefined) {
    codec = { type, kind: kindOf(type) };
    if (codecCount++ < MAX_CODECS) codecs.set(type, codec);
  }
  return codec;
}

/** An element of an array without holes, or `undefined` behind its end. */
function element(values: unknown[], index: number): unknown {
  return index < values.length ? values[index] : undefined;
}

/** Writes values into the first slots. Returns the index of the first value that is not of its type, or −1. */
export function writeValues(store: ReferenceStore, codecs: Codec[], values: unknown[]): number {
  const given = values.length;
  for (let i = 0; i < codecs.length; i++) {
    const { kind } = codecs[i];
    // Not by `write` and `element`, which would be two calls for each value.
    const value = i < given ? values[i] : undefined;
    if (writeNumber(kind, i, value) || writeOther(store, kind, i, value)) continue;
    releaseValues(store, codecs, i);
    return i;
  }
  return -1;
}

/** Releases the values in the first slots, for a call that does not take place. */
export function releaseValues(
  store: ReferenceStore,
  codecs: Codec[],
  count: number = codecs.length,
): void {
  for (let i = 0; i < count; i++) {
    if (codecs[i].kind === EXTERN_REF && frameU32[(i << 2) + 1] === REF_HOST) {
      store.externals.release(frameU32[i << 2]);
    }
  }
}

/** The error for a value that is not of its type. `what` names the value. */
export function misfit(codecs: Codec[], values: unknown[], index: number, what: string): WasmError {
  const expected = typeName(codecs[index].type);
  const value = element(values, index);
  const got = isPromise(value) ? "a promise, which only callAsync waits for" : describe(value);
  return new WasmError(`${what}: expected ${expected}, got ${got}`, TypeMismatch);
}

/**
 * Writes one value into the first slot.
 *
 * @throws {WasmError} `TypeMismatch` if it is not of the type.
 */
export function writeValue(store: ReferenceStore, codec: Codec, value: unknown): void {
  if (write(store, codec, 0, value)) return;
  throw new WasmError(`expected ${typeName(codec.type)}, got ${describe(value)}`, TypeMismatch);
}

/** A list of the values in the first slots. */
export function readValues(store: ReferenceStore, codecs: Codec[]): unknown[] {
  const values = list<unknown>();
  for (let i = 0; i < codecs.length; i++) append(values, read(store, codecs[i], i));
  return values;
}
