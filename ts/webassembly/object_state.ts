// The states behind the objects of a namespace object.

import { construct, internal } from "../construct.ts";
import { SafeWeakMap } from "../core.ts";
import type { NamespaceState, ObjectClasses } from "./namespace_state.ts";

/** The states by object. */
const states: WeakMap<object, ObjectState> = new SafeWeakMap();

/** The state behind a `Memory`, `Table`, `Global` or `Tag`. It exists before JavaScript has the object. */
export abstract class ObjectState {
  readonly namespace: NamespaceState;
  readonly #kind: keyof ObjectClasses;
  #object: object | undefined;

  constructor(namespace: NamespaceState, kind: keyof ObjectClasses) {
    this.namespace = namespace;
    this.#kind = kind;
  }

  /** The object, which is made when it is asked for first. */
  get object(): object {
    return this.#object ?? construct(this.namespace.classes[this.#kind], undefined, internal, this);
  }

  /** Makes a new object the object of this state. */
  attach(object: object): void {
    this.#object = object;
    states.set(object, this);
  }
}

/** The state of this class behind an object of this namespace object; `undefined` for any other value. */
export function stateOf<T extends ObjectState>(
  namespace: NamespaceState,
  type: abstract new (...args: never[]) => T,
  value: unknown,
): T | undefined {
  const state = states.get(value as object);
  return state instanceof type && state.namespace === namespace ? state : undefined;
}
