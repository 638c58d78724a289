import { copyOf, describe, option, own } from "./check.ts";
import { ArrayIsArray, op_wasm_new_tag, String } from "./core.ts";
import { InstantiateError, WasmError } from "./errors.ts";
import { toJson } from "./json.ts";
import { typeOf } from "./limits.ts";
import { place } from "./live.ts";
import type { WasmStore } from "./store.ts";
import type { TagType } from "./types.ts";

/** A tag: what tells one kind of exception from another. */
export class WasmTag {
  /** Makes a tag that is like no other. */
  constructor(store: WasmStore, type: TagType);
  constructor(...args: unknown[]) {
    place(this, "tag", args, (store) => {
      const params = option(typeOf(own(args, 1), "tag"), "params", InstantiateError);
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
