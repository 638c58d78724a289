// Lists of numbers, which are typed arrays in JavaScript.

import {
  BigInt64Array,
  BigUint64Array,
  Float32Array,
  Float64Array,
  Int16Array,
  Int32Array,
  Int8Array,
  Uint16Array,
  Uint32Array,
  Uint8Array,
} from "../core.ts";
import { WIT_F32, WIT_F64, WIT_S16, WIT_S32, WIT_S64, WIT_S8, WIT_U16, WIT_U32, WIT_U64, WIT_U8 } from "./wit_types.ts";

/** A class of typed arrays. */
interface TypedList {
  name: string;
  /** The size of an element, in bytes. */
  size: number;
  /** Makes an array of zeros. */
  make(length: number): ArrayBufferView;
  /** Makes an array of all bytes of a buffer. */
  over(buffer: ArrayBufferLike): ArrayBufferView;
}

function typedList(
  name: string,
  size: number,
  make: (of: number | ArrayBufferLike) => ArrayBufferView,
): TypedList {
  return { name, size, make, over: make };
}

const TYPED_LISTS: Record<number, TypedList | undefined> = {
  __proto__: null,
  [WIT_S8]: typedList("Int8Array", 1, (of) => new Int8Array(of as number)),
  [WIT_U8]: typedList("Uint8Array", 1, (of) => new Uint8Array(of as number)),
  [WIT_S16]: typedList("Int16Array", 2, (of) => new Int16Array(of as number)),
  [WIT_U16]: typedList("Uint16Array", 2, (of) => new Uint16Array(of as number)),
  [WIT_S32]: typedList("Int32Array", 4, (of) => new Int32Array(of as number)),
  [WIT_U32]: typedList("Uint32Array", 4, (of) => new Uint32Array(of as number)),
  [WIT_S64]: typedList("BigInt64Array", 8, (of) => new BigInt64Array(of as number)),
  [WIT_U64]: typedList("BigUint64Array", 8, (of) => new BigUint64Array(of as number)),
  [WIT_F32]: typedList("Float32Array", 4, (of) => new Float32Array(of as number)),
  [WIT_F64]: typedList("Float64Array", 8, (of) => new Float64Array(of as number)),
};

/** The class of typed arrays for a list whose elements are of this kind; `undefined` if it is an array. */
export function typedListOf(kind: number): TypedList | undefined {
  return TYPED_LISTS[kind];
}
