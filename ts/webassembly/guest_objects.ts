// The objects that JavaScript has for the structs, arrays and exceptions of guests: the same one each time.

import {
  MapPrototypeForEach,
  ObjectCreate,
  ObjectFreeze,
  Proxy,
  SafeFinalizationRegistry,
  SafeMap,
  SafeWeakMap,
  SafeWeakRef,
  TypeError,
} from "../core.ts";
import { append, list } from "../list.ts";
import { op_wasm_collect_in_job, op_wasm_release_object } from "../ops.ts";

/** The last object that was made for a number. */
interface Known {
  object: WeakRef<object>;
}

interface Collected {
  objects: GuestObjects;
  number: number;
  known: Known;
}

const collectedObjects: FinalizationRegistry<Collected> = new SafeFinalizationRegistry(
  ({ objects, number, known }: Collected) => objects.forget(number, known),
);

/** With fewer objects than this, a store does not have garbage collected. */
const LEAST_COLLECTED_OBJECTS = 4096;

/** The objects of one store. */
export class GuestObjects {
  readonly #store: number;
  readonly #known: Map<number, Known> = new SafeMap();
  /** The number of objects in the map. */
  #count: number = 0;
  #collectAt: number = LEAST_COLLECTED_OBJECTS;

  /** `store` is the number of the store. Its state would never be collected: the registry refers to these objects. */
  constructor(store: number) {
    this.#store = store;
  }

  /** The object for the guest's object with this number, if JavaScript still has it. */
  find(number: number): object | undefined {
    return this.#known.get(number)?.object.deref();
  }

  /** Adds a new object for this number, which is released when JavaScript has collected the object. */
  add(number: number, object: object): void {
    this.#count++;
    const known = { object: new SafeWeakRef(object) };
    this.#known.set(number, known);
    collectedObjects.register(object, { objects: this, number, known });
  }

  /**
   * If there are many objects, has garbage collected, and releases those that JavaScript does not refer to any more. A
   * guest can pass many objects to JavaScript before finalizers run. No number in the call frame may stand for an object
   * that JavaScript does not have yet.
   */
  collectIfMany(): void {
    if (this.#count < this.#collectAt) return;
    op_wasm_collect_in_job();
    const collected = list<Known>();
    const numbers = list<number>();
    MapPrototypeForEach(this.#known, (known: Known, number: number) => {
      if (known.object.deref() !== undefined) return;
      append(collected, known);
      append(numbers, number);
    });
    for (let i = 0; i < numbers.length; i++) this.forget(numbers[i], collected[i]);
    this.#collectAt = 2 * this.#count;
    if (this.#collectAt < LEAST_COLLECTED_OBJECTS) this.#collectAt = LEAST_COLLECTED_OBJECTS;
  }

  /** Releases a number, unless a newer object has been made for it. */
  forget(number: number, known: Known): void {
    if (this.#known.get(number) !== known) return;
    this.#known.delete(number);
    this.#count--;
    op_wasm_release_object(this.#store, number);
  }
}

/** A struct or array of a guest. It refers to its store by number only: without the store it is of no use. */
export interface GuestObject {
  store: number;
  number: number;
}

/** The structs and arrays of guests, by the objects that JavaScript has for them. */
export const guestObjects: WeakMap<object, GuestObject> = new SafeWeakMap();

/** Refuses an operation on a struct or array, which JavaScript can only pass on. */
function refuse(): never {
  throw new TypeError("an object of WebAssembly cannot be changed from JavaScript");
}

const handler = ObjectFreeze({
  __proto__: null,
  set: refuse,
  defineProperty: refuse,
  deleteProperty: refuse,
  preventExtensions: refuse,
  setPrototypeOf: refuse,
});

/** The object for a new struct or array: it has no properties, and cannot be changed. */
export function newGuestObject(store: number, number: number): object {
  const object = new Proxy(ObjectFreeze(ObjectCreate(null)), handler);
  guestObjects.set(object, { store, number });
  return object;
}
