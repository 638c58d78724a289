// The conversion of JavaScript values to images. An encoder is made once for each type, so that no value is asked for its
// type again. Conversions and messages are those of `value_writer.ts`.

import { isDetached } from "../bytes.ts";
import { isObject } from "../check.ts";
import {
  ArrayIsArray,
  BigIntAsIntN,
  BigIntAsUintN,
  encode,
  NumberIsSafeInteger,
  ObjectHasOwn,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetByteOffset,
  TypedArrayPrototypeGetSymbolToStringTag,
  TypedArrayPrototypeSet,
  Uint8Array,
} from "../core.ts";
import { describe, quote } from "../describe.ts";
import { append, list } from "../list.ts";
import { isWellFormed } from "../well_formed.ts";
import type { Encode, EncodeScalar, Image, NumberViews } from "./image.ts";
import { typedListOf } from "./typed_lists.ts";
import { bigint, character, noCase, tagOf, within, WitMisfit, witMisfit } from "./value_writer.ts";
import {
  WIT_BOOL,
  WIT_CHAR,
  WIT_ENUM,
  WIT_F32,
  WIT_F64,
  WIT_FIXED_LENGTH_LIST,
  WIT_FLAGS,
  WIT_LIST,
  WIT_OPTION,
  WIT_RECORD,
  WIT_RESULT,
  WIT_S16,
  WIT_S32,
  WIT_S64,
  WIT_S8,
  WIT_STRING,
  WIT_TUPLE,
  WIT_U16,
  WIT_U32,
  WIT_U64,
  WIT_U8,
  WIT_VARIANT,
} from "./wit_types.ts";
import type { WitType } from "./wit_types.ts";

/** The encoder of a type. Only types that the codec knows have one. */
export function encoderOf(type: WitType): Encode {
  return type.encode ??= scalarEncoder(type) ?? makeEncoder(type);
}

/** The encoder of a type whose values are no objects, and need no heap; `undefined` for other types. */
export function scalarEncoder(type: WitType): EncodeScalar | undefined {
  switch (type.kind) {
    case WIT_BOOL:
      return (views, at, value) => {
        if (typeof value !== "boolean") throw witMisfit(type, value);
        views.u8[at] = value ? 1 : 0;
      };
    case WIT_S8:
      return (views, at, value) => {
        if (typeof value !== "number" || value << 24 >> 24 !== value) throw witMisfit(type, value);
        views.u8[at] = value;
      };
    case WIT_U8:
      return (views, at, value) => {
        if (typeof value !== "number" || (value & 0xff) !== value) throw witMisfit(type, value);
        views.u8[at] = value;
      };
    case WIT_S16:
      return (views, at, value) => {
        if (typeof value !== "number" || value << 16 >> 16 !== value) throw witMisfit(type, value);
        views.u16[at >>> 1] = value;
      };
    case WIT_U16:
      return (views, at, value) => {
        if (typeof value !== "number" || (value & 0xffff) !== value) throw witMisfit(type, value);
        views.u16[at >>> 1] = value;
      };
    case WIT_S32:
      return (views, at, value) => {
        if (typeof value !== "number" || (value | 0) !== value) throw witMisfit(type, value);
        views.i32[at >>> 2] = value;
      };
    case WIT_U32:
      return (views, at, value) => {
        if (typeof value !== "number" || value >>> 0 !== value) throw witMisfit(type, value);
        views.u32[at >>> 2] = value;
      };
    case WIT_S64:
      return (views, at, value) => {
        const number = bigint(type, value);
        if (BigIntAsIntN(64, number) !== number) throw witMisfit(type, value);
        views.i64[at / 8] = number;
      };
    case WIT_U64:
      return (views, at, value) => {
        const number = bigint(type, value);
        if (BigIntAsUintN(64, number) !== number) throw witMisfit(type, value);
        views.u64[at / 8] = number;
      };
    case WIT_F32:
      return (views, at, value) => {
        if (typeof value !== "number") throw witMisfit(type, value);
        views.f32[at >>> 2] = value;
      };
    case WIT_F64:
      return (views, at, value) => {
        if (typeof value !== "number") throw witMisfit(type, value);
        views.f64[at / 8] = value;
      };
    case WIT_CHAR:
      return (views, at, value) => {
        views.u32[at >>> 2] = character(type, value);
      };
    case WIT_ENUM: {
      const cases = casesOf(type.names);
      const put = casePutter(type.names.length);
      return (views, at, value) => {
        if (typeof value !== "string") throw witMisfit(type, value);
        const index = cases[value];
        if (index === undefined) throw noCase(type, value);
        put(views, at, index);
      };
    }
  }
}

