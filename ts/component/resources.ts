// Handles of resources: of those that a component defines, and of those that the app defines for it.

import { isObject } from "../check.ts";
import { RETURNED } from "../constants.ts";
import { ObjectGetPrototypeOf, ReflectApply, SafeFinalizationRegistry, SafeWeakMap } from "../core.ts";
import { append, list } from "../list.ts";
import { op_wasm_component_ended, op_wasm_drop_resource, op_wasm_drop_resource_later } from "../ops.ts";
import type { StoreState } from "../store_state.ts";
import { importProperty } from "../webassembly/import_lookup.ts";
import type { WitType } from "./wit_types.ts";

/** `Symbol.dispose`, read before scripts can change `Symbol`. */
export const disposeSymbol: typeof Symbol.dispose = Symbol.dispose;

// States of a handle of a component's resource.

/** The object owns the resource. */
const OWNED = 0;
/** The component has lent the resource to an import that runs. */
const LENT = 1;
/** The resource was dropped or given up, or the import has ended. */
const GONE = 2;

/** The handle behind an object of a component's resource. */
interface ResourceHandle {
  owner: InstanceResources;
  /** The number of the type among the resources of the component. */
  resource: number;
  number: number;
  state: number;
}

/** The handles of all objects of components' resources. */
const resourceHandles: WeakMap<object, ResourceHandle> = new SafeWeakMap();

const collectedResources: FinalizationRegistry<ResourceHandle> = new SafeFinalizationRegistry(
  (handle: ResourceHandle) => handle.owner.release(handle),
);

/** The reason why an object is no handle that can be passed. */
export class HandleMisfit {
  readonly got: string;

  constructor(got: string) {
    this.got = got;
  }
}

/** The streams and futures of one instance. */
export interface InstanceStreams {
  /** The number for an async iterable, an array or a promise. Throws `HandleMisfit` for other values. */
  lower(type: WitType, value: unknown): number;
  /** The component has not got the async iterable or promise of this number. */
  forget(number: number): void;
  /** The async iterator or promise for a stream or future of the component. */
  lift(type: WitType, number: number): object;
}

/** The resources of one instance. */
export class InstanceResources {
  readonly store: StoreState;
  /** Of an asynchronous component only. */
  streams: InstanceStreams | undefined;
  /** The prototypes of the app's classes, by the number of the resource. */
  readonly hostPrototypes: (object | undefined)[] = list();
  /** Makes the object of a component's resource, by the number of the resource. */
  readonly makers: ((handle: ResourceHandle) => object)[] = list();
  /** The app's objects that the component has handles of, by their number. */
  readonly #held: (object | undefined)[] = list();
  readonly #free: number[] = list();

  constructor(store: StoreState) {
    this.store = store;
  }

  /** Keeps an object of the app for the component. Returns its number. */
  hold(object: object): number {
    let number = this.#held.length;
    if (this.#free.length > 0) {
      number = this.#free[this.#free.length - 1];
      this.#free.length--;
    }
    this.#held[number] = object;
    return number;
  }

  /** The object of the app with this number. */
  held(number: number): object | undefined {
    return number < this.#held.length ? this.#held[number] : undefined;
  }

  /** Forgets the object of the app with this number, and returns it. */
  unhold(number: number): object | undefined {
    const object = this.held(number);
    if (object === undefined) return undefined;
    this.#held[number] = undefined;
    append(this.#free, number);
    return object;
  }

  /** Whether a value is an object of the app's class for this resource. */
  isOfHost(resource: number, value: unknown): value is object {
    if (!isObject(value)) return false;
    const wanted = this.hostPrototypes[resource];
    let prototype = ObjectGetPrototypeOf(value);
    while (prototype !== null && prototype !== wanted) prototype = ObjectGetPrototypeOf(prototype);
    return wanted !== undefined && prototype === wanted;
  }

  /** The object for a resource of the component that came out of it. */
  adopt(resource: number, number: number, isOwned: boolean): object {
    const handle = { owner: this, resource, number, state: isOwned ? OWNED : LENT };
    const object = this.makers[resource](handle);
    bind(object, handle);
    return object;
  }

  /** Drops a resource of the component, which runs its destructor. */
  drop(handle: ResourceHandle): void {
    if (handle.state !== OWNED) return;
    const { store } = this;
    if (store.dropped) return;
    // The number may be that of another resource as soon as the destructor runs.
    handle.state = GONE;
    let status;
    try {
      status = op_wasm_drop_resource(store.id, handle.number, store.imports);
    } catch (error) {
      // If the instance was busy, it has not ended.
      if (!store.dropped && !op_wasm_component_ended(store.id)) handle.state = OWNED;
      throw store.stopped(error);
    }
    if (status !== RETURNED) throw store.thrown(status);
  }

  /**
   * Has the next call drop a resource whose object was collected, within the limits of that call: its destructor is guest
   * code.
   */
  release(handle: ResourceHandle): void {
    if (handle.state !== OWNED || this.store.dropped) return;
    handle.state = GONE;
    op_wasm_drop_resource_later(this.store.id, handle.number);
  }
}

function bind(object: object, handle: ResourceHandle): void {
  resourceHandles.set(object, handle);
  if (handle.state === OWNED) collectedResources.register(object, handle, handle);
}

/** Makes an object stand for the resource of another one, which stands for none any more. */
export function takeHandle(object: object, other: object): void {
  const handle = resourceHandles.get(other);
  collectedResources.unregister(handle);
  resourceHandles.delete(other);
  bind(object, handle);
}

/** Drops the resource of an object. */
export function disposeResource(object: object): void {
  const handle = resourceHandles.get(object);
  if (handle === undefined) return;
  try {
    handle.owner.drop(handle);
  } finally {
    // A resource that could not be dropped, since its instance is busy, is dropped when its object is collected.
    if (handle.state === GONE) collectedResources.unregister(handle);
  }
}

/** Calls the method `Symbol.dispose` of an object of the app's class, if the class has one. */
export function disposeOfHost(object: object): void {
  // deno-lint-ignore no-explicit-any
  const dispose = importProperty(object, disposeSymbol as any);
  if (typeof dispose === "function") ReflectApply(dispose, object, list());
}

/** The handles that go into a component with the values of one call. */
export class Lowering {
  readonly #resources: InstanceResources;
  readonly #passed: ResourceHandle[] = list();
  readonly #given: ResourceHandle[] = list();
  /** The numbers of the app's objects that the component gets, and of those that it only borrows. */
  readonly #owned: number[] = list();
  readonly #borrowed: number[] = list();
  /** The numbers of async iterables and promises. */
  readonly #ends: number[] = list();

