// The conversion of JavaScript values to the bytes that go into a component. `src/runtime/component/encoding.rs` has the
// form of the bytes.

import { isDetached } from "../bytes.ts";
import { copyOf, isObject, own } from "../check.ts";
import {
  ArrayIsArray,
  BigInt,
  BigIntAsIntN,
  BigIntAsUintN,
  DataView,
  DataViewPrototypeSetBigInt64,
  DataViewPrototypeSetBigUint64,
  DataViewPrototypeSetFloat32,
  DataViewPrototypeSetFloat64,
  DataViewPrototypeSetUint16,
  DataViewPrototypeSetUint32,
  encode,
  isPromise,
  MapPrototypeForEach,
  MapPrototypeGetSize,
  MathTrunc,
  NumberIsSafeInteger,
  StringPrototypeCodePointAt,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetByteOffset,
  TypedArrayPrototypeGetSymbolToStringTag,
  TypedArrayPrototypeSet,
  Uint8Array,
} from "../core.ts";
import { describe, quote } from "../describe.ts";
import { TypeMismatch, WasmError } from "../errors.ts";
import { isWellFormed } from "../well_formed.ts";
import { isMisfit } from "./resources.ts";
import type { Lowering } from "./resources.ts";
import { typedListOf } from "./typed_lists.ts";
import {
  WIT_BOOL,
  WIT_BORROW,
  WIT_CHAR,
  WIT_ENUM,
  WIT_F32,
  WIT_F64,
  WIT_FIXED_LENGTH_LIST,
  WIT_FLAGS,
  WIT_FUTURE,
  WIT_LIST,
  WIT_MAP,
  WIT_OPTION,
  WIT_OWN,
  WIT_RECORD,
  WIT_RESULT,
  WIT_S16,
  WIT_S32,
  WIT_S64,
  WIT_S8,
  WIT_STREAM,
  WIT_STRING,
  WIT_TUPLE,
  WIT_U16,
  WIT_U32,
  WIT_U64,
  WIT_U8,
  WIT_VARIANT,
} from "./wit_types.ts";
import type { WitType } from "./wit_types.ts";

/** The first size of a buffer, in bytes. A larger buffer is not kept for later calls. */
const KEPT_BYTES = 1 << 16;

/** A value that does not fit its type. */
export class WitMisfit {
  /** The place of the value in the argument: `.field` or `[0]` for each part that it is in. */
  path: string = "";
  readonly expected: string;
  readonly got: string;

  constructor(expected: string, got: string) {
    this.expected = expected;
    this.got = got;
  }
}

/** The buffer of the last writer that has ended. */
let idle: Uint8Array | undefined = new Uint8Array(KEPT_BYTES);

/** Bytes that grow. A writer is used for the values of one call; getters of these values may make other calls. */
class Writer {
  bytes: Uint8Array;
  view: DataView;
  at: number = 0;
  readonly handles: Lowering;

  constructor(handles: Lowering) {
    this.handles = handles;
    this.bytes = idle ?? new Uint8Array(KEPT_BYTES);
    idle = undefined;
    this.view = new DataView(TypedArrayPrototypeGetBuffer(this.bytes));
  }

  /** Makes room for so many more bytes. Returns their place. */
  room(count: number): number {
    const at = this.at;
    const needed = at + count;
    let size = TypedArrayPrototypeGetByteLength(this.bytes);
    if (needed > size) {
      while (size < needed) size *= 2;
      const larger = new Uint8Array(size);
      TypedArrayPrototypeSet(larger, this.bytes);
      this.bytes = larger;
      this.view = new DataView(TypedArrayPrototypeGetBuffer(larger));
    }
    this.at = needed;
    return at;
  }

  byte(value: number): void {
    const at = this.room(1);
    this.bytes[at] = value;
  }

  word(value: number): void {
    const at = this.room(4);
    DataViewPrototypeSetUint32(this.view, at, value, true);
  }

  /** The bytes that were written. They stay only until the next writer begins. */
  finish(): Uint8Array {
    const { bytes } = this;
    if (TypedArrayPrototypeGetByteLength(bytes) === KEPT_BYTES) idle = bytes;
    return new Uint8Array(TypedArrayPrototypeGetBuffer(bytes), 0, this.at);
  }
}

/**
 * The bytes of values of these types. They stay only until more are written. `what` names a value, by its index, for
 * messages.
 *
 * @throws {WasmError} `TypeMismatch` if a value does not fit.
 */
