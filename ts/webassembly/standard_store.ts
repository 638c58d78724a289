import { ABORTED, THREW } from "../constants.ts";
import { JSONParse, ObjectIs, RangeError, ReflectApply, SafeWeakMap } from "../core.ts";
import { messageIn } from "../errors.ts";
import type { WasmError } from "../errors.ts";
import { frameU32 } from "../frame.ts";
import { endedGuest, uncatchable } from "../guest_errors.ts";
import { append, list } from "../list.ts";
import {
  op_wasm_exception_tag,
  op_wasm_func_import,
  op_wasm_func_type,
  op_wasm_new_grouped_store,
  op_wasm_new_host_function,
  op_wasm_spend_fuel,
} from "../ops.ts";
import { noBytes, StoreState } from "../store_state.ts";
import type { Dispatch } from "../store_state.ts";
import type { WasmFunction } from "../types.ts";
import { convertError, standardError } from "./error_classes.ts";
import { GuestObjects, guestObjects, newGuestObject } from "./guest_objects.ts";
import type { NamespaceState } from "./namespace_state.ts";
import { makeOrCollect, relieveNow, watchStore } from "./store_pressure.ts";
import { functionType } from "./value_types.ts";
import type { FunctionType } from "./value_types.ts";
import type { StandardReferences } from "./values.ts";

/** A function of a guest, as its exported function knows it. */
export interface StandardCallee {
  store: StandardStore;
  /** Its number among the functions of the store. */
  handle: number;
  /** The number by which ops call it. */
  number: number;
  type: FunctionType;
  /** The handles of functions that call it, in other stores. */
  foreign: WeakMap<StandardStore, number> | undefined;
}

/** The exported functions of all namespace objects. */
export const exportedFunctions: WeakMap<object, StandardCallee> = new SafeWeakMap();

/** The call data of an exported function; `undefined` for any other value. */
export function calleeOfExport(value: unknown): StandardCallee | undefined {
  return exportedFunctions.get(value as object);
}

/**
 * Makes a store.
 *
 * @throws {LinkError} If a cap does not allow it.
 */
export function newStandardStore(namespace: NamespaceState): StandardStore {
  const { group, wasi } = namespace;
  relieveNow();
  const id = makeOrCollect(
    namespace.errors,
    () =>
      wasi === undefined
        ? op_wasm_new_grouped_store(group, "", noBytes)
        : op_wasm_new_grouped_store(group, wasi.config, wasi.stdin),
  );
  const store = new StandardStore(namespace, id);
  watchStore(store, group);
  return store;
}

/** The fuel for reading a global for its binding. */
const FUEL_PER_BINDING = 100;

/** The binding of an ES module that has the value of a mutable global. */
export interface LiveBinding {
  readonly global: { get(): unknown };
  /** The value that the binding has. */
  value: unknown;
  set(value: unknown): void;
}

/** The parts of a store whose files are above this one. */
interface StoreParts {
  dispatch: Dispatch;
  /** Makes the exported function for a function of a guest. */
  makeFunction(store: StandardStore, handle: number, type: FunctionType, name: string): WasmFunction;
  /** Makes the object for an exception of a guest, whose tag has this handle. */
  makeException(store: StandardStore, number: number, tagHandle: number): object;
  /** The value that JavaScript gets for the object of an exception. */
  thrownBy(exception: object): unknown;
}

let parts: StoreParts;

/** Sets the parts of all stores. */
export function setStoreParts(all: StoreParts): void {
  parts = all;
}

/** An import that has returned a promise, for which its guest waits. */
export interface Suspension {
  imported: FunctionType;
  promise: Promise<unknown>;
}

/** A call that can be suspended and has not ended. */
export interface PromisingCall {
  /** Resumes the call when those above it have ended, if it waits for them. */
  wake: (() => void) | undefined;
}

/** The JavaScript side of a store of a namespace object. */
export class StandardStore extends StoreState implements StandardReferences {
  readonly namespace: NamespaceState;
  /** The types of the imports, at the indices of `imports`. */
  readonly importTypes: (FunctionType | undefined)[] = list<FunctionType | undefined>(undefined);
  /** The states of its live objects, by handle. */
  readonly memories: object[] = list();
  readonly tables: object[] = list();
  readonly globals: object[] = list();
  readonly tags: object[] = list();
  /** Whether a guest may wait for the promise of an import. */
  suspends = false;
  /** The import whose promise the guest waits for that was suspended last. */
  suspension: Suspension | undefined;
  /** The calls that can be suspended and have not ended: each runs above the one before. */
  readonly promisingCalls: PromisingCall[] = list();
  readonly #exported: WasmFunction[] = list();
  readonly #objects: GuestObjects;
  #liveBindings: LiveBinding[] | undefined;

  constructor(namespace: NamespaceState, id: number) {
    super(id, true, namespace.wasi !== undefined, parts.dispatch);
    this.namespace = namespace;
    this.#objects = new GuestObjects(id);
  }

  /**
   * Whether bindings follow mutable globals of the store. A guest can change these whenever it runs, so exported
   * functions and imports of such a store are slower.
   */
  get hasLiveBindings(): boolean {
    return this.#liveBindings !== undefined;
  }

  /** Prepares the store for live bindings, before the functions of the instance exist. */
  prepareLiveBindings(): void {
    this.#liveBindings ??= list();
  }

