// `Global`.

import { V128 } from "../codec.ts";
import { internal } from "../construct.ts";
import { SafeWeakMap, TypeError } from "../core.ts";
import { frame64 } from "../frame.ts";
import { op_wasm_get_global, op_wasm_new_global, op_wasm_set_global } from "../ops.ts";
import { namedType } from "./descriptors.ts";
import { convertError } from "./error_classes.ts";
import type { NamespaceState, ObjectClass } from "./namespace_state.ts";
import { ObjectState } from "./object_state.ts";
import { checkReference } from "./references.ts";
import { makeOrCollect } from "./store_pressure.ts";
import type { StandardStore } from "./standard_store.ts";
import { defaultValue, hasNoValues } from "./value_types.ts";
import type { ValueType } from "./value_types.ts";
import { coerce, readStandard, writeCoerced } from "./values.ts";
import { exposeInterface, isObjectLike, member } from "./web_idl.ts";

/**
 * A global. One that JavaScript makes is a value of JavaScript's until an instance imports it. A mutable one is in one
 * store then; of an immutable one, each store has a copy.
 */
export class GlobalState extends ObjectState {
  readonly type: ValueType;
  readonly isMutable: boolean;
  /** The value of a global that is in no store. */
  #value: unknown;
  /** The first store that it is in, and its handle there. */
  #store: StandardStore | undefined;
  #handle: number = 0;
  /** The handles of an immutable one in other stores. */
  readonly #copies: WeakMap<StandardStore, number> = new SafeWeakMap();

  constructor(namespace: NamespaceState, type: ValueType, isMutable: boolean, value: unknown) {
    super(namespace, "Global");
    this.type = type;
    this.isMutable = isMutable;
    this.#value = value;
  }

  /** The store that it cannot leave; `undefined` if it can be in any store. */
  get fixedStore(): StandardStore | undefined {
    return this.isMutable ? this.#store : undefined;
  }

  /** Records that a global of a store is this one. */
  place(store: StandardStore, handle: number): void {
    if (this.#store === undefined) {
      this.#store = store;
      this.#handle = handle;
      this.#value = undefined;
    } else {
      this.#copies.set(store, handle);
    }
    store.globals[handle] = this;
  }

  /** The handle in a store, where it is put if it is not there. */
  handleIn(store: StandardStore): number {
    if (this.#store === store) return this.#handle;
    let handle = this.#copies.get(store);
    if (handle === undefined) {
      const { name, kind } = this.type;
      if (kind === V128) {
        if (this.#store === undefined) clearSlot();
        else this.#load(this.#store);
      } else {
        writeCoerced(store, this.type, 0, this.get());
      }
      handle = makeOrCollect(this.namespace.errors, () => op_wasm_new_global(store.id, name, this.isMutable));
      this.place(store, handle);
    }
    return handle;
  }

  /** Has a binding of an ES module follow the value, which it has now. */
  follow(value: unknown, set: (value: unknown) => void): void {
    this.#store.addLiveBinding({ global: this, value, set });
  }

  get(): unknown {
    const store = this.#store;
    if (store === undefined) return this.#value;
    this.#load(store);
    return readStandard(store, this.type, 0);
  }

  /** Puts the value into the first slot of the call frame. */
  #load(store: StandardStore): void {
    try {
      op_wasm_get_global(store.id, this.#handle);
    } catch (error) {
      throw convertError(this.namespace.errors, error);
    }
  }

  set(value: unknown): void {
    const coerced = coerce(this.type, value);
    const store = this.#store;
    if (store === undefined) {
      checkReference(this.namespace, this.type, coerced);
      this.#value = coerced;
      return;
    }
    writeCoerced(store, this.type, 0, coerced);
    try {
      op_wasm_set_global(store.id, this.#handle);
    } catch (error) {
      throw convertError(this.namespace.errors, error);
    }
    store.refreshLiveBindings();
  }
}

/** Writes zeros into the first slot. */
function clearSlot(): void {
  frame64[0] = 0n;
  frame64[1] = 0n;
}

/** The class `Global` of a namespace object. */
export function makeGlobalClass(namespace: NamespaceState): ObjectClass {
  class Global {
    #global: GlobalState;

    constructor(type?: unknown, key?: unknown, state?: unknown) {
      if (key === internal) {
        this.#global = state as GlobalState;
      } else {
        if (!isObjectLike(type)) throw new TypeError("a global needs a type");
        const isMutable = !!member(type, "mutable");
        const named = member(type, "value");
        if (named === undefined) throw new TypeError("the type of a global needs a value");
        const valueType = namedType(named);
        if (valueType.kind === V128) throw new TypeError("JavaScript has no value of type v128");
        const value = key === undefined ? defaultValue(valueType) : coerce(valueType, key);
        checkReference(namespace, valueType, value);
        this.#global = new GlobalState(namespace, valueType, isMutable, value);
      }
      this.#global.attach(this);
    }

    get value(): unknown {
      return valueOf(this.#global);
    }

    set value(value: unknown) {
      const global = this.#global;
      if (!global.isMutable) throw new TypeError("the global is immutable");
      if (hasNoValues(global.type)) throw new TypeError("JavaScript has no values of the type of the global");
      global.set(value);
    }

    valueOf(): unknown {
      return valueOf(this.#global);
    }
  }
  exposeInterface(Global, "Global", 1);
  return Global;
}

function valueOf(global: GlobalState): unknown {
  if (hasNoValues(global.type)) throw new TypeError("JavaScript has no values of the type of the global");
  return global.get();
}
