// How values go into and out of the call frame.

import { describe } from "./check.ts";
import { construct, internal } from "./construct.ts";
import {
  BigInt,
  core,
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
import { placeOf } from "./live.ts";
import { referenceHandle, WasmReference } from "./reference.ts";
import type { StoreState } from "./store_state.ts";

/** How values of one type go into and out of a slot. */
export interface Codec {
  type: string;
  /** The value in a slot. */
  read(store: StoreState, slot: number): unknown;
  /** Puts a value into a slot; `false` if it is not of the type. */
  write(store: StoreState, slot: number, value: unknown): boolean;
}

const codecs: Map<string, Codec> = new SafeMap();

function numeric(
  type: string,
  read: (store: StoreState, slot: number) => unknown,
  write: (store: StoreState, slot: number, value: unknown) => boolean,
): void {
  codecs.set(type, { type, read, write });
}

numeric("i32", (_, slot) => frame32[slot << 2], (_, slot, value) => {
  if (
    typeof value !== "number" || !(value >= -2147483648 && value <= 4294967295) ||
    MathTrunc(value) !== value
  ) return false;
  frame32[slot << 2] = value;
  return true;
});

numeric("i64", (_, slot) => frame64[slot << 1], (_, slot, value) => {
  if (typeof value === "bigint") {
    if (value < -0x8000000000000000n || value > 0xffffffffffffffffn) return false;
    frame64[slot << 1] = value;
    return true;
  }
  if (!NumberIsSafeInteger(value)) return false;
  frame64[slot << 1] = BigInt(value);
  return true;
});

numeric("f32", (_, slot) => frameF32[slot << 2], (_, slot, value) => {
  if (typeof value !== "number") return false;
  frameF32[slot << 2] = value;
  return true;
});

numeric("f64", (_, slot) => frameF64[slot << 1], (_, slot, value) => {
  if (typeof value !== "number") return false;
  frameF64[slot << 1] = value;
  return true;
});

numeric("v128", (_, slot) => {
  const bytes = new Uint8Array(16);
  for (let i = 0; i < 16; i++) bytes[i] = frame8[(slot << 4) + i];
  return bytes;
}, (_, slot, value) => {
  if (
    TypedArrayPrototypeGetSymbolToStringTag(value) !== "Uint8Array" ||
    TypedArrayPrototypeGetByteLength(value) !== 16
  ) return false;
  TypedArrayPrototypeSet(frame8, value, slot << 4);
  return true;
});

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

function writeExtern(store: StoreState, slot: number, value: unknown): boolean {
  return writeObject(store, slot, value) || writeRef(slot, HOST, store.hold(value));
}

/** How values of a type, as the text format writes it, go into and out of slots. */
export function codec(type: string): Codec {
  let codec = codecs.get(type);
  if (codec === undefined) {
    let write = writeObject;
    if (type === "externref" || type === "(ref extern)") write = writeExtern;
    else if (type === "funcref" || type === "(ref func)") write = writeFunc;
    else if (type === "(ref $func)" || type === "(ref null $func)") write = writeFunc;
    codec = { type, read: readRef, write };
    codecs.set(type, codec);
  }
  return codec;
}

function codecsOf(types: string[]): Codec[] {
  const result = [];
  for (let i = 0; i < types.length; i++) result[i] = codec(types[i]);
  return result;
}

/** Puts `values` into the first slots. Returns the index of the first that does not fit, or −1. */
export function writeValues(store: StoreState, codecs: Codec[], values: unknown[]): number {
  for (let i = 0; i < codecs.length; i++) {
    if (codecs[i].write(store, i, values[i])) continue;
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
    if (codecs[i].write === writeExtern && frameU32[(i << 2) + 1] === HOST) {
      store.release(frameU32[i << 2]);
    }
  }
}

export function misfit(codecs: Codec[], values: unknown[], index: number, what: string): WasmError {
  const expected = codecs[index].type;
  const got = core.isPromise(values[index])
    ? "a promise, which only callAsync waits for"
    : describe(values[index]);
  return new WasmError(`${what}: expected ${expected}, got ${got}`, TypeMismatch);
}

/** Puts one value into the first slot. */
export function writeValue(store: StoreState, codec: Codec, value: unknown): void {
  if (codec.write(store, 0, value)) return;
  throw new WasmError(`expected ${codec.type}, got ${describe(value)}`, TypeMismatch);
}

/** A function's type, ready for calls. */
export interface Signature {
  params: Codec[];
  results: Codec[];
}

export function signatureOf(type: { params: string[]; results: string[] }): Signature {
  return { params: codecsOf(type.params), results: codecsOf(type.results) };
}

export function readValues(store: StoreState, codecs: Codec[]): unknown[] {
  const values = [];
  for (let i = 0; i < codecs.length; i++) values[i] = codecs[i].read(store, i);
  return values;
}
