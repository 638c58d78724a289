// The descriptors by which an app makes memories, tables, globals and tags.

import { TypeError } from "../core.ts";
import { quote } from "../describe.ts";
import { valueType } from "./value_types.ts";
import type { ValueType } from "./value_types.ts";
import { isObjectLike, member, toAddress, toDomString } from "./web_idl.ts";
import type { AddressType } from "./web_idl.ts";

/** The limits in a `MemoryDescriptor` or `TableDescriptor`. */
interface DescribedLimits {
  address: AddressType;
  initial: number | bigint;
  maximum: number | bigint | undefined;
  shared: boolean;
}

/**
 * The limits in a descriptor of an app's. The members are read in the order of Web IDL, which is the order of their
 * names.
 *
 * @throws {TypeError} If one is unusable.
 */
export function readLimits(type: unknown, kind: string): DescribedLimits {
  if (!isObjectLike(type)) throw new TypeError(`a ${kind} needs a type`);
  const named = member(type, "address");
  const address = named === undefined ? "i32" : toDomString(named);
  if (address !== "i32" && address !== "i64") {
    throw new TypeError(`an address is "i32" or "i64", not ${quote(address)}`);
  }
  let initial = member(type, "initial");
  if (initial !== undefined) initial = toAddress(initial, address, "initial");
  const maximum = member(type, "maximum");
  const last = maximum === undefined ? undefined : toAddress(maximum, address, "maximum");
  // The name of the same member in the proposal for type reflection.
  let minimum = member(type, "minimum");
  if (minimum !== undefined) minimum = toAddress(minimum, address, "minimum");
  if (initial !== undefined && minimum !== undefined) {
    throw new TypeError("initial and minimum are the same member");
  }
  const first = (initial ?? minimum) as number | bigint | undefined;
  if (first === undefined) throw new TypeError("initial is missing");
  const shared = kind === "memory" && !!member(type, "shared");
  return { address, initial: first, maximum: last, shared };
}

/**
 * The value type of this name in a descriptor.
 *
 * @throws {TypeError} If there is none.
 */
export function namedType(name: unknown): ValueType {
  const text = toDomString(name);
  switch (text) {
    case "i32":
    case "i64":
    case "f32":
    case "f64":
    case "v128":
    case "externref":
      return valueType(text);
    case "anyfunc":
      return valueType("funcref");
    default:
      throw new TypeError(`${text} is no value type`);
  }
}