export function writeWitValues(
  types: WitType[],
  values: unknown[],
  handles: Lowering,
  what: (index: number) => string,
): Uint8Array {
  let i = 0;
  return written(handles, (writer) => {
    for (; i < types.length; i++) writeWit(writer, types[i], values[i]);
  }, () => what(i));
}

/**
 * The bytes of a `result` that is `ok` or `err`, with the value of that case. If the case has none, the value is ignored,
 * as that of a function that returns nothing.
 *
 * @throws {WasmError} As {@linkcode writeWitValues}.
 */
export function writeWitEnd(
  type: WitType,
  isErr: boolean,
  value: unknown,
  handles: Lowering,
  what: () => string,
): Uint8Array {
  return written(handles, (writer) => {
    writer.byte(isErr ? 1 : 0);
    const part = type.parts[isErr ? 1 : 0];
    if (part !== undefined) writeWit(writer, part, value);
  }, what);
}

/** The bytes that a function writes. If it fails, no handle has gone into the component. */
function written(
  handles: Lowering,
  write: (writer: Writer) => void,
  what: () => string,
): Uint8Array {
  const writer = new Writer(handles);
  try {
    write(writer);
    if (handles.isStale) {
      const message = "a resource that is passed was dropped or given up by a getter of another value";
      throw new WasmError(message, TypeMismatch);
    }
  } catch (error) {
    handles.rollBack();
    if (!(error instanceof WitMisfit)) throw error;
    const { path, expected, got } = error;
    const place = path === "" ? what() : `${what()}, at ${path}`;
    throw new WasmError(`${place}: expected ${expected}, got ${got}`, TypeMismatch);
  }
  return writer.finish();
}

/** Throws an error that came out of a part of a value. */
export function within(error: unknown, part: string): never {
  if (error instanceof WitMisfit && error.path.length < 100) error.path = part + error.path;
  throw error;
}

export function witMisfit(type: WitType, value: unknown): WitMisfit {
  const got = isPromise(value) ? "a promise, which only callAsync waits for" : describe(value);
  return new WitMisfit(type.text, got);
}

function writeWit(writer: Writer, type: WitType, value: unknown): void {
  switch (type.kind) {
    case WIT_BOOL:
      if (typeof value !== "boolean") throw witMisfit(type, value);
      return writer.byte(value ? 1 : 0);
    case WIT_S8:
      return writer.byte(witInteger(type, value, -0x80, 0x7f));
    case WIT_U8:
      return writer.byte(witInteger(type, value, 0, 0xff));
    case WIT_S16: {
      const number = witInteger(type, value, -0x8000, 0x7fff);
      const at = writer.room(2);
      return DataViewPrototypeSetUint16(writer.view, at, number, true);
    }
    case WIT_U16: {
      const number = witInteger(type, value, 0, 0xffff);
      const at = writer.room(2);
      return DataViewPrototypeSetUint16(writer.view, at, number, true);
    }
    case WIT_S32:
      return writer.word(witInteger(type, value, -0x80000000, 0x7fffffff));
    case WIT_U32:
      return writer.word(witInteger(type, value, 0, 0xffffffff));
    case WIT_S64: {
      const number = bigint(type, value);
      if (BigIntAsIntN(64, number) !== number) throw witMisfit(type, value);
      const at = writer.room(8);
      return DataViewPrototypeSetBigInt64(writer.view, at, number, true);
    }
    case WIT_U64: {
      const number = bigint(type, value);
      if (BigIntAsUintN(64, number) !== number) throw witMisfit(type, value);
      const at = writer.room(8);
      return DataViewPrototypeSetBigUint64(writer.view, at, number, true);
    }
    case WIT_F32: {
      if (typeof value !== "number") throw witMisfit(type, value);
      const at = writer.room(4);
      return DataViewPrototypeSetFloat32(writer.view, at, value, true);
    }
    case WIT_F64: {
      if (typeof value !== "number") throw witMisfit(type, value);
      const at = writer.room(8);
      return DataViewPrototypeSetFloat64(writer.view, at, value, true);
    }
    case WIT_CHAR:
      return writer.word(character(type, value));
    case WIT_STRING:
      return writeString(writer, type, value);
    case WIT_LIST:
    case WIT_FIXED_LENGTH_LIST:
      return writeList(writer, type, value);
    case WIT_MAP:
      return writeMap(writer, type, value);
    case WIT_RECORD:
      return writeRecord(writer, type, value);
    case WIT_TUPLE:
      return writeTuple(writer, type, value);
    case WIT_VARIANT:
      return writeVariant(writer, type, value);
    case WIT_ENUM: {
      const index = typeof value === "string" ? indexOf(type.names, value) : -1;
      if (index < 0) throw typeof value === "string" ? noCase(type, value) : witMisfit(type, value);
      return writer.word(index);
    }
    case WIT_FLAGS:
      return writeFlags(writer, type, value);
    case WIT_OPTION:
      return writeOption(writer, type, value);
    case WIT_RESULT:
      return writeResult(writer, type, value);
    case WIT_OWN:
    case WIT_BORROW:
    case WIT_FUTURE:
    case WIT_STREAM:
      return writeHandle(writer, type, value);
    default:
      throw witMisfit(type, value);
  }
}

