// The state that everything made through one namespace object shares.

import { SafeFinalizationRegistry } from "../core.ts";
import { op_wasm_drop_group, op_wasm_group_memory_cap, op_wasm_new_group } from "../ops.ts";
import { checkOptions } from "../options.ts";
import type { StoreOptions } from "../options.ts";
import type { StoreState } from "../store_state.ts";
import type { WasmFunction } from "../types.ts";
import type { CheckedWasi } from "../wasi_options.ts";
import { makeErrorClasses } from "./error_classes.ts";
import type { ErrorClasses } from "./error_classes.ts";
import { makeBuiltins } from "./js_string.ts";
import { heldStringUnits } from "./store_pressure.ts";
import { StringBudget } from "./string_budget.ts";

const collectedNamespaces: FinalizationRegistry<number> = new SafeFinalizationRegistry(
  (group: number) => op_wasm_drop_group(group),
);

/** A class of a namespace object, as internal code constructs its objects. */
export interface ObjectClass {
  prototype: object;
}

/** The classes of a namespace object whose objects internal code makes. */
export interface ObjectClasses {
  readonly Module: ObjectClass;
  readonly Instance: ObjectClass;
  readonly Memory: ObjectClass;
  readonly Table: ObjectClass;
  readonly Global: ObjectClass;
  readonly Tag: ObjectClass;
  readonly Exception: ObjectClass;
}

/** The state of a namespace object. */
export class NamespaceState {
  /** The number of the group of its stores, whose limits hold for all of them together. */
  readonly group: number;
  readonly wasi: CheckedWasi | undefined;
  readonly errors: ErrorClasses = makeErrorClasses();
  /** The builtin functions, by name. */
  readonly builtins: Record<string, WasmFunction>;
  classes: ObjectClasses;
  /** The store in which new memories are made: see `storeForMemory`. */
  memoryStore: StoreState | undefined;
  /** The store of instances that pass objects of guests: see `storeForObjects`. */
  objectStore: StoreState | undefined;

  constructor(options: StoreOptions | undefined) {
    const { fuel, maxMemoryBytes, timeoutMs, interruptible, wasi } = checkOptions(options);
    this.group = op_wasm_new_group(
      fuel ?? -1,
      maxMemoryBytes ?? -1,
      timeoutMs ?? -1,
      interruptible === true,
    );
    this.wasi = wasi;
    const { group } = this;
    const budget = new StringBudget(group, op_wasm_group_memory_cap(group), () => heldStringUnits(group));
    this.builtins = makeBuiltins(this.errors, budget);
    collectedNamespaces.register(this, this.group);
  }
}