/** The numbers of cases by their names. */
function casesOf(names: string[]): Record<string, number> {
  const cases: Record<string, number> = { __proto__: null };
  for (let i = 0; i < names.length; i++) cases[names[i]] = i;
  return cases;
}

/** A function that writes the number of a case of a type with so many cases. */
function casePutter(count: number): (views: NumberViews, at: number, index: number) => void {
  if (count <= 0x100) {
    return (views, at, index) => {
      views.u8[at] = index;
    };
  }
  return (views, at, index) => {
    views.u16[at >>> 1] = index;
  };
}

function makeEncoder(type: WitType): Encode {
  switch (type.kind) {
    case WIT_STRING:
      return (image, at, value) => {
        if (typeof value !== "string") throw witMisfit(type, value);
        if (!isWellFormed(value)) throw new WitMisfit(type.text, "a string with a lone surrogate");
        const bytes = encode(value);
        const length = TypedArrayPrototypeGetByteLength(bytes);
        const start = image.block(length, 1);
        TypedArrayPrototypeSet(image.u8, bytes, start);
        image.u32[(at >>> 2) + 1] = length;
      };
    case WIT_LIST:
      return listEncoder(type);
    case WIT_FIXED_LENGTH_LIST:
      return fixedListEncoder(type);
    case WIT_RECORD:
      return recordEncoder(type);
    case WIT_TUPLE:
      return tupleEncoder(type);
    case WIT_VARIANT:
    case WIT_RESULT:
      return variantEncoder(type);
    case WIT_FLAGS:
      return flagsEncoder(type);
    case WIT_OPTION:
      return optionEncoder(type);
    default:
      return (_image, _at, value) => {
        throw witMisfit(type, value);
      };
  }
}

/** The bytes of an array of numbers. */
function arrayBytes(type: WitType, array: ArrayBufferView): Uint8Array {
  const buffer = TypedArrayPrototypeGetBuffer(array);
  const length = TypedArrayPrototypeGetByteLength(array);
  if (length === 0 && isDetached(buffer)) throw new WitMisfit(type.text, "an array whose buffer is detached");
  return new Uint8Array(buffer, TypedArrayPrototypeGetByteOffset(array), length);
}

/** The number of elements of an array. */
function lengthOf(type: WitType, value: unknown): number {
  if (!ArrayIsArray(value)) throw witMisfit(type, value);
  // That of a proxy can be anything.
  const { length } = value;
  if (!NumberIsSafeInteger(length) || length < 0 || length > 0xffffffff) throw witMisfit(type, value);
  return length;
}

/** Writes the elements of an array. */
function encodeElements(
  image: Image,
  encodeElement: Encode,
  array: object,
  length: number,
  start: number,
  size: number,
): void {
  let i = 0;
  try {
    // Elements that an array only inherits do not count.
    for (; i < length; i++) {
      encodeElement(image, start + i * size, ObjectHasOwn(array, i) ? array[i] : undefined);
    }
  } catch (error) {
    within(error, `[${i}]`);
  }
}

function listEncoder(type: WitType): Encode {
  const { element } = type;
  const { size, align } = element;
  const typed = typedListOf(element.kind);
  const encodeElement = encoderOf(element);
  return (image, at, value) => {
    if (typed !== undefined && TypedArrayPrototypeGetSymbolToStringTag(value) === typed.name) {
      const bytes = arrayBytes(type, value as ArrayBufferView);
      const length = TypedArrayPrototypeGetByteLength(bytes);
      const start = image.block(length, align);
      TypedArrayPrototypeSet(image.u8, bytes, start);
      image.u32[(at >>> 2) + 1] = length / size;
      return;
    }
    const length = lengthOf(type, value);
    const start = image.block(length * size, align);
    image.u32[(at >>> 2) + 1] = length;
    encodeElements(image, encodeElement, value as object, length, start, size);
  };
}

