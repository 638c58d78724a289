// Images: the values of a call as bytes in the layout of the canonical ABI. `src/runtime/codec/mod.rs` has their form.

import {
  BigInt64Array,
  BigUint64Array,
  Float32Array,
  Float64Array,
  Int16Array,
  Int32Array,
  Int8Array,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetByteOffset,
  TypedArrayPrototypeSet,
  Uint16Array,
  Uint32Array,
  Uint8Array,
} from "../core.ts";
import { TypeMismatch, WasmError } from "../errors.ts";
import { frame8 } from "../frame.ts";
import { op_wasm_max_value_bytes } from "../ops.ts";

/** The first size of a buffer, in bytes. A larger buffer is not kept for later calls. */
const KEPT_IMAGE_BYTES = 1 << 16;

// The kinds of views that a reader needs, as bits.
export const NEEDS_I8 = 1;
export const NEEDS_U16 = 2;
export const NEEDS_I16 = 4;
export const NEEDS_U32 = 8;
export const NEEDS_I32 = 16;
export const NEEDS_F32 = 32;
export const NEEDS_F64 = 64;
export const NEEDS_I64 = 128;
export const NEEDS_U64 = 256;
const NEEDS_ALL = 511;

/** Bytes, seen as numbers of each kind. An index counts numbers of the kind, and not bytes. */
export class NumberViews {
  u8: Uint8Array;
  i8: Int8Array | undefined;
  u16: Uint16Array | undefined;
  i16: Int16Array | undefined;
  u32: Uint32Array | undefined;
  i32: Int32Array | undefined;
  f32: Float32Array | undefined;
  f64: Float64Array | undefined;
  i64: BigInt64Array | undefined;
  u64: BigUint64Array | undefined;

  /** Views of the bytes, which begin where their buffer begins. */
  constructor(bytes: Uint8Array, needs: number) {
    this.see(bytes, needs);
  }

  /** Shows these bytes from now on. */
  see(bytes: Uint8Array, needs: number): void {
    const buffer = TypedArrayPrototypeGetBuffer(bytes);
    const length = TypedArrayPrototypeGetByteLength(bytes);
    this.u8 = bytes;
    this.i8 = needs & NEEDS_I8 ? new Int8Array(buffer) : undefined;
    this.u16 = needs & NEEDS_U16 ? new Uint16Array(buffer, 0, length >>> 1) : undefined;
    this.i16 = needs & NEEDS_I16 ? new Int16Array(buffer, 0, length >>> 1) : undefined;
    this.u32 = needs & NEEDS_U32 ? new Uint32Array(buffer, 0, length >>> 2) : undefined;
    this.i32 = needs & NEEDS_I32 ? new Int32Array(buffer, 0, length >>> 2) : undefined;
    this.f32 = needs & NEEDS_F32 ? new Float32Array(buffer, 0, length >>> 2) : undefined;
    this.f64 = needs & NEEDS_F64 ? new Float64Array(buffer, 0, length >>> 3) : undefined;
    this.i64 = needs & NEEDS_I64 ? new BigInt64Array(buffer, 0, length >>> 3) : undefined;
    this.u64 = needs & NEEDS_U64 ? new BigUint64Array(buffer, 0, length >>> 3) : undefined;
  }
}

/** An offset that is a multiple of `align`, which is a power of two. The offset may be larger than 32 bits. */
export function alignUp(offset: number, align: number): number {
  const rest = offset % align;
  return rest === 0 ? offset : offset + align - rest;
}

/** The most bytes of an image. */
let maxBytes: number | undefined;

/** The buffer of the last image that was written. */
let idleImage: Uint8Array | undefined;

/** An image that is written. Getters of its values may make other calls, which write images of their own. */
export class Image extends NumberViews {
  /** The number of bytes that are in use. */
  end: number;
  #size: number;

  /** An image with a head of so many bytes. */
  constructor(head: number) {
    const bytes = idleImage ?? new Uint8Array(KEPT_IMAGE_BYTES);
    idleImage = undefined;
    super(bytes, NEEDS_ALL);
    this.#size = KEPT_IMAGE_BYTES;
    this.end = alignUp(head, 8);
  }

