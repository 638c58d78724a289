// `Tag`.

import { internal } from "../construct.ts";
import { JSONParse, SafeWeakMap, TypeError } from "../core.ts";
import { toJson } from "../json.ts";
import { append, list } from "../list.ts";
import { op_wasm_js_tag, op_wasm_new_tag, op_wasm_tag_type } from "../ops.ts";
import { namedType } from "./descriptors.ts";
import { convertError } from "./error_classes.ts";
import { listOf } from "./iterables.ts";
import type { NamespaceState, ObjectClass } from "./namespace_state.ts";
import { ObjectState } from "./object_state.ts";
import type { StandardStore } from "./standard_store.ts";
import { valueTypes } from "./value_types.ts";
import type { ValueType } from "./value_types.ts";
import { exposeInterface, isObjectLike, member } from "./web_idl.ts";

/** The most parameters of a tag, as the specification limits those of a function. */
const MAX_PARAMETERS = 1000;

/** A tag. It has a tag of its own in each store where a guest needs it. */
export class TagState extends ObjectState {
  readonly params: ValueType[];
  /** Whether it is `WebAssembly.JSTag`, by which JavaScript's values are thrown. */
  readonly isJsTag: boolean;
  readonly #handles: WeakMap<StandardStore, number> = new SafeWeakMap();

  constructor(namespace: NamespaceState, params: ValueType[], isJsTag: boolean) {
    super(namespace, "Tag");
    this.params = params;
    this.isJsTag = isJsTag;
  }

  /** The handle of the tag in a store. */
  handleIn(store: StandardStore): number {
    let handle = this.#handles.get(store);
    if (handle === undefined) {
      try {
        handle = this.isJsTag ? op_wasm_js_tag(store.id) : op_wasm_new_tag(store.id, this.#types());
      } catch (error) {
        throw convertError(store.namespace.errors, error);
      }
      this.place(store, handle);
    }
    return handle;
  }

  /** Whether a guest of a store can know it. */
  isIn(store: StandardStore): boolean {
    return this.#handles.has(store);
  }

  /** Records that a tag of a store is this one. */
  place(store: StandardStore, handle: number): void {
    this.#handles.set(store, handle);
    store.tags[handle] = this;
  }

  #types(): string {
    const names = list<string>();
    for (let i = 0; i < this.params.length; i++) append(names, this.params[i].name);
    return toJson(names);
  }
}

/** The tag with this handle in a store. */
export function tagIn(store: StandardStore, handle: number): TagState {
  let tag = store.tags[handle] as TagState | undefined;
  if (tag === undefined) {
    const { params } = JSONParse(op_wasm_tag_type(store.id, handle));
    tag = new TagState(store.namespace, valueTypes(params), false);
    tag.place(store, handle);
  }
  return tag;
}

/** The class `Tag` of a namespace object. */
export function makeTagClass(namespace: NamespaceState): ObjectClass {
  class Tag {
    constructor(type?: unknown, key?: unknown, state?: TagState) {
      if (key === internal) {
        state.attach(this);
        return;
      }
      if (!isObjectLike(type)) throw new TypeError("a tag needs a type");
      const parameters = member(type, "parameters");
      if (parameters === undefined) throw new TypeError("the type of a tag needs parameters");
      const names = listOf(parameters, MAX_PARAMETERS + 1);
      if (names.length > MAX_PARAMETERS) throw new TypeError("a tag has too many parameters");
      const params = list<ValueType>();
      for (let i = 0; i < names.length; i++) append(params, namedType(names[i]));
      new TagState(namespace, params, false).attach(this);
    }
  }
  exposeInterface(Tag, "Tag", 1);
  return Tag;
}
