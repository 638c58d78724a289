// Calls whose values cross as images: how the values of a function go into a component, and come out of it.

import { quote } from "../describe.ts";
import { TypeMismatch, WasmError } from "../errors.ts";
import { append, list } from "../list.ts";
import { op_wasm_component_heap, op_wasm_component_text } from "../ops.ts";
import type { ComponentFunction } from "./component.ts";
import { functionName } from "./component_imports.ts";
import { frameViews, Heap, Image } from "./image.ts";
import type { Decode, Encode, EncodeScalar, ImageFunction, ImageValues } from "./image.ts";
import { decoderOf } from "./image_decoder.ts";
import { encoderOf, scalarEncoder } from "./image_encoder.ts";
import { WitMisfit } from "./value_writer.ts";
import { WIT_RESULT, WIT_STRING } from "./wit_types.ts";
import type { WitType } from "./wit_types.ts";

/** The error of a value that does not fit; any other error as it is. */
function misfitError(error: unknown, what: string): unknown {
  if (!(error instanceof WitMisfit)) return error;
  const { path, expected, got } = error;
  const place = path === "" ? what : `${what}, at ${path}`;
  return new WasmError(`${place}: expected ${expected}, got ${got}`, TypeMismatch);
}

/** Values of some types. */
class TypedValues implements ImageValues {
  readonly count: number;
  readonly isPlain: boolean = true;
  readonly isScalar: boolean;
  readonly #scalars: EncodeScalar[] = list();
  readonly #encoders: Encode[] = list();
  readonly #decoders: Decode[] = list();
  readonly #offsets: number[];
  readonly #size: number;
  readonly #hasHeap: boolean = false;
  /** The views of the heap that the decoders need. */
  readonly #needs: number = 0;
  /** Whether the heap is one string. */
  readonly #isText: boolean;
  readonly #what: (index: number) => string;

  /** Values of these types, at these offsets of a head. `what` names a value, by its index, for messages. */
  constructor(
    types: WitType[],
    offsets: number[],
    size: number,
    what: (index: number) => string,
  ) {
    this.count = types.length;
    this.#offsets = offsets;
    this.#size = size;
    this.#what = what;
    for (let i = 0; i < types.length; i++) {
      if (types[i].kind === WIT_RESULT) this.isPlain = false;
      const scalar = scalarEncoder(types[i]);
      if (scalar !== undefined) append(this.#scalars, scalar);
      append(this.#encoders, encoderOf(types[i]));
      const { decode, hasHeap, needs } = decoderOf(types[i]);
      append(this.#decoders, decode);
      this.#hasHeap ||= hasHeap;
      this.#needs |= needs;
    }
    this.isScalar = this.#scalars.length === types.length;
    this.#isText = types.length === 1 && types[0].kind === WIT_STRING;
  }

  writeFrame(values: unknown[]): void {
    const { count } = this;
    const scalars = this.#scalars;
    const offsets = this.#offsets;
    let i = 0;
    try {
      for (; i < count; i++) scalars[i](frameViews, offsets[i], values[i]);
    } catch (error) {
      throw misfitError(error, this.#what(i));
    }
  }

  image(values: unknown[]): Uint8Array {
    const image = new Image(this.#size);
    let i = 0;
    try {
      for (; i < this.count; i++) this.#encoders[i](image, this.#offsets[i], values[i]);
    } catch (error) {
      throw misfitError(error, this.#what(i));
    }
    return image.finish();
  }

  read(store: number): unknown[] {
    const values = list<unknown>();
    if (this.#isText) {
      append(values, op_wasm_component_text(store));
      return values;
    }
    const heap = this.#hasHeap ? new Heap(op_wasm_component_heap(store), this.#needs) : undefined;
    for (let i = 0; i < this.count; i++) {
      append(values, this.#decoders[i](frameViews, this.#offsets[i], heap));
    }
    return values;
  }

  readOne(store: number): unknown {
    if (this.#isText) return op_wasm_component_text(store);
    const heap = this.#hasHeap ? new Heap(op_wasm_component_heap(store), this.#needs) : undefined;
    return this.#decoders[0](frameViews, 0, heap);
  }
}

/**
 * The image of a `result` that is `ok` or `err`, with the value of that case. If the case has none, the value is ignored,
 * as that of a function that returns nothing.
 *
 * @throws {WasmError} `TypeMismatch` if the value does not fit.
 */
export function imageOfEnd(type: WitType, isErr: boolean, value: unknown, what: () => string): Uint8Array {
  const image = new Image(type.size);
  image.u8[0] = isErr ? 1 : 0;
  const part = type.parts[isErr ? 1 : 0];
  try {
    if (part !== undefined) encoderOf(part)(image, type.payload, value);
  } catch (error) {
    throw misfitError(error, what());
  }
  return image.finish();
}

/** The conversions of a function of a component; `undefined` if its values do not cross by the codec. */
export function imageFunctionOf(called: ComponentFunction): ImageFunction | undefined {
  if (called.plan === undefined) return undefined;
  return called.images ??= makeImageFunction(called);
}

function makeImageFunction(called: ComponentFunction): ImageFunction {
  const { names, params, result } = called.signature;
  const { offsets, size } = called.plan;
  const results = result === undefined ? list<WitType>() : list(result);
  const resultSize = result === undefined ? 0 : result.size;
  return {
    params: new TypedValues(
      params,
      offsets,
      size,
      (i) => `argument ${quote(names[i])} of ${functionName(called)}`,
    ),
    result: new TypedValues(
      results,
      list(0),
      resultSize,
      () => `the result of import ${functionName(called)}`,
    ),
  };
}
