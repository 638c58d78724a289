// Conversions and shapes of Web IDL, in which the WebAssembly JavaScript Interface is written.

import {
  BigInt,
  MathTrunc,
  Number,
  NumberIsFinite,
  ObjectDefineProperty,
  ObjectGetOwnPropertyDescriptors,
  ObjectGetPrototypeOf,
  ObjectHasOwn,
  ObjectPrototype,
  ReflectGet,
  ReflectOwnKeys,
  String,
  SymbolToStringTag,
  TypeError,
} from "../core.ts";
import { describe } from "../describe.ts";
import { nameFunction } from "./properties.ts";

/**
 * Makes the members of a class, of its prototype or of a namespace enumerable, as Web IDL has them.
 */
export function exposeMembers(object: object): void {
  const descriptors = ObjectGetOwnPropertyDescriptors(object);
  const keys = ReflectOwnKeys(descriptors);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i];
    if (typeof key !== "string" || key === "constructor" || key === "prototype") continue;
    if (key === "name" || key === "length") {
      // The name and the length of a function; the attribute `length` of a prototype is an accessor.
      if (descriptors[key].get === undefined) continue;
    }
    ObjectDefineProperty(object, key, { __proto__: null, enumerable: true });
  }
}

/** Makes a class an interface of this name. `length` is the number of arguments that its constructor needs. */
export function exposeInterface(type: { prototype: object }, name: string, length: number): void {
  exposeMembers(type);
  exposeMembers(type.prototype);
  nameFunction(type, name, length);
  defineTag(type.prototype, `WebAssembly.${name}`);
}

/** Defines `Symbol.toStringTag`. */
export function defineTag(object: object, tag: string): void {
  ObjectDefineProperty(object, SymbolToStringTag, {
    __proto__: null,
    value: tag,
    writable: false,
    enumerable: false,
    configurable: true,
  });
}

/** Fails if a method gets fewer arguments than it needs. */
export function requireArguments(given: number, needed: number): void {
  if (given < needed) throw new TypeError(`${needed} arguments are needed, got ${given}`);
}

/** Whether a value is an object or a function. */
export function isObjectLike(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** `[EnforceRange] unsigned long`. */
export function toUnsignedLong(value: unknown, what: string): number {
  const number = +(value as number);
  const integer = MathTrunc(number);
  if (!NumberIsFinite(number) || integer < 0 || integer > 0xffffffff) {
    throw new TypeError(`${what} must be an integer from 0 to 2^32 - 1, got ${describe(value)}`);
  }
  // Makes 0 of −0.
  return integer + 0;
}

/** Whether the addresses of a memory or the indices of a table have 64 bits. */
export type AddressType = "i32" | "i64";

/** `AddressValueToU64`, as a bigint where it may not be a safe integer. */
export function toAddress(value: unknown, type: AddressType, what: string): number | bigint {
  if (type === "i32") return toUnsignedLong(value, what);
  const integer = toBigInt(value);
  if (integer < 0n || integer > 0xffffffffffffffffn) {
    throw new TypeError(`${what} must be a bigint from 0 to 2^64 - 1, got ${describe(value)}`);
  }
  return integer;
}

/** `ToBigInt`, which refuses numbers. */
function toBigInt(value: unknown): bigint {
  const primitive = isObjectLike(value) ? toNumeric(value) : value;
  if (typeof primitive === "number" || primitive === undefined || primitive === null) {
    throw new TypeError(`expected a bigint, got ${describe(primitive)}`);
  }
  return BigInt(primitive as bigint);
}

/** The primitive value of an object, as for arithmetic. */
function toNumeric(value: object): unknown {
  // Multiplication by a bigint converts an object to a primitive value, and refuses all but bigints.
  const big = value as unknown as bigint;
  return big * 1n;
}

/** `U64ToAddressValue`. */
export function fromAddress(value: number, type: AddressType): number | bigint {
  return type === "i64" ? BigInt(value) : value;
}

/** An address as ops take it; `Infinity` if it is no safe integer. */
export function toOpAddress(address: number | bigint): number {
  if (typeof address === "number") return address;
  return address <= 0x1fffffffffffffn ? Number(address) : Infinity;
}

/**
 * A member of a dictionary; `undefined` if the dictionary is missing. A property that a script has put on
 * `Object.prototype` is no member.
 */
export function member(dictionary: unknown, name: string): unknown {
  if (dictionary === undefined || dictionary === null) return undefined;
  if (!ObjectHasOwn(ObjectPrototype, name)) return dictionary[name];
  let holder = dictionary as object;
  while (holder !== null && holder !== ObjectPrototype) {
    if (ObjectHasOwn(holder, name)) return ReflectGet(holder, name, dictionary);
    holder = ObjectGetPrototypeOf(holder);
  }
  return undefined;
}

/** A dictionary. */
export function checkDictionary(value: unknown, what: string): void {
  if (value !== undefined && value !== null && !isObjectLike(value)) {
    throw new TypeError(`${what} must be an object, got ${describe(value)}`);
  }
}

/** `DOMString`, for an enumeration too. */
export function toDomString(value: unknown): string {
  if (typeof value === "symbol") throw new TypeError("cannot convert a symbol to a string");
  return String(value);
}
