// The conversion of images to JavaScript values. A decoder is made once for each type, so that no value is asked for its
// type again. The runtime has made the images, so they fit the types.

import {
  ArrayPrototype,
  ObjectSetPrototypeOf,
  StringFromCodePoint,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeSet,
  Uint8Array,
} from "../core.ts";
import { append, list } from "../list.ts";
import { op_wasm_heap_text } from "../ops.ts";
import {
  NEEDS_F32,
  NEEDS_F64,
  NEEDS_I16,
  NEEDS_I32,
  NEEDS_I64,
  NEEDS_I8,
  NEEDS_U16,
  NEEDS_U32,
  NEEDS_U64,
} from "./image.ts";
import type { Decode, Decoder, NumberViews } from "./image.ts";
import { typedListOf } from "./typed_lists.ts";
import { set } from "./value_reader.ts";
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

/** The decoder of a type. Only types that the codec knows have one. */
export function decoderOf(type: WitType): Decoder {
  return type.decoder ??= makeDecoder(type);
}

function scalar(needs: number, decode: Decode): Decoder {
  return { decode, hasHeap: false, needs };
}

function makeDecoder(type: WitType): Decoder {
  switch (type.kind) {
    case WIT_BOOL:
      return scalar(0, (views, at) => views.u8[at] === 1);
    case WIT_S8:
      return scalar(NEEDS_I8, (views, at) => views.i8[at]);
    case WIT_U8:
      return scalar(0, (views, at) => views.u8[at]);
    case WIT_S16:
      return scalar(NEEDS_I16, (views, at) => views.i16[at >>> 1]);
    case WIT_U16:
      return scalar(NEEDS_U16, (views, at) => views.u16[at >>> 1]);
    case WIT_S32:
      return scalar(NEEDS_I32, (views, at) => views.i32[at >>> 2]);
    case WIT_U32:
      return scalar(NEEDS_U32, (views, at) => views.u32[at >>> 2]);
    case WIT_S64:
      return scalar(NEEDS_I64, (views, at) => views.i64[at / 8]);
    case WIT_U64:
      return scalar(NEEDS_U64, (views, at) => views.u64[at / 8]);
    case WIT_F32:
      return scalar(NEEDS_F32, (views, at) => views.f32[at >>> 2]);
    case WIT_F64:
      return scalar(NEEDS_F64, (views, at) => views.f64[at / 8]);
    case WIT_CHAR:
      return scalar(NEEDS_U32, (views, at) => StringFromCodePoint(views.u32[at >>> 2]));
    case WIT_STRING:
      return {
        decode: (views, at, heap) => {
          const length = views.u32[(at >>> 2) + 1];
          return op_wasm_heap_text(heap.u8, heap.block(length, 1), length);
        },
        hasHeap: true,
        needs: NEEDS_U32,
      };
    case WIT_LIST:
      return listDecoder(type);
    case WIT_FIXED_LENGTH_LIST:
      return fixedListDecoder(type);
    case WIT_RECORD:
      return recordDecoder(type);
    case WIT_TUPLE:
      return tupleDecoder(type);
    case WIT_VARIANT:
    case WIT_RESULT:
      return variantDecoder(type);
    case WIT_ENUM: {
      const { names } = type;
      if (names.length <= 0x100) return scalar(0, (views, at) => names[views.u8[at]]);
      return scalar(NEEDS_U16, (views, at) => names[views.u16[at >>> 1]]);
    }
    case WIT_FLAGS:
      return flagsDecoder(type);
    default:
      return optionDecoder(type);
  }
}

function listDecoder(type: WitType): Decoder {
  const { element } = type;
  const { size, align } = element;
  const typed = typedListOf(element.kind);
  if (typed === undefined) {
    const { decode, needs } = decoderOf(element);
    const decodeList: Decode = (views, at, heap) => {
      const length = views.u32[(at >>> 2) + 1];
      const start = heap.block(length * size, align);
      const elements = list<unknown>();
      for (let i = 0; i < length; i++) elements[i] = decode(heap, start + i * size, heap);
      return ObjectSetPrototypeOf(elements, ArrayPrototype);
    };
    return { decode: decodeList, hasHeap: true, needs: needs | NEEDS_U32 };
  }
  const decodeNumbers: Decode = (views, at, heap) => {
    const length = views.u32[(at >>> 2) + 1];
    const start = heap.block(length * size, align);
    // Nothing else needs the heap then.
    if (heap.isWhole(start)) return typed.over(TypedArrayPrototypeGetBuffer(heap.u8));
    const array = typed.make(length);
    TypedArrayPrototypeSet(new Uint8Array(TypedArrayPrototypeGetBuffer(array)), heap.bytes(start));
    return array;
  };
  return { decode: decodeNumbers, hasHeap: true, needs: NEEDS_U32 };
}