function fixedListEncoder(type: WitType): Encode {
  const { element } = type;
  const { size } = element;
  const typed = typedListOf(element.kind);
  const encodeElement = encoderOf(element);
  const check = (length: number) => {
    if (length !== type.length) throw new WitMisfit(`${type.length} elements`, `${length}`);
  };
  return (image, at, value) => {
    if (typed !== undefined && TypedArrayPrototypeGetSymbolToStringTag(value) === typed.name) {
      const bytes = arrayBytes(type, value as ArrayBufferView);
      check(TypedArrayPrototypeGetByteLength(bytes) / size);
      TypedArrayPrototypeSet(image.u8, bytes, at);
      return;
    }
    const length = lengthOf(type, value);
    check(length);
    encodeElements(image, encodeElement, value as object, length, at, size);
  };
}

/** The encoders of the parts of a type. */
function partEncoders(type: WitType): (Encode | undefined)[] {
  const encoders = list<Encode | undefined>();
  for (let i = 0; i < type.parts.length; i++) {
    const part = type.parts[i];
    append(encoders, part === undefined ? undefined : encoderOf(part));
  }
  return encoders;
}

function recordEncoder(type: WitType): Encode {
  const { names, offsets } = type;
  const count = names.length;
  const encoders = partEncoders(type);
  return (image, at, value) => {
    if (!isObject(value)) throw witMisfit(type, value);
    let i = 0;
    try {
      for (; i < count; i++) {
        const name = names[i];
        encoders[i](image, at + offsets[i], ObjectHasOwn(value, name) ? value[name] : undefined);
      }
    } catch (error) {
      within(error, `.${names[i]}`);
    }
  };
}

function tupleEncoder(type: WitType): Encode {
  const { offsets } = type;
  const count = type.parts.length;
  const encoders = partEncoders(type);
  return (image, at, value) => {
    if (!ArrayIsArray(value)) throw witMisfit(type, value);
    if (value.length !== count) throw new WitMisfit(`${count} elements`, `${value.length}`);
    let i = 0;
    try {
      for (; i < count; i++) {
        encoders[i](image, at + offsets[i], ObjectHasOwn(value, i) ? value[i] : undefined);
      }
    } catch (error) {
      within(error, `[${i}]`);
    }
  };
}

/** Writes the value of a case, if the case has one. */
function encodeCase(
  image: Image,
  encodePart: Encode | undefined,
  at: number,
  value: object,
  tag: string,
): void {
  const held = ObjectHasOwn(value, "val") ? (value as { val: unknown }).val : undefined;
  try {
    if (encodePart !== undefined) encodePart(image, at, held);
    else if (held !== undefined) throw new WitMisfit(`no val for the case ${quote(tag)}`, describe(held));
  } catch (error) {
    within(error, ".val");
  }
}

/** The encoder of a variant or result. */
function variantEncoder(type: WitType): Encode {
  const { payload } = type;
  const names = type.kind === WIT_RESULT ? list("ok", "err") : type.names;
  const cases = casesOf(names);
  const put = casePutter(names.length);
  const encoders = partEncoders(type);
  return (image, at, value) => {
    const tag = tagOf(type, value);
    const index = cases[tag];
    if (index === undefined) throw noCase(type, tag);
    put(image, at, index);
    encodeCase(image, encoders[index], at + payload, value as object, tag);
  };
}

function flagsEncoder(type: WitType): Encode {
  const { names, size } = type;
  return (image, at, value) => {
    if (!isObject(value)) throw witMisfit(type, value);
    for (let i = 0; i < size; i++) {
      let byte = 0;
      for (let bit = 0; bit < 8 && 8 * i + bit < names.length; bit++) {
        const name = names[8 * i + bit];
        const flag = ObjectHasOwn(value, name) ? value[name] : undefined;
        if (flag !== undefined && typeof flag !== "boolean") {
          within(new WitMisfit("a boolean", describe(flag)), `.${name}`);
        }
        if (flag) byte |= 1 << bit;
      }
      image.u8[at + i] = byte;
    }
  };
}

function optionEncoder(type: WitType): Encode {
  const { element, payload } = type;
  const isNested = element.kind === WIT_OPTION;
  const encodeElement = encoderOf(element);
  return (image, at, value) => {
    if (value === undefined) {
      image.u8[at] = 0;
      return;
    }
    if (!isNested) {
      image.u8[at] = 1;
      encodeElement(image, at + payload, value);
      return;
    }
    // The value inside may be `undefined` itself.
    const tag = tagOf(type, value);
    if (tag !== "some") throw noCase(type, tag);
    image.u8[at] = 1;
    encodeCase(image, encodeElement, at + payload, value as object, tag);
  };
}