  constructor(resources: InstanceResources) {
    this.#resources = resources;
  }

  /** The number for an async iterable or a promise. */
  lowerEnd(type: WitType, value: unknown): number {
    const { streams } = this.#resources;
    if (streams === undefined) throw new HandleMisfit("a value of an instance without streams");
    const number = streams.lower(type, value);
    append(this.#ends, number);
    return number;
  }

  /** The number for an object. */
  lower(resource: number, isOwn: boolean, value: unknown): number {
    const resources = this.#resources;
    if (resources.hostPrototypes[resource] !== undefined) {
      if (!resources.isOfHost(resource, value)) throw new HandleMisfit("an object of another class");
      const number = resources.hold(value);
      append(isOwn ? this.#owned : this.#borrowed, number);
      return number;
    }
    const handle = isObject(value) ? resourceHandles.get(value) : undefined;
    if (handle === undefined || handle.resource !== resource) {
      throw new HandleMisfit("an object of another class");
    }
    if (handle.owner !== resources) throw new HandleMisfit("a resource of another instance");
    if (handle.state === GONE) throw new HandleMisfit("a resource that was dropped or given up");
    if (isOwn) {
      if (handle.state === LENT) throw new HandleMisfit("a resource that is only lent");
      append(this.#given, handle);
    }
    append(this.#passed, handle);
    return handle.number;
  }

  /**
   * Whether a resource was dropped or given up after {@linkcode Lowering.lower}, by a getter of a later value: its number
   * may be that of another resource now.
   */
  get isStale(): boolean {
    for (let i = 0; i < this.#passed.length; i++) {
      if (this.#passed[i].state === GONE) return true;
    }
    return false;
  }

  /** The component has got the values. */
  commit(): void {
    for (let i = 0; i < this.#given.length; i++) {
      collectedResources.unregister(this.#given[i]);
      this.#given[i].state = GONE;
    }
  }

  /** The component has not got the values. */
  rollBack(): void {
    for (let i = 0; i < this.#ends.length; i++) this.#resources.streams?.forget(this.#ends[i]);
    for (let i = 0; i < this.#owned.length; i++) this.#resources.unhold(this.#owned[i]);
    this.end();
  }

  /** The call has ended. */
  end(): void {
    for (let i = 0; i < this.#borrowed.length; i++) this.#resources.unhold(this.#borrowed[i]);
    this.#borrowed.length = 0;
  }
}

/** The handles that come out of a component with the values of one call. */
export class Lifting {
  readonly #resources: InstanceResources;
  readonly #lent: ResourceHandle[] = list();

  constructor(resources: InstanceResources) {
    this.#resources = resources;
  }

  /** The async iterator or promise for a number. */
  liftEnd(type: WitType, number: number): object | undefined {
    return this.#resources.streams?.lift(type, number);
  }

  /** The object for a number. */
  lift(resource: number, isOwn: boolean, number: number): object | undefined {
    const resources = this.#resources;
    if (resources.hostPrototypes[resource] !== undefined) {
      return isOwn ? resources.unhold(number) : resources.held(number);
    }
    const object = resources.adopt(resource, number, isOwn);
    if (!isOwn) append(this.#lent, resourceHandles.get(object));
    return object;
  }

  /** The import that got the values has ended: what was lent to it is gone. */
  end(): void {
    for (let i = 0; i < this.#lent.length; i++) this.#lent[i].state = GONE;
  }
}

/** Whether an error says why an object is no handle. */
export function isMisfit(error: unknown): error is HandleMisfit {
  return error instanceof HandleMisfit;
}