function fixedListDecoder(type: WitType): Decoder {
  const { element, length } = type;
  const { size } = element;
  const typed = typedListOf(element.kind);
  const { decode, hasHeap, needs } = decoderOf(element);
  const decodeList: Decode = (views, at, heap) => {
    const elements = typed === undefined ? list<unknown>() : typed.make(length);
    for (let i = 0; i < length; i++) elements[i] = decode(views, at + i * size, heap);
    return typed === undefined ? ObjectSetPrototypeOf(elements, ArrayPrototype) : elements;
  };
  return { decode: decodeList, hasHeap, needs };
}

/** The decoders of the parts of a type, and the needs of all of them. */
function partDecoders(type: WitType): { decoders: (Decode | undefined)[]; hasHeap: boolean; needs: number } {
  const decoders = list<Decode | undefined>();
  let hasHeap = false;
  let needs = 0;
  for (let i = 0; i < type.parts.length; i++) {
    const part = type.parts[i];
    if (part === undefined) {
      append(decoders, undefined);
      continue;
    }
    const decoder = decoderOf(part);
    append(decoders, decoder.decode);
    hasHeap ||= decoder.hasHeap;
    needs |= decoder.needs;
  }
  return { decoders, hasHeap, needs };
}

function recordDecoder(type: WitType): Decoder {
  const { names, offsets } = type;
  const { decoders, hasHeap, needs } = partDecoders(type);
  const decode: Decode = (views, at, heap) => {
    const record = {};
    for (let i = 0; i < names.length; i++) {
      set(record, names[i], decoders[i](views, at + offsets[i], heap));
    }
    return record;
  };
  return { decode, hasHeap, needs };
}

function tupleDecoder(type: WitType): Decoder {
  const { offsets } = type;
  const { decoders, hasHeap, needs } = partDecoders(type);
  const decode: Decode = (views, at, heap) => {
    const elements = list<unknown>();
    for (let i = 0; i < decoders.length; i++) {
      elements[i] = decoders[i](views, at + offsets[i], heap);
    }
    return ObjectSetPrototypeOf(elements, ArrayPrototype);
  };
  return { decode, hasHeap, needs };
}

function decodeCase(
  tag: string,
  decode: Decode | undefined,
  views: NumberViews,
  at: number,
  heap: Parameters<Decode>[2],
): object {
  const value = {};
  set(value, "tag", tag);
  if (decode !== undefined) set(value, "val", decode(views, at, heap));
  return value;
}

/** The decoder of a variant or result. */
function variantDecoder(type: WitType): Decoder {
  const { payload } = type;
  const names = type.kind === WIT_RESULT ? list("ok", "err") : type.names;
  const { decoders, hasHeap, needs } = partDecoders(type);
  const isWide = names.length > 0x100;
  const decode: Decode = (views, at, heap) => {
    const index = isWide ? views.u16[at >>> 1] : views.u8[at];
    return decodeCase(names[index], decoders[index], views, at + payload, heap);
  };
  return { decode, hasHeap, needs: isWide ? needs | NEEDS_U16 : needs };
}

function flagsDecoder(type: WitType): Decoder {
  const { names } = type;
  return scalar(0, (views, at) => {
    const flags = {};
    for (let i = 0; i < names.length; i++) {
      set(flags, names[i], (views.u8[at + (i >>> 3)] >>> (i & 7) & 1) === 1);
    }
    return flags;
  });
}

function optionDecoder(type: WitType): Decoder {
  const { element, payload } = type;
  const isNested = element.kind === WIT_OPTION;
  const { decode, hasHeap, needs } = decoderOf(element);
  const decodeOption: Decode = (views, at, heap) => {
    if (views.u8[at] === 0) return undefined;
    return isNested
      ? decodeCase("some", decode, views, at + payload, heap)
      : decode(views, at + payload, heap);
  };
  return { decode: decodeOption, hasHeap, needs };
}
