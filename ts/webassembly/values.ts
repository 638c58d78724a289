// Conversion of values between JavaScript and slots of the call frame, as the WebAssembly JavaScript Interface defines
// it: `ToWebAssemblyValue` and `ToJSValue`.

import { EXTERN_REF, F32, F64, FUNC_REF, I32, I64, writeNumber, writeRef } from "../codec.ts";
import { REF_FUNC, REF_HOST, REF_I31, REF_NULL, REF_OBJECT } from "../constants.ts";
import { BigIntAsIntN, MathFround, TypeError } from "../core.ts";
import { describe, typeName } from "../describe.ts";
import { frame32, frame64, frameF32, frameF64, frameU32 } from "../frame.ts";
import { list } from "../list.ts";
import { guestObjects } from "./guest_objects.ts";
import { ANY_REF } from "./value_types.ts";
import type { ValueType } from "./value_types.ts";

/** The references of a store, as far as conversions need them. */
export interface StandardReferences {
  /** Adds a JavaScript value that a guest will hold, and returns its number. */
  hold(value: unknown): number;
  /** The JavaScript value with this number. */
  held(number: number): unknown;
  /** The exported function with this handle. */
  func(handle: number): unknown;
  /** The handle of an exported function, also of one of another store; −1 for any other value. */
  funcHandle(value: unknown): number;
  /** The JavaScript value for a guest's object with this number. */
  object(number: number): unknown;
  /** The number of an object of the store's guests; −1 for any other value. */
  objectNumber(value: unknown): number;
}

/**
 * The first half of `ToWebAssemblyValue`: the conversions that may run code of the app, which may use the call frame. A
 * reference stays as it is.
 *
 * @throws {TypeError} If the value cannot be converted.
 */
export function coerce({ kind, name }: ValueType, value: unknown): unknown {
  switch (kind) {
    case I32:
      return (value as number) | 0;
    case I64:
      return BigIntAsIntN(64, value as bigint);
    case F32:
      return MathFround(value as number);
    case F64:
      return +(value as number);
    case EXTERN_REF:
    case FUNC_REF:
    case ANY_REF:
      return value;
    default:
      throw new TypeError(`JavaScript has no value of type ${typeName(name)}`);
  }
}

/** The values of an app for these types, after `coerce`. Missing values are `undefined`. */
export function coerceAll(types: ValueType[], values: unknown[]): unknown[] {
  const coerced = list<unknown>();
  const given = values.length;
  for (let i = 0; i < types.length; i++) {
    coerced[i] = coerce(types[i], i < given ? values[i] : undefined);
  }
  return coerced;
}

/**
 * The second half of `ToWebAssemblyValue`: writes a value that was coerced into a slot. It runs no code of the app.
 *
 * @throws {TypeError} If the value is no reference of the type.
 */
export function writeCoerced(
  store: StandardReferences,
  type: ValueType,
  slot: number,
  value: unknown,
): void {
  // A number that was coerced needs no other conversion.
  if (writeNumber(type.kind, slot, value) || writeReference(store, type, slot, value)) return;
  throw new TypeError(`expected ${typeName(type.name)}, got ${describe(value)}`);
}

function writeReference(
  store: StandardReferences,
  { kind, isNullable }: ValueType,
  slot: number,
  value: unknown,
): boolean {
  if (value === null) return isNullable && writeRef(slot, REF_NULL, 0);
  if (kind === FUNC_REF) {
    const func = store.funcHandle(value);
    return func >= 0 && writeRef(slot, REF_FUNC, func);
  }
  if (isI31(value)) return writeRef(slot, REF_I31, value);
  const object = typeof value === "object" ? store.objectNumber(value) : -1;
  if (object >= 0) return writeRef(slot, REF_OBJECT, object);
  // An object of another store would be a value of JavaScript's to the guest, which casts could not tell apart.
  if (kind === ANY_REF && guestObjects.has(value as object)) return false;
  return writeRef(slot, REF_HOST, store.hold(value));
}

/** Whether a value is a number that an i31 can hold. −0 is none: it would become 0. */
export function isI31(value: unknown): value is number {
  return typeof value === "number" && value >= -0x40000000 && value < 0x40000000 &&
    (value | 0) === value && (value !== 0 || 1 / value > 0);
}

/** Writes values that were coerced into the first slots. */
export function writeAll(store: StandardReferences, types: ValueType[], values: unknown[]): void {
  for (let i = 0; i < types.length; i++) writeCoerced(store, types[i], i, values[i]);
}

/** `ToJSValue`: the value in a slot. */
export function readStandard(store: StandardReferences, { kind, name }: ValueType, slot: number): unknown {
  switch (kind) {
    case I32:
      return frame32[slot << 2];
    case I64:
      return frame64[slot << 1];
    case F32:
      return frameF32[slot << 2];
    case F64:
      return frameF64[slot << 1];
    case EXTERN_REF:
    case FUNC_REF:
    case ANY_REF:
      return readReference(store, slot);
    default:
      throw new TypeError(`JavaScript has no value of type ${typeName(name)}`);
  }
}

/** The reference in a slot. */
function readReference(store: StandardReferences, slot: number): unknown {
  const number = frameU32[slot << 2];
  switch (frameU32[(slot << 2) + 1]) {
    case REF_HOST:
      return store.held(number);
    case REF_FUNC:
      return store.func(number);
    case REF_OBJECT:
      return store.object(number);
    case REF_I31:
      return number | 0;
    default:
      return null;
  }
}

/** A list of the values in the first slots. */
export function readAll(store: StandardReferences, types: ValueType[]): unknown[] {
  const values = list<unknown>();
  for (let i = 0; i < types.length; i++) values[i] = readStandard(store, types[i], i);
  return values;
}
