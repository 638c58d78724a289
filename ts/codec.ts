// How values go into and out of the call frame.

import { describe, typeName } from "./check.ts";
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
import { TypeMismatch, WasmError } from "./errors.ts";
import {
  frame32,
  frame64,
  frame8,
  frameF32,
  frameF64,
  frameU32,
  FUNC,
  HOST,
  NULL,
  OBJECT,
} from "./frame.ts";
import { append, list } from "./list.ts";
import { placeOf } from "./live.ts";
import { referenceHandle, WasmReference } from "./reference.ts";
import type { StoreState } from "./store_state.ts";

/** How values of one type go into and out of a slot. */
export interface Codec {
  type: string;
  kind: number;
}

// The kinds of types. The functions below switch over them, and do not call one function out of
// many, so that engines see all of what a call does.
const I32 = 0;
const I64 = 1;
const F32 = 2;
const F64 = 3;
const V128 = 4;
/** Any JavaScript value. */
const EXTERN_REF = 5;
const FUNC_REF = 6;
/** A reference of which JavaScript sees a handle. */
const OBJECT_REF = 7;

const codecs: Map<string, Codec> = new SafeMap();
let known = 0;

/** The value in a slot. */
export function read(store: StoreState, codec: Codec, slot: number): unknown {
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

/** Puts a value into a slot; `false` if it is not of the type. */
function write(store: StoreState, codec: Codec, slot: number, value: unknown): boolean {
  return writePlain(codec.kind, slot, value) || writeOther(store, codec.kind, slot, value);
}

/** Puts what most values are into a slot. Small enough for engines to have it where it is called. */
export function writePlain(kind: number, slot: number, value: unknown): boolean {
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

/** Puts into a slot what `writePlain` does not. */
function writeOther(store: StoreState, kind: number, slot: number, value: unknown): boolean {
  switch (kind) {
    case I32:
      // An integer above those with a sign.
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
      return writeObject(store, slot, value) || writeRef(slot, HOST, store.hold(value));
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

export function readRef(store: StoreState, slot: number): unknown {
  const number = frameU32[slot << 2];
  switch (frameU32[(slot << 2) + 1]) {
    case HOST:
      return store.held[number];
    case FUNC:
      return store.func(number);
    case OBJECT:
      return construct(WasmReference, internal, store, number);
    default:
      return null;
  }
}

export function writeRef(slot: number, kind: number, number: number): true {
  frameU32[slot << 2] = number;
  frameU32[(slot << 2) + 1] = kind;
  return true;
}

function writeFunc(store: StoreState, slot: number, value: unknown): boolean {
  if (value === null) return writeRef(slot, NULL, 0);
  const place = placeOf(value);
  return place !== undefined && place.kind === "function" && place.store === store &&
    writeRef(slot, FUNC, place.handle);
}

function writeObject(store: StoreState, slot: number, value: unknown): boolean {
  if (value === null) return writeRef(slot, NULL, 0);
  const handle = referenceHandle(store, value);
  return handle !== undefined && writeRef(slot, OBJECT, handle);
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

/** How values of a type, as the text format writes it, go into and out of slots. */
export function codec(type: string): Codec {
  let codec = codecs.get(type);
  if (codec === undefined) {
    codec = { type, kind: kindOf(type) };
    // There are fewer types than that: the rest are names that an app made up.
    if (known++ < 100) codecs.set(type, codec);
  }
  return codec;
}

/** Whether the values are JavaScript's numbers, whatever they are. */
function isNumber({ kind }: Codec): boolean {
  return kind === I32 || kind === F32 || kind === F64;
}

function codecsOf(types: string[]): Codec[] {
  const codecs = list<Codec>();
  for (let i = 0; i < types.length; i++) append(codecs, codec(types[i]));
  return codecs;
}

/** An element of an array without holes; `undefined` behind its end. */
function element(values: unknown[], index: number): unknown {
  return index < values.length ? values[index] : undefined;
}

/** Puts `values` into the first slots. Returns the index of the first that does not fit, or −1. */
export function writeValues(store: StoreState, codecs: Codec[], values: unknown[]): number {
  for (let i = 0; i < codecs.length; i++) {
    if (write(store, codecs[i], i, element(values, i))) continue;
    releaseValues(store, codecs, i);
    return i;
  }
  return -1;
}

/** Lets go of values in the first slots that no guest will ever see, and so cannot release. */
export function releaseValues(
  store: StoreState,
  codecs: Codec[],
  count: number = codecs.length,
): void {
  for (let i = 0; i < count; i++) {
    if (codecs[i].kind === EXTERN_REF && frameU32[(i << 2) + 1] === HOST) {
      store.release(frameU32[i << 2]);
    }
  }
}

export function misfit(codecs: Codec[], values: unknown[], index: number, what: string): WasmError {
  const expected = typeName(codecs[index].type);
  const value = element(values, index);
  const got = isPromise(value) ? "a promise, which only callAsync waits for" : describe(value);
  return new WasmError(`${what}: expected ${expected}, got ${got}`, TypeMismatch);
}

/** Puts one value into the first slot. */
export function writeValue(store: StoreState, codec: Codec, value: unknown): void {
  if (write(store, codec, 0, value)) return;
  throw new WasmError(`expected ${typeName(codec.type)}, got ${describe(value)}`, TypeMismatch);
}

/** A function's type, ready for calls. */
export interface Signature {
  params: Codec[];
  results: Codec[];
  /** Whether all of them are JavaScript's numbers, and the result is at most one. */
  numbers: boolean;
  /** Whether a missing argument could be taken for `undefined`. */
  takesAnything: boolean;
}

export function signatureOf(type: { params: string[]; results: string[] }): Signature {
  const params = codecsOf(type.params);
  const results = codecsOf(type.results);
  let numbers = results.length === 0 || (results.length === 1 && isNumber(results[0]));
  let takesAnything = false;
  for (let i = 0; i < params.length; i++) {
    numbers &&= isNumber(params[i]);
    takesAnything ||= params[i].kind === EXTERN_REF;
  }
  return { params, results, numbers, takesAnything };
}

/** A list of the values in the first slots. */
export function readValues(store: StoreState, codecs: Codec[]): unknown[] {
  const values = list<unknown>();
  for (let i = 0; i < codecs.length; i++) append(values, read(store, codecs[i], i));
  return values;
}