  addLiveBinding(binding: LiveBinding): void {
    append(this.#liveBindings, binding);
  }

  /** Gives the live bindings the values that their globals have now. */
  refreshLiveBindings(): void {
    const bindings = this.#liveBindings;
    if (bindings === undefined) return;
    for (let i = 0; i < bindings.length; i++) {
      const binding = bindings[i];
      let value;
      try {
        value = binding.global.get();
      } catch {
        // The value cannot be read now, for example because the heap of the guests is full.
        continue;
      }
      if (ObjectIs(value, binding.value)) continue;
      binding.value = value;
      binding.set(value);
    }
  }

  /**
   * Uses up the fuel for reading all globals that bindings follow. A guest that calls imports in a loop has them read
   * each time.
   *
   * @throws {RuntimeError} If the fuel is used up. No guest can catch it.
   */
  spendForLiveBindings(): void {
    const { group, errors } = this.namespace;
    try {
      op_wasm_spend_fuel(group, FUEL_PER_BINDING * this.#liveBindings.length);
    } catch (error) {
      const ended = standardError(errors, error);
      uncatchable.set(ended, this.id);
      throw ended;
    }
  }

  /** A function that runs while live bindings have the values of this moment. */
  #withLiveBindings(func: WasmFunction): WasmFunction {
    return (...args: unknown[]): unknown => {
      this.spendForLiveBindings();
      this.refreshLiveBindings();
      return ReflectApply(func, undefined, args);
    };
  }

  /** Adds a function that guests import, and returns its index. */
  addImport(func: WasmFunction, type: FunctionType): number {
    if (type.isSuspending) this.suspends = true;
    const index = this.imports.length;
    const isLive = this.hasLiveBindings && calleeOfExport(func) === undefined;
    append(this.imports, isLive ? this.#withLiveBindings(func) : func);
    append(this.importTypes, type);
    return index;
  }

  override forgetImports(from: number): void {
    super.forgetImports(from);
    this.importTypes.length = from;
  }

  /** The innermost call that can be suspended and has not ended. */
  get innermostCall(): PromisingCall | undefined {
    return this.promisingCalls[this.promisingCalls.length - 1];
  }

  hold(value: unknown): number {
    return this.externals.hold(value);
  }

  held(number: number): unknown {
    return this.externals.held[number];
  }

  /** The exported function with this handle: the same one each time. */
  override func(handle: number): WasmFunction {
    return this.#exported[handle] ?? this.importedFunc(handle, undefined, "");
  }

  /** The exported function of a function that a module defines, with its type and its index as the name. */
  definedFunc(handle: number, type: FunctionType, name: string): WasmFunction {
    return this.#exported[handle] ??= parts.makeFunction(this, handle, type, name);
  }

  /** The exported function of a function that may be one of JavaScript's or of another store, which keeps its identity. */
  importedFunc(handle: number, type: FunctionType | undefined, name: string): WasmFunction {
    const known = this.#exported[handle];
    if (known !== undefined) return known;
    const index = op_wasm_func_import(this.id, handle);
    const imported = index < 0 ? undefined : this.imports[index] as WasmFunction;
    if (
      imported !== undefined && calleeOfExport(imported) !== undefined &&
      !this.importTypes[index].isSuspending
    ) {
      return this.#exported[handle] = imported;
    }
    type ??= functionType(JSONParse(op_wasm_func_type(this.id, handle)));
    return this.definedFunc(handle, type, name);
  }

  funcHandle(value: unknown): number {
    const callee = calleeOfExport(value);
    if (callee === undefined || callee.store.namespace !== this.namespace) return -1;
    if (callee.store === this) return callee.handle;
    callee.foreign ??= new SafeWeakMap();
    let handle = callee.foreign.get(this);
    if (handle === undefined) {
      const { store, handle: original, type } = callee;
      const index = this.addImport(value as WasmFunction, type);
      try {
        handle = op_wasm_new_host_function(this.id, index, store.id, original);
      } catch (error) {
        this.forgetImports(index);
        throw convertError(this.namespace.errors, error);
      }
      this.#exported[handle] = value as WasmFunction;
      callee.foreign.set(this, handle);
    }
    return handle;
  }

  object(number: number): unknown {
    const known = this.#objects.find(number);
    if (known !== undefined) return known;
    const tag = op_wasm_exception_tag(this.id, number);
    const object = tag < 0 ? newGuestObject(this.id, number) : parts.makeException(this, number, tag);
    this.#objects.add(number, object);
    return object;
  }

  /** Releases objects that JavaScript does not refer to any more, if there are many: see `collectIfMany`. */
  relieveObjects(): void {
    this.#objects.collectIfMany();
  }

  /** Adds the object that JavaScript has for an object of a guest. */
  addObject(number: number, object: object): void {
    this.#objects.add(number, object);
  }

  objectNumber(value: unknown): number {
    const object = guestObjects.get(value as object);
    return object !== undefined && object.store === this.id ? object.number : -1;
  }

  override thrown(status: number): unknown {
    if (status === ABORTED) return this.takeAbort();
    const number = frameU32[0];
    if (status === THREW) return this.held(number);
    const thrown = parts.thrownBy(this.object(number) as object);
    this.relieveObjects();
    return thrown;
  }

  override stopped(error: WasmError): unknown {
    // Where the stack has no room for an error object, deno_core throws the message alone.
    if (typeof error === "string") return new RangeError(messageIn(error));
    const converted = standardError(this.namespace.errors, error);
    if (endedGuest(error)) uncatchable.set(converted, this.id);
    this.views.detachGrown();
    return converted;
  }
}
