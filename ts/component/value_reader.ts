// The conversion of the bytes that come out of a component to JavaScript values. `src/runtime/component/encoding.rs` has
// the form of the bytes.

import {
  ArrayPrototype,
  DataView,
  DataViewPrototypeGetBigInt64,
  DataViewPrototypeGetBigUint64,
  DataViewPrototypeGetFloat32,
  DataViewPrototypeGetFloat64,
  DataViewPrototypeGetInt16,
  DataViewPrototypeGetInt32,
  DataViewPrototypeGetInt8,
  DataViewPrototypeGetUint16,
  DataViewPrototypeGetUint32,
  decode,
  NativeMap,
  MapPrototypeSet,
  ObjectDefineProperty,
  ObjectPrototype,
  ObjectSetPrototypeOf,
  StringFromCodePoint,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteOffset,
  TypedArrayPrototypeSet,
  Uint8Array,
} from "../core.ts";
import { append, list } from "../list.ts";
import type { Lifting } from "./resources.ts";
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

/** Bytes that the runtime has written, so that they fit the types. */
class Reader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  at: number = 0;
  readonly handles: Lifting;

  constructor(bytes: Uint8Array, handles: Lifting) {
    this.handles = handles;
    this.bytes = bytes;
    this.view = new DataView(
      TypedArrayPrototypeGetBuffer(bytes),
      TypedArrayPrototypeGetByteOffset(bytes),
    );
  }

  /** Goes on by so many bytes. Returns their place. */
  take(count: number): number {
    const at = this.at;
    this.at = at + count;
    return at;
  }

  word(): number {
    return DataViewPrototypeGetUint32(this.view, this.take(4), true);
  }

  /** The next bytes, in place. */
  slice(count: number): Uint8Array {
    const { bytes } = this;
    const start = TypedArrayPrototypeGetByteOffset(bytes) + this.take(count);
    return new Uint8Array(TypedArrayPrototypeGetBuffer(bytes), start, count);
  }
}

/** A list of the values of these types in bytes. */
export function readWitValues(types: WitType[], bytes: Uint8Array, handles: Lifting): unknown[] {
  const reader = new Reader(bytes, handles);
  const values = list<unknown>();
  for (let i = 0; i < types.length; i++) append(values, readWit(reader, types[i]));
  return values;
}

function readWit(reader: Reader, type: WitType): unknown {
  const { view } = reader;
  switch (type.kind) {
    case WIT_BOOL:
      return reader.bytes[reader.take(1)] === 1;
    case WIT_S8:
      return DataViewPrototypeGetInt8(view, reader.take(1));
    case WIT_U8:
      return reader.bytes[reader.take(1)];
    case WIT_S16:
      return DataViewPrototypeGetInt16(view, reader.take(2), true);
    case WIT_U16:
      return DataViewPrototypeGetUint16(view, reader.take(2), true);
    case WIT_S32:
      return DataViewPrototypeGetInt32(view, reader.take(4), true);
    case WIT_U32:
      return reader.word();
    case WIT_S64:
      return DataViewPrototypeGetBigInt64(view, reader.take(8), true);
    case WIT_U64:
      return DataViewPrototypeGetBigUint64(view, reader.take(8), true);
    case WIT_F32:
      return DataViewPrototypeGetFloat32(view, reader.take(4), true);
    case WIT_F64:
      return DataViewPrototypeGetFloat64(view, reader.take(8), true);
    case WIT_CHAR:
      return StringFromCodePoint(reader.word());
    case WIT_STRING:
      return readString(reader.slice(reader.word()));
    case WIT_LIST:
      return readList(reader, type.element, reader.word());
    case WIT_FIXED_LENGTH_LIST:
      return readList(reader, type.element, type.length);
    case WIT_MAP:
      return readMap(reader, type);
    case WIT_RECORD:
      return readRecord(reader, type);
    case WIT_TUPLE:
      return readTuple(reader, type);
    case WIT_VARIANT: {
      const index = reader.word();
      return readCase(reader, type.names[index], type.parts[index]);
    }
    case WIT_ENUM:
      return type.names[reader.word()];
    case WIT_FLAGS:
      return readFlags(reader, type);
    case WIT_OPTION:
      return readOption(reader, type);
    case WIT_OWN:
    case WIT_BORROW:
      return reader.handles.lift(type.resource, type.kind === WIT_OWN, reader.word());
    case WIT_FUTURE:
    case WIT_STREAM:
      return reader.handles.liftEnd(type, reader.word());
    case WIT_RESULT: {
      const isErr = reader.bytes[reader.take(1)] === 1;
      return readCase(reader, isErr ? "err" : "ok", type.parts[isErr ? 1 : 0]);
    }
  }
}

/** The text in UTF-8. deno_core's decoder leaves a byte order mark at the start out. */
function readString(bytes: Uint8Array): string {
  const text = decode(bytes);
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return hasMark ? `\ufeff${text}` : text;
}

function readList(reader: Reader, element: WitType, length: number): unknown {
  const typed = typedListOf(element.kind);
  if (typed === undefined) {
    const elements = list<unknown>();
    for (let i = 0; i < length; i++) elements[i] = readWit(reader, element);
    return ObjectSetPrototypeOf(elements, ArrayPrototype);
  }
  const array = typed.make(length);
  const bytes = new Uint8Array(TypedArrayPrototypeGetBuffer(array));
  TypedArrayPrototypeSet(bytes, reader.slice(length * typed.size));
  return array;
}

function readMap(reader: Reader, type: WitType): Map<unknown, unknown> {
  const map = new NativeMap();
  const size = reader.word();
  for (let i = 0; i < size; i++) {
    const key = readWit(reader, type.key);
    MapPrototypeSet(map, key, readWit(reader, type.element));
  }
  return map;
}

/** Sets a property of a new object. A script may have put a setter of this name on `Object.prototype`. */
export function set(object: object, name: string, value: unknown): void {
  if (!(name in ObjectPrototype)) {
    object[name] = value;
    return;
  }
  ObjectDefineProperty(object, name, {
    __proto__: null,
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}

function readRecord(reader: Reader, type: WitType): object {
  const { parts, names } = type;
  const record = {};
  for (let i = 0; i < parts.length; i++) set(record, names[i], readWit(reader, parts[i]));
  return record;
}

function readTuple(reader: Reader, type: WitType): unknown {
  const { parts } = type;
  const elements = list<unknown>();
  for (let i = 0; i < parts.length; i++) elements[i] = readWit(reader, parts[i]);
  return ObjectSetPrototypeOf(elements, ArrayPrototype);
}

function readCase(reader: Reader, tag: string, part: WitType | undefined): object {
  const value = {};
  set(value, "tag", tag);
  if (part !== undefined) set(value, "val", readWit(reader, part));
  return value;
}

function readFlags(reader: Reader, type: WitType): object {
  const { names } = type;
  const flags = {};
  let word = 0;
  for (let i = 0; i < names.length; i++) {
    if ((i & 31) === 0) word = reader.word();
    set(flags, names[i], (word >>> (i & 31) & 1) === 1);
  }
  return flags;
}

function readOption(reader: Reader, type: WitType): unknown {
  if (reader.bytes[reader.take(1)] === 0) return undefined;
  return type.element.kind === WIT_OPTION
    ? readCase(reader, "some", type.element)
    : readWit(reader, type.element);
}
