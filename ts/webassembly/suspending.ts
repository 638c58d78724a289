// `Suspending`: functions for whose promises a guest waits.

import { SafeWeakMap, TypeError } from "../core.ts";
import type { WasmFunction } from "../types.ts";
import type { NamespaceState, ObjectClass } from "./namespace_state.ts";
import { exposeInterface } from "./web_idl.ts";

interface SuspendingState {
  namespace: NamespaceState;
  func: WasmFunction;
}

const suspendingStates: WeakMap<object, SuspendingState> = new SafeWeakMap();

/** The function in a `Suspending` of this namespace object; `undefined` for any other value. */
export function suspended(namespace: NamespaceState, value: unknown): WasmFunction | undefined {
  const state = suspendingStates.get(value as object);
  return state?.namespace === namespace ? state.func : undefined;
}

/** The class `Suspending` of a namespace object. */
export function makeSuspendingClass(namespace: NamespaceState): ObjectClass {
  class Suspending {
    constructor(func: unknown) {
      if (typeof func !== "function") throw new TypeError("a Suspending needs a function");
      suspendingStates.set(this, { namespace, func: func as WasmFunction });
    }
  }
  exposeInterface(Suspending, "Suspending", 1);
  return Suspending;
}
