// Instantiation of components.

import {
  NOT_COMPILED,
  RETURNED,
  STORE_FOR_ASYNC_COMPONENT,
  STORE_FOR_COMPONENT,
  YIELD_DUE,
} from "../constants.ts";
import { construct, internal } from "../construct.ts";
import { describe } from "../describe.ts";
import { InstantiateError, WasmError } from "../errors.ts";
import { instancePressure } from "../gc_pressure.ts";
import {
  op_wasm_component_preparation,
  op_wasm_instantiate_component,
  op_wasm_prepare_component,
  op_wasm_yield_now,
} from "../ops.ts";
import { checkOptions } from "../options.ts";
import type { StoreOptions } from "../options.ts";
import { newComponentStore } from "../store_state.ts";
import type { StoreState } from "../store_state.ts";
import type { WasmFunction } from "../types.ts";
import { AsyncCalls } from "./async_calls.ts";
import { componentDetailsOf } from "./component.ts";
import type { ComponentDetails, WasmComponent } from "./component.ts";
import { lookUpImports } from "./component_imports.ts";
import type { ComponentImports } from "./component_imports.ts";
import { ComponentInstance } from "./component_instance.ts";
import { dispatchComponent } from "./dispatch_component.ts";
import { InstanceResources } from "./resources.ts";

/**
 * The limits of a component's instance, which hold for all memories in it together. With `wasi`, the host provides the
 * imports of WASI 0.2, and those of WASI 0.3 if its capabilities allow them. Functions of `wasi:http` and `wasi:sockets`
 * refuse what `wasi.network` does not grant.
 */
export type ComponentOptions = StoreOptions;

/**
 * Makes an instance of a component, in a store of its own. The imports are looked up before this returns its promise.
 *
 * @throws {WasmError} `InstantiateError` if an import is missing, a cap is exceeded, or an option is unusable;
 * `RuntimeError` or `FuelExhausted` from the start functions of the modules in it.
 */
export async function instantiateComponent(
  component: WasmComponent,
  imports?: ComponentImports,
  options?: ComponentOptions,
): Promise<ComponentInstance> {
  const details = componentDetailsOf(component);
  if (details === undefined) {
    throw new WasmError(`expected a WasmComponent, got ${describe(component)}`, InstantiateError);
  }
  const checked = checkOptions(options);
  const found = lookUpImports(details, imports, checked.wasi !== undefined);
  if (instancePressure.isHigh()) await instancePressure.relieve();
  const dispatch = (_: StoreState, index: number, waits: boolean) =>
    dispatchComponent(details, resources, index, waits);
  const use = details.isAsync ? STORE_FOR_ASYNC_COMPONENT : STORE_FOR_COMPONENT;
  const store = newComponentStore(checked, use, dispatch);
  const resources = new InstanceResources(store);
  for (let i = 0; i < found.prototypes.length; i++) {
    resources.hostPrototypes[i] = found.prototypes[i];
  }
  try {
    const step = op_wasm_component_preparation(details.id, store.id);
    if (step === NOT_COMPILED) await op_wasm_prepare_component(details.id, store.id);
    else if (step === YIELD_DUE) await op_wasm_yield_now();
    return startComponent(details, resources, found.functions);
  } catch (error) {
    store.drop();
    throw error;
  }
}

/** Instantiates a component that is compiled for the engine of the store. */
function startComponent(
  component: ComponentDetails,
  resources: InstanceResources,
  functions: (WasmFunction | undefined)[],
): ComponentInstance {
  const { store } = resources;
  for (let i = 0; i < functions.length; i++) store.imports[i + 1] = functions[i];
  const count = functions.length + component.hostResourceCount;
  const calls = component.isAsync ? new AsyncCalls(component, resources) : undefined;
  let status;
  try {
    status = op_wasm_instantiate_component(component.id, store.id, count, store.imports);
  } catch (error) {
    throw store.stopped(error);
  }
  if (status !== RETURNED) throw store.thrown(status);
  calls?.goOn();
  return construct(ComponentInstance, internal, component, resources, calls);
}