function witInteger(type: WitType, value: unknown, minimum: number, maximum: number): number {
  if (
    typeof value !== "number" || !(value >= minimum && value <= maximum) ||
    MathTrunc(value) !== value
  ) throw witMisfit(type, value);
  return value;
}

export function bigint(type: WitType, value: unknown): bigint {
  if (typeof value === "bigint") return value;
  if (!NumberIsSafeInteger(value)) throw witMisfit(type, value);
  return BigInt(value as number);
}

/** The number of a character. */
export function character(type: WitType, value: unknown): number {
  if (typeof value === "string" && value.length > 0 && value.length <= 2) {
    const code = StringPrototypeCodePointAt(value, 0);
    const isWhole = value.length === (code > 0xffff ? 2 : 1);
    if (isWhole && (code < 0xd800 || code > 0xdfff)) return code;
    if (isWhole) throw new WitMisfit(type.text, "a lone surrogate");
  }
  throw new WitMisfit(type.text, typeof value === "string" ? quote(value) : describe(value));
}

function writeString(writer: Writer, type: WitType, value: unknown): void {
  if (typeof value !== "string") throw witMisfit(type, value);
  if (!isWellFormed(value)) throw new WitMisfit(type.text, "a string with a lone surrogate");
  const bytes = encode(value);
  const length = TypedArrayPrototypeGetByteLength(bytes);
  writer.word(length);
  const at = writer.room(length);
  TypedArrayPrototypeSet(writer.bytes, bytes, at);
}

function writeList(writer: Writer, type: WitType, value: unknown): void {
  const { element } = type;
  const typed = typedListOf(element.kind);
  if (typed !== undefined && TypedArrayPrototypeGetSymbolToStringTag(value) === typed.name) {
    return writeTypedArray(writer, type, value as ArrayBufferView, typed.size);
  }
  if (!ArrayIsArray(value)) throw witMisfit(type, value);
  // That of a proxy can be anything.
  const { length } = value;
  if (!NumberIsSafeInteger(length) || length < 0 || length > 0xffffffff) throw witMisfit(type, value);
  writeLength(writer, type, length);
  let i = 0;
  try {
    // Elements that an array only inherits do not count.
    for (; i < length; i++) writeWit(writer, element, own(value, i));
  } catch (error) {
    within(error, `[${i}]`);
  }
}

function writeTypedArray(
  writer: Writer,
  type: WitType,
  array: ArrayBufferView,
  size: number,
): void {
  const buffer = TypedArrayPrototypeGetBuffer(array);
  const length = TypedArrayPrototypeGetByteLength(array);
  if (length === 0 && isDetached(buffer)) throw new WitMisfit(type.text, "an array whose buffer is detached");
  writeLength(writer, type, length / size);
  const at = writer.room(length);
  const bytes = new Uint8Array(buffer, TypedArrayPrototypeGetByteOffset(array), length);
  TypedArrayPrototypeSet(writer.bytes, bytes, at);
}

/** Writes the number of elements, except where it is fixed. */
function writeLength(writer: Writer, type: WitType, length: number): void {
  if (type.kind === WIT_LIST) return writer.word(length);
  if (length !== type.length) {
    throw new WitMisfit(`${type.length} elements`, `${length}`);
  }
}

