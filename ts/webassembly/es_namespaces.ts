// The instances behind ES modules, by the namespaces of the modules.

import { SafeWeakMap, TypeError } from "../core.ts";
import type { NamespaceState } from "./namespace_state.ts";

/** An instance that is an ES module. */
export interface EsInstance {
  readonly namespace: NamespaceState;
  /** The `Instance`. */
  readonly object: object;
  readonly exports: object;
}

/** The instances by the namespaces of their ES modules. */
export const esInstances: WeakMap<object, EsInstance> = new SafeWeakMap();

/** `namespaceInstance`: the `Instance` behind an ES module. */
export function namespaceInstance(namespace: NamespaceState, value: unknown): object {
  const instance = esInstances.get(value as object);
  if (instance === undefined || instance.namespace !== namespace) {
    throw new TypeError("expected the namespace of a WebAssembly module of this WebAssembly object");
  }
  return instance.object;
}
