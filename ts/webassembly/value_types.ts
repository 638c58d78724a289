// The types of values, as the conversions of the standard object need them.

import { codec, EXTERN_REF, F32, F64, FUNC_REF, I32, I64, V128 } from "../codec.ts";
import { SafeMap, StringPrototypeStartsWith } from "../core.ts";
import { append, list } from "../list.ts";

/** A reference below `any`: a struct, an array, an i31, or a JavaScript value that was converted. */
export const ANY_REF = 8;
/** A reference to an exception. JavaScript has no value for it. */
export const EXN_REF = 9;

/** A type of values. */
export interface ValueType {
  /** As in the text format. */
  readonly name: string;
  readonly kind: number;
  /** Whether the null reference is of the type. */
  readonly isNullable: boolean;
}

/** The types by name. There are only so many: a type that a module defines has the name of its kind. */
const types: Map<string, ValueType> = new SafeMap();

/** The type with this name in the text format. */
export function valueType(name: string): ValueType {
  let type = types.get(name);
  if (type === undefined) {
    const isNullable = !StringPrototypeStartsWith(name, "(ref ") ||
      StringPrototypeStartsWith(name, "(ref null ");
    type = { name, kind: kindOfType(name), isNullable };
    types.set(name, type);
  }
  return type;
}

function kindOfType(name: string): number {
  switch (name) {
    case "nullexternref":
    case "(ref noextern)":
      return EXTERN_REF;
    case "nullfuncref":
    case "(ref nofunc)":
      return FUNC_REF;
    case "exnref":
    case "nullexnref":
    case "(ref exn)":
    case "(ref noexn)":
    case "(ref $exn)":
    case "(ref null $exn)":
      return EXN_REF;
  }
  const { kind } = codec(name);
  return kind <= FUNC_REF ? kind : ANY_REF;
}

/** Whether values of a type are references. The kinds of references are above those of numbers and vectors. */
export function isReferenceType({ kind }: ValueType): boolean {
  return kind >= EXTERN_REF;
}

/** Whether JavaScript has no values of a type. */
export function hasNoValues({ kind }: ValueType): boolean {
  return kind === V128 || kind === EXN_REF;
}

/** `DefaultValue`: the value of a type where an app gives none. */
export function defaultValue({ kind }: ValueType): unknown {
  switch (kind) {
    case I64:
      return 0n;
    case FUNC_REF:
    case ANY_REF:
      return null;
    default:
      return kind < V128 ? 0 : undefined;
  }
}

/** The types with these names. */
export function valueTypes(names: string[]): ValueType[] {
  const converted = list<ValueType>();
  for (let i = 0; i < names.length; i++) append(converted, valueType(names[i]));
  return converted;
}

/** The types of a function, prepared for calls. */
export interface FunctionType {
  readonly params: ValueType[];
  readonly results: ValueType[];
  /** Whether the parameters are numbers of JavaScript's, and the results are at most one such number. */
  readonly isNumeric: boolean;
  /** Whether JavaScript has no values for one of the types, so that each call from or to JavaScript fails. */
  readonly isUnusable: boolean;
  /** Whether objects of guests may be among the values. */
  readonly hasObjects: boolean;
  /** Whether it is the type of an import whose promise the guest waits for. */
  readonly isSuspending: boolean;
}

/** The types of a function, whose value types are written as in the text format. */
export function functionType(type: { params: string[]; results: string[] }): FunctionType {
  const params = valueTypes(type.params);
  const results = valueTypes(type.results);
  let isNumeric = results.length <= 1;
  let isUnusable = false;
  let hasObjects = false;
  for (let i = 0; i < params.length + results.length; i++) {
    const type = i < params.length ? params[i] : results[i - params.length];
    isNumeric &&= type.kind === I32 || type.kind === F32 || type.kind === F64;
    isUnusable ||= hasNoValues(type);
    // Objects come as `externref` too.
    hasObjects ||= type.kind === ANY_REF || type.kind === EXTERN_REF;
  }
  return { params, results, isNumeric, isUnusable, hasObjects, isSuspending: false };
}

/** The type of an import whose promise the guest waits for. */
export function suspendingType(type: FunctionType): FunctionType {
  const { params, results, isNumeric, isUnusable, hasObjects } = type;
  return { params, results, isNumeric, isUnusable, hasObjects, isSuspending: true };
}