function writeMap(writer: Writer, type: WitType, value: unknown): void {
  let size;
  try {
    size = MapPrototypeGetSize(value);
  } catch {
    throw witMisfit(type, value);
  }
  writer.word(size);
  let written = 0;
  MapPrototypeForEach(value, (part: unknown, key: unknown) => {
    // A getter of a key or value may add more.
    if (written++ >= size) return;
    try {
      writeWit(writer, type.key, key);
      writeWit(writer, type.element, part);
    } catch (error) {
      within(error, `[${typeof key === "string" ? quote(key) : describe(key)}]`);
    }
  });
  if (written < size) throw new WitMisfit(`${size} pairs`, `${written}`);
}

function writeRecord(writer: Writer, type: WitType, value: unknown): void {
  if (!isObject(value)) throw witMisfit(type, value);
  const { parts, names } = type;
  let i = 0;
  try {
    for (; i < parts.length; i++) writeWit(writer, parts[i], own(value, names[i]));
  } catch (error) {
    within(error, `.${names[i]}`);
  }
}

function writeTuple(writer: Writer, type: WitType, value: unknown): void {
  const { parts } = type;
  if (!ArrayIsArray(value)) throw witMisfit(type, value);
  if (value.length !== parts.length) throw new WitMisfit(`${parts.length} elements`, `${value.length}`);
  const elements = copyOf(value, parts.length);
  let i = 0;
  try {
    for (; i < parts.length; i++) writeWit(writer, parts[i], elements[i]);
  } catch (error) {
    within(error, `[${i}]`);
  }
}

/** The tag of a variant or result. */
export function tagOf(type: WitType, value: unknown): string {
  const tag = isObject(value) ? own(value, "tag") : undefined;
  if (typeof tag !== "string") throw new WitMisfit(type.text, `${describe(value)} without a tag`);
  return tag;
}

/** Writes the value of a case, if the case has one. */
function writeCase(writer: Writer, part: WitType | undefined, value: object, tag: string): void {
  const held = own(value, "val");
  try {
    if (part !== undefined) writeWit(writer, part, held);
    else if (held !== undefined) throw new WitMisfit(`no val for the case ${quote(tag)}`, describe(held));
  } catch (error) {
    within(error, ".val");
  }
}

function writeVariant(writer: Writer, type: WitType, value: unknown): void {
  const tag = tagOf(type, value);
  const index = indexOf(type.names, tag);
  if (index < 0) throw noCase(type, tag);
  writer.word(index);
  writeCase(writer, type.parts[index], value as object, tag);
}

export function noCase(type: WitType, name: string): WitMisfit {
  return new WitMisfit(type.text, quote(name));
}

function writeFlags(writer: Writer, type: WitType, value: unknown): void {
  if (!isObject(value)) throw witMisfit(type, value);
  const { names } = type;
  let word = 0;
  for (let i = 0; i < names.length; i++) {
    const flag = own(value, names[i]);
    if (flag !== undefined && typeof flag !== "boolean") {
      const wrong = new WitMisfit("a boolean", describe(flag));
      within(wrong, `.${names[i]}`);
    }
    if (flag) word |= 1 << (i & 31);
    if ((i & 31) === 31 || i === names.length - 1) {
      writer.word(word >>> 0);
      word = 0;
    }
  }
}

function writeOption(writer: Writer, type: WitType, value: unknown): void {
  if (value === undefined) return writer.byte(0);
  writer.byte(1);
  if (type.element.kind !== WIT_OPTION) return writeWit(writer, type.element, value);
  // The value inside may be `undefined` itself.
  const tag = tagOf(type, value);
  if (tag !== "some") throw noCase(type, tag);
  writeCase(writer, type.element, value as object, tag);
}

function writeHandle(writer: Writer, type: WitType, value: unknown): void {
  let number;
  try {
    number = type.kind === WIT_OWN || type.kind === WIT_BORROW
      ? writer.handles.lower(type.resource, type.kind === WIT_OWN, value)
      : writer.handles.lowerEnd(type, value);
  } catch (error) {
    if (!isMisfit(error)) throw error;
    throw new WitMisfit(type.text, isObject(value) ? error.got : describe(value));
  }
  writer.word(number);
}

function writeResult(writer: Writer, type: WitType, value: unknown): void {
  const tag = tagOf(type, value);
  if (tag !== "ok" && tag !== "err") throw noCase(type, tag);
  writer.byte(tag === "ok" ? 0 : 1);
  writeCase(writer, type.parts[tag === "ok" ? 0 : 1], value as object, tag);
}

function indexOf(names: string[], name: string): number {
  for (let i = 0; i < names.length; i++) {
    if (names[i] === name) return i;
  }
  return -1;
}
