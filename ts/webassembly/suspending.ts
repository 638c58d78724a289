// `Suspending`.

import { SafeWeakMap, TypeError } from "../core.ts";
import { describe } from "../describe.ts";
import type { WasmFunction } from "../types.ts";
import type { NamespaceState, ObjectClass } from "./namespace_state.ts";
import { exposeInterface } from "./web_idl.ts";

/** A function of JavaScript's that a `Suspending` marks. */
interface Suspending {
  namespace: NamespaceState;
  func: WasmFunction;
}

const suspendingObjects: WeakMap<object, Suspending> = new SafeWeakMap();

/** The function that a `Suspending` of this namespace object marks; `undefined` for any other value. */
export function suspendingFunction(namespace: NamespaceState, value: unknown): WasmFunction | undefined {
  const suspending = suspendingObjects.get(value as object);
  return suspending?.namespace === namespace ? suspending.func : undefined;
}

/** The class `Suspending` of a namespace object. */
export function makeSuspendingClass(namespace: NamespaceState): ObjectClass {
  class Suspending {
    constructor(func?: unknown) {
      if (typeof func !== "function") {
        throw new TypeError(`Suspending needs a function, got ${describe(func)}`);
      }
      suspendingObjects.set(this, { namespace, func: func as WasmFunction });
    }
  }
  exposeInterface(Suspending, "Suspending", 1);
  return Suspending;
}
