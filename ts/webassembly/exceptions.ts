// `Exception`.

import { own } from "../check.ts";
import { construct, internal } from "../construct.ts";
import { NativeError, RangeError, ReflectConstruct, SafeWeakMap, TypeError } from "../core.ts";
import { hasJit } from "../func.ts";
import { list } from "../list.ts";
import { op_wasm_new_exception, op_wasm_read_exception } from "../ops.ts";
import { listOf } from "./iterables.ts";
import type { NamespaceState, ObjectClass } from "./namespace_state.ts";
import { stateOf } from "./object_state.ts";
import { defineHidden } from "./properties.ts";
import { checkReference } from "./references.ts";
import type { StandardStore } from "./standard_store.ts";
import { tagIn, TagState } from "./tags.ts";
import { hasNoValues } from "./value_types.ts";
import { coerceAll, readStandard, writeAll } from "./values.ts";
import { checkDictionary, exposeInterface, member, requireArguments, toUnsignedLong } from "./web_idl.ts";

/** An exception. */
class ExceptionState {
  readonly tag: TagState;
  /** The values that it carries. Where JavaScript has no value of the type, the list has `undefined`. */
  readonly payload: unknown[];
  /**
   * The number of the store whose guest threw it, and its own number there. Not the store itself, which would live as
   * long as the exception.
   */
  readonly origin: number;
  readonly number: number;
  /** Its numbers in other stores, if it was there. */
  numbers: WeakMap<StandardStore, number> | undefined;

  constructor(tag: TagState, payload: unknown[], origin: number = -1, number: number = 0) {
    this.tag = tag;
    this.payload = payload;
    this.origin = origin;
    this.number = number;
  }
}

/** The values that an exception of a guest carries. */
function payloadOf(store: StandardStore, number: number, { params }: TagState): unknown[] {
  const payload = list<unknown>();
  if (params.length === 0) return payload;
  op_wasm_read_exception(store.id, number);
  for (let i = 0; i < params.length; i++) {
    payload[i] = hasNoValues(params[i]) ? undefined : readStandard(store, params[i], i);
  }
  return payload;
}

const exceptionStates: WeakMap<object, ExceptionState> = new SafeWeakMap();

/** Stands for the number of an exception that a store cannot have as one of its own. */
export const FOREIGN = -2;

/** The number of an exception in a store, or `FOREIGN`; −1 for any other value. */
export function exceptionIn(store: StandardStore, value: unknown): number {
  const exception = exceptionStates.get(value as object);
  if (exception === undefined || exception.tag.namespace !== store.namespace) return -1;
  if (exception.origin === store.id) return exception.number;
  let number = exception.numbers?.get(store);
  if (number === undefined) {
    number = copyInto(store, exception);
    if (number === FOREIGN) return FOREIGN;
    exception.numbers ??= new SafeWeakMap();
    exception.numbers.set(store, number);
    store.addObject(number, value as object);
  }
  return number;
}

/**
 * Makes an exception of a store with the tag and the values of another one, and returns its number. `FOREIGN` if no
 * guest of the store can know the tag, or the store cannot have the values.
 */
function copyInto(store: StandardStore, { tag, payload }: ExceptionState): number {
  if (!tag.isIn(store)) return FOREIGN;
  for (let i = 0; i < tag.params.length; i++) if (hasNoValues(tag.params[i])) return FOREIGN;
  try {
    writeAll(store, tag.params, payload);
    return op_wasm_new_exception(store.id, tag.handleIn(store));
  } catch {
    return FOREIGN;
  }
}

/** The value that JavaScript gets for an exception that leaves a guest. For the tag `JSTag` it is the value inside. */
export function thrownBy(exception: object): unknown {
  const state = exceptionStates.get(exception);
  return state !== undefined && state.tag.isJsTag ? state.payload[0] : exception;
}

/** Makes the object for an exception of a guest, whose tag has this handle. */
export function makeException(store: StandardStore, number: number, tagHandle: number): object {
  const tag = tagIn(store, tagHandle);
  const state = new ExceptionState(tag, payloadOf(store, number, tag), store.id, number);
  return construct(store.namespace.classes.Exception, undefined, internal, state);
}

/**
 * The object to construct in the place of `object`, which is an instance of `type`. QuickJS never frees about 20 KB for
 * each `throw` of an object that is no error inside: so there it is an error in all but its prototype.
 */
function throwable(object: object, type: unknown): object {
  if (hasJit) return object;
  const error = ReflectConstruct(NativeError, list(), type);
  delete error.stack;
  return error;
}

/** The class `Exception` of a namespace object. */
export function makeExceptionClass(namespace: NamespaceState): ObjectClass {
  class Exception {
    constructor(tag: unknown, payload: unknown, ...rest: unknown[]) {
      const exception = throwable(this, new.target);
      if (payload === internal) {
        exceptionStates.set(exception, own(rest, 0) as ExceptionState);
        return exception as Exception;
      }
      const state = stateOf(namespace, TagState, tag);
      if (state === undefined) throw new TypeError("an exception needs a Tag");
      if (state.isJsTag) throw new TypeError("an exception cannot have the tag WebAssembly.JSTag");
      const options = own(rest, 0);
      checkDictionary(options, "the options of an exception");
      const traces = member(options, "traceStack");
      const values = listOf(payload, state.params.length + 1);
      if (values.length !== state.params.length) {
        throw new TypeError(`the tag has ${state.params.length} parameters, got ${values.length} values`);
      }
      const coerced = coerceAll(state.params, values);
      for (let i = 0; i < coerced.length; i++) checkReference(namespace, state.params[i], coerced[i]);
      exceptionStates.set(exception, new ExceptionState(state, coerced));
      if (traces) defineHidden(exception, "stack", new NativeError().stack);
      return exception as Exception;
    }

    is(tag: unknown): boolean {
      const { tag: own } = receiver(this);
      const other = stateOf(namespace, TagState, tag);
      if (other === undefined) throw new TypeError("expected a Tag");
      return own === other;
    }

    getArg(tag: unknown, index: unknown): unknown {
      const exception = receiver(this);
      requireArguments(arguments.length, 2);
      const other = stateOf(namespace, TagState, tag);
      if (other === undefined) throw new TypeError("expected a Tag");
      const at = toUnsignedLong(index, "the index");
      if (exception.tag !== other) throw new TypeError("the exception has another tag");
      if (at >= other.params.length) {
        throw new RangeError(`the exception has ${other.params.length} values`);
      }
      if (hasNoValues(other.params[at])) throw new TypeError("JavaScript has no value of the type");
      return exception.payload[at];
    }
  }
  exposeInterface(Exception, "Exception", 2);
  return Exception;
}

function receiver(value: unknown): ExceptionState {
  const state = exceptionStates.get(value as object);
  if (state === undefined) throw new TypeError("expected an Exception");
  return state;
}
