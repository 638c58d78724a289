// `Tag` and `Exception`.

import { own } from "../check.ts";
import { V128 } from "../codec.ts";
import { construct, internal } from "../construct.ts";
import { JSONParse, NativeError, RangeError, ReflectConstruct, SafeWeakMap, TypeError } from "../core.ts";
import { hasJit } from "../func.ts";
import { toJson } from "../json.ts";
import { append, list } from "../list.ts";
import {
  op_wasm_exception_tag,
  op_wasm_js_tag,
  op_wasm_new_exception,
  op_wasm_new_tag,
  op_wasm_read_exception,
  op_wasm_tag_type,
} from "../ops.ts";
import { listOf } from "./iterables.ts";
import type { NamespaceState, ObjectClass } from "./namespace_state.ts";
import { convertError, defineHidden } from "./error_classes.ts";
import type { StandardStore } from "./standard_store.ts";
import { checkReference } from "./references.ts";
import { EXN_REF, valueType, valueTypes } from "./value_types.ts";
import type { ValueType } from "./value_types.ts";
import { coerceAll, readStandard, writeAll } from "./values.ts";
import {
  checkDictionary,
  exposeInterface,
  isObjectLike,
  member,
  requireArguments,
  toDomString,
  toUnsignedLong,
} from "./web_idl.ts";

/** The most parameters of a tag, as the specification limits those of a function. */
const MAX_PARAMETERS = 1000;

/** A tag. It has a tag of its own in each store where a guest needs it. */
export class TagState {
  readonly namespace: NamespaceState;
  readonly params: ValueType[];
  /** Whether it is `WebAssembly.JSTag`, by which JavaScript's values are thrown. */
  readonly isJsTag: boolean;
  readonly #handles: WeakMap<StandardStore, number> = new SafeWeakMap();
  #object: object | undefined;

  constructor(namespace: NamespaceState, params: ValueType[], isJsTag: boolean) {
    this.namespace = namespace;
    this.params = params;
    this.isJsTag = isJsTag;
  }

  /** The handle of the tag in a store. */
  handleIn(store: StandardStore): number {
    let handle = this.#handles.get(store);
    if (handle === undefined) {
      try {
        handle = this.isJsTag ? op_wasm_js_tag(store.id) : op_wasm_new_tag(store.id, this.#types());
      } catch (error) {
        throw convertError(store.namespace.errors, error);
      }
      this.place(store, handle);
    }
    return handle;
  }

  /** Whether a guest of a store can know it. */
  isIn(store: StandardStore): boolean {
    return this.#handles.has(store);
  }

  /** Records that a tag of a store is this one. */
  place(store: StandardStore, handle: number): void {
    this.#handles.set(store, handle);
    store.tags[handle] = this;
  }

  /** The `Tag` for it. */
  get object(): object {
    return this.#object ??= construct(this.namespace.classes.Tag, undefined, internal, this);
  }

  setObject(object: object): void {
    this.#object = object;
  }

  #types(): string {
    const names = list<string>();
    for (let i = 0; i < this.params.length; i++) append(names, this.params[i].name);
    return toJson(names);
  }
}

/** The tag with this handle in a store. `params` are the types of its parameters. */
export function tagIn(store: StandardStore, handle: number, params: string[]): TagState {
  let tag = store.tags[handle] as TagState | undefined;
  if (tag === undefined) {
    tag = new TagState(store.namespace, valueTypes(params), false);
    tag.place(store, handle);
  }
  return tag;
}

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
  /** Its numbers in other stores. */
  readonly numbers: WeakMap<StandardStore, number> = new SafeWeakMap();

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
  let number = exception.numbers.get(store);
  if (number === undefined) {
    number = copyInto(store, exception);
    if (number === FOREIGN) return FOREIGN;
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

/** Whether JavaScript has no values of a type. */
function hasNoValues({ kind }: ValueType): boolean {
  return kind === V128 || kind === EXN_REF;
}

/** The value that JavaScript gets for an exception that leaves a guest: the exception, or the value in one of JavaScript's. */
export function thrownBy(exception: object): unknown {
  const state = exceptionStates.get(exception);
  return state !== undefined && state.tag.isJsTag ? state.payload[0] : exception;
}

/** Makes the object for an exception of a guest. */
export function makeException(store: StandardStore, number: number): object {
  const handle = op_wasm_exception_tag(store.id, number);
  const tag = tagIn(store, handle, JSONParse(op_wasm_tag_type(store.id, handle)).params);
  const state = new ExceptionState(tag, payloadOf(store, number, tag), store.id, number);
  return construct(store.namespace.classes.Exception, undefined, internal, state);
}

const tagStates: WeakMap<object, TagState> = new SafeWeakMap();

/** The state of a `Tag` of this namespace object; `undefined` for any other value. */
export function tagOf(namespace: NamespaceState, value: unknown): TagState | undefined {
  const tag = tagStates.get(value as object);
  return tag?.namespace === namespace ? tag : undefined;
}

/** The class `Tag` of a namespace object. */
export function makeTagClass(namespace: NamespaceState): ObjectClass {
  class Tag {
    constructor(type?: unknown, key?: unknown, state?: TagState) {
      if (key === internal) {
        tagStates.set(this, state);
        return;
      }
      if (!isObjectLike(type)) throw new TypeError("a tag needs a type");
      const parameters = member(type, "parameters");
      if (parameters === undefined) throw new TypeError("the type of a tag needs parameters");
      const names = listOf(parameters, MAX_PARAMETERS + 1);
      if (names.length > MAX_PARAMETERS) throw new TypeError("a tag has too many parameters");
      const params = list<ValueType>();
      for (let i = 0; i < names.length; i++) append(params, namedType(names[i]));
      const tag = new TagState(namespace, params, false);
      tag.setObject(this);
      tagStates.set(this, tag);
    }
  }
  exposeInterface(Tag, "Tag", 1);
  return Tag;
}

/** The value type of this name in the standard's descriptors. */
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
      const state = tagOf(namespace, tag);
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
      const other = tagOf(namespace, tag);
      if (other === undefined) throw new TypeError("expected a Tag");
      return own === other;
    }

    getArg(tag: unknown, index: unknown): unknown {
      const exception = receiver(this);
      requireArguments(arguments.length, 2);
      const other = tagOf(namespace, tag);
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