  /** Adds a block to the heap. Returns its offset. */
  block(length: number, align: number): number {
    const start = alignUp(this.end, align);
    const end = start + length;
    if (end > this.#size) this.#grow(end);
    this.end = end;
    return start;
  }

  #grow(needed: number): void {
    maxBytes ??= op_wasm_max_value_bytes();
    if (needed > maxBytes) {
      throw new WasmError(
        `the values take more than ${maxBytes} bytes of memory (max_component_value_bytes)`,
        TypeMismatch,
      );
    }
    const double = this.#size * 2;
    this.#size = alignUp(needed > double ? needed : double, 8);
    const larger = new Uint8Array(this.#size);
    TypedArrayPrototypeSet(larger, this.u8);
    this.see(larger, NEEDS_ALL);
  }

  /** The bytes of the image. They stay only until the next image is written. */
  finish(): Uint8Array {
    if (this.#size === KEPT_IMAGE_BYTES) idleImage = this.u8;
    return new Uint8Array(TypedArrayPrototypeGetBuffer(this.u8), 0, this.end);
  }
}

/** The heap of an image that is read. */
export class Heap extends NumberViews {
  readonly #length: number;
  /** The end of the last block that was read. */
  end: number = 0;

  constructor(bytes: Uint8Array, needs: number) {
    const length = TypedArrayPrototypeGetByteLength(bytes);
    // Views count from the start of the buffer.
    if (TypedArrayPrototypeGetByteOffset(bytes) !== 0) bytes = new Uint8Array(bytes);
    super(bytes, needs);
    this.#length = length;
  }

  /** Goes on to the next block. Returns its offset. */
  block(length: number, align: number): number {
    const start = alignUp(this.end, align);
    this.end = start + length;
    return start;
  }

  /** The bytes of the last block, in place. */
  bytes(start: number): Uint8Array {
    return new Uint8Array(TypedArrayPrototypeGetBuffer(this.u8), start, this.end - start);
  }

  /** Whether the last block, which began here, is the whole heap. */
  isWhole(start: number): boolean {
    return start === 0 && this.end === this.#length;
  }
}

/** The call frame, which heads pass through. */
export const frameViews: NumberViews = new NumberViews(frame8, NEEDS_ALL);

/** Writes a value at an offset of an image. */
export type Encode = (image: Image, at: number, value: unknown) => void;

/** Writes a value of a type without parts at an offset. */
export type EncodeScalar = (views: NumberViews, at: number, value: unknown) => void;

/** Reads a value at an offset of the head or of the heap. */
export type Decode = (views: NumberViews, at: number, heap: Heap | undefined) => unknown;

/** The conversion of images to values of a type. */
export interface Decoder {
  decode: Decode;
  /** Whether there are strings or lists in the values. */
  hasHeap: boolean;
  /** The views of the heap that it needs. */
  needs: number;
}

/** The conversion of the parameters, or of the result, of a function. */
export interface ImageValues {
  /** The number of values. */
  readonly count: number;
  /** Whether none of them is a `result`, which a function returns or throws. */
  readonly isPlain: boolean;
  /** Whether the values need no more than the call frame, on their way into the component. */
  readonly isScalar: boolean;
  /**
   * Writes values into the call frame. They have to be scalar.
   *
   * @throws {WasmError} `TypeMismatch` if one does not fit.
   */
  writeFrame(values: unknown[]): void;
  /**
   * The image of values. It stays only until the next one is made.
   *
   * @throws {WasmError} `TypeMismatch` if one does not fit.
   */
  image(values: unknown[]): Uint8Array;
  /** Reads the values that came out of a component last: their head is in the call frame. */
  read(store: number): unknown[];
  /** As `read`, of the only value. */
  readOne(store: number): unknown;
}

/** The conversions of a function whose values cross by the codec. */
export interface ImageFunction {
  params: ImageValues;
  result: ImageValues;
}
