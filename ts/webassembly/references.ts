// Checks of references that are in no store yet.

import { FUNC_REF } from "../codec.ts";
import { TypeError } from "../core.ts";
import { describe, typeName } from "../describe.ts";
import { guestObjects } from "./guest_objects.ts";
import type { NamespaceState } from "./namespace_state.ts";
import { calleeOfExport } from "./standard_store.ts";
import { ANY_REF } from "./value_types.ts";
import type { ValueType } from "./value_types.ts";
import { isI31 } from "./values.ts";

/**
 * Checks a value that was coerced, as far as that is possible without a store.
 *
 * @throws {TypeError} If it is no reference of the type.
 */
export function checkReference(namespace: NamespaceState, type: ValueType, value: unknown): void {
  if (!canBe(namespace, type, value)) {
    throw new TypeError(`expected ${typeName(type.name)}, got ${describe(value)}`);
  }
}

function canBe(namespace: NamespaceState, { kind, name, isNullable }: ValueType, value: unknown): boolean {
  if (kind < FUNC_REF && value !== null) return true;
  if (value === null) return isNullable;
  if (kind === FUNC_REF) return calleeOfExport(value)?.store.namespace === namespace;
  if (kind !== ANY_REF || name === "anyref" || name === "(ref any)") return true;
  const isNumber = name === "eqref" || name === "(ref eq)" || name === "i31ref" || name === "(ref i31)";
  return isNumber && isI31(value) || guestObjects.has(value as object);
}
