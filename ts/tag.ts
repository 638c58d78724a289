import { copyOf, option, own } from "./check.ts";
import { ArrayIsArray, String } from "./core.ts";
import { describe } from "./describe.ts";
import { checkDescriptor } from "./descriptor.ts";
import { InstantiateError, WasmError } from "./errors.ts";
import { toJson } from "./json.ts";
import { attach } from "./live_object.ts";
import { op_wasm_new_tag } from "./ops.ts";
import type { WasmStore } from "./store.ts";
import type { TagType } from "./types.ts";

/** A tag, which is the type of an exception. */
export class WasmTag {
  /** Makes a new tag, different from all others. */
  constructor(store: WasmStore, type: TagType);
  constructor(...args: unknown[]) {
    attach(this, "tag", args, (store) => {
      const params = option(checkDescriptor(own(args, 1), "tag"), "params", InstantiateError);
      if (!ArrayIsArray(params)) {
        throw new WasmError(
          `the params of a tag must be an array, got ${describe(params)}`,
          InstantiateError,
        );
      }
      const types = copyOf(params, params.length);
      for (let i = 0; i < types.length; i++) types[i] = String(types[i]);
      return op_wasm_new_tag(store.id, toJson(types));
    });
  }
}
