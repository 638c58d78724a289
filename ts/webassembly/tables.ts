// `Table`.

import { own } from "../check.ts";
import { internal } from "../construct.ts";
import { JSONParse, RangeError, TypeError } from "../core.ts";
import { append, list } from "../list.ts";
import {
  op_wasm_get_table,
  op_wasm_grow_table,
  op_wasm_new_table,
  op_wasm_set_table,
  op_wasm_table_size,
  op_wasm_table_type,
} from "../ops.ts";
import { namedType, readLimits } from "./descriptors.ts";
import { convertError } from "./error_classes.ts";
import { ObjectState } from "./object_state.ts";
import { checkReference } from "./references.ts";
import type { NamespaceState, ObjectClass } from "./namespace_state.ts";
import type { StandardStore } from "./standard_store.ts";
import { defaultValue, hasNoValues, isReferenceType, valueType } from "./value_types.ts";
import type { ValueType } from "./value_types.ts";
import { coerce, readStandard, writeCoerced } from "./values.ts";
import { exposeInterface, fromAddress, isObjectLike, member, toAddress, toOpAddress } from "./web_idl.ts";
import type { AddressType } from "./web_idl.ts";

/** The most elements of a table in the specification. */
const MAX_ELEMENTS = 10_000_000;

/** A table. One that JavaScript makes is a list of JavaScript values until an instance imports it. */
export class TableState extends ObjectState {
  readonly element: ValueType;
  readonly address: AddressType;
  /** The elements of a table that is in no store. */
  #elements: unknown[] | undefined;
  readonly #maximum: number;
  #store: StandardStore | undefined;
  #handle: number = 0;

  constructor(namespace: NamespaceState, element: ValueType, address: AddressType, maximum: number) {
    super(namespace, "Table");
    this.element = element;
    this.address = address;
    this.#maximum = maximum;
  }

  /** The store that it is in. */
  get fixedStore(): StandardStore | undefined {
    return this.#store;
  }

  /** Records that a table of a store is this one. */
  place(store: StandardStore, handle: number): void {
    this.#store = store;
    this.#handle = handle;
    store.tables[handle] = this;
  }

  /** The handle in a store, where it is put if it is in none. */
  handleIn(store: StandardStore): number {
    if (this.#store !== undefined) return this.#handle;
    const elements = this.#elements ?? list();
    const { length } = elements;
    // Its elements are written one by one, so the first value has to be one for all.
    writeCoerced(store, this.element, 0, this.element.isNullable ? null : elements[0]);
    const is64 = this.address === "i64";
    let handle;
    try {
      handle = op_wasm_new_table(store.id, this.element.name, length, this.#maximum, is64);
      for (let i = 0; i < length; i++) {
        if (elements[i] === null) continue;
        writeCoerced(store, this.element, 0, elements[i]);
        op_wasm_set_table(store.id, handle, i);
      }
    } catch (error) {
      throw convertError(this.namespace.errors, error);
    }
    this.#elements = undefined;
    this.place(store, handle);
    return handle;
  }

  get length(): number {
    if (this.#store !== undefined) return op_wasm_table_size(this.#store.id, this.#handle);
    return this.#elements === undefined ? 0 : this.#elements.length;
  }

  get(index: number): unknown {
    const store = this.#store;
    if (index >= this.length) throw outOfBounds(this.length);
    if (store === undefined) return this.#elements[index];
    try {
      op_wasm_get_table(store.id, this.#handle, index);
    } catch (error) {
      throw convertError(this.namespace.errors, error);
    }
    return readStandard(store, this.element, 0);
  }

  set(index: number, value: unknown): void {
    const store = this.#store;
    if (store === undefined) {
      checkReference(this.namespace, this.element, value);
      if (index >= this.length) throw outOfBounds(this.length);
      this.#elements[index] = value;
      return;
    }
    writeCoerced(store, this.element, 0, value);
    if (index >= this.length) throw outOfBounds(this.length);
    try {
      op_wasm_set_table(store.id, this.#handle, index);
    } catch (error) {
      throw convertError(this.namespace.errors, error);
    }
  }

  grow(delta: number, value: unknown): number {
    const store = this.#store;
    if (store !== undefined) {
      writeCoerced(store, this.element, 0, value);
      try {
        return op_wasm_grow_table(store.id, this.#handle, delta);
      } catch (error) {
        throw new RangeError(error.message);
      }
    }
    checkReference(this.namespace, this.element, value);
    const before = this.length;
    const most = this.#maximum < 0 || this.#maximum > MAX_ELEMENTS ? MAX_ELEMENTS : this.#maximum;
    if (before + delta > most) throw new RangeError(`the table has at most ${most} elements`);
    this.#elements ??= list();
    for (let i = 0; i < delta; i++) append(this.#elements, value);
    return before;
  }
}

function outOfBounds(length: number): RangeError {
  return new RangeError(`the table has ${length} elements`);
}

/** The table with this handle in a store. */
export function tableIn(store: StandardStore, handle: number): TableState {
  let table = store.tables[handle] as TableState | undefined;
  if (table === undefined) {
    const type = JSONParse(op_wasm_table_type(store.id, handle));
    const maximum = own(type, "maximum") as number | undefined ?? -1;
    table = new TableState(store.namespace, valueType(type.element), type.address, maximum);
    table.place(store, handle);
  }
  return table;
}

/** The class `Table` of a namespace object. */
export function makeTableClass(namespace: NamespaceState): ObjectClass {
  class Table {
    #table: TableState;

    constructor(type?: unknown, key?: unknown, state?: unknown) {
      if (key === internal) {
        this.#table = state as TableState;
      } else {
        if (!isObjectLike(type)) throw new TypeError("a table needs a type");
        const named = member(type, "element");
        if (named === undefined) throw new TypeError("the type of a table needs an element");
        const element = namedType(named);
        if (!isReferenceType(element)) throw new TypeError("the elements of a table are references");
        const { address, initial, maximum } = readLimits(type, "table");
        const first = toOpAddress(initial);
        const last = maximum === undefined ? -1 : toOpAddress(maximum);
        if (last >= 0 && first > last) {
          throw new RangeError("the initial size of the table exceeds its maximum");
        }
        if (first > MAX_ELEMENTS) throw new RangeError(`a table has at most ${MAX_ELEMENTS} elements`);
        this.#table = new TableState(namespace, element, address, last);
        this.#table.grow(first, filling(element, key));
      }
      this.#table.attach(this);
    }

    grow(delta: unknown, ...values: unknown[]): number | bigint {
      const table = this.#table;
      const more = toOpAddress(toAddress(delta, table.address, "the number of elements"));
      const value = filling(table.element, values.length === 0 ? undefined : values[0]);
      return fromAddress(table.grow(more, value), table.address);
    }

    get(index: unknown): unknown {
      const table = this.#table;
      if (hasNoValues(table.element)) throw new TypeError("JavaScript has no values of type exnref");
      return table.get(toOpAddress(toAddress(index, table.address, "the index")));
    }

    set(index: unknown, ...values: unknown[]): void {
      const table = this.#table;
      const at = toOpAddress(toAddress(index, table.address, "the index"));
      const value = values.length === 0 ? defaultValue(table.element) : coerce(table.element, values[0]);
      table.set(at, value);
    }

    get length(): number | bigint {
      return fromAddress(this.#table.length, this.#table.address);
    }
  }
  exposeInterface(Table, "Table", 1);
  return Table;
}

/** The value for new elements. A missing one and `undefined` are the default value. */
function filling(element: ValueType, value: unknown): unknown {
  return value === undefined ? defaultValue(element) : coerce(element, value);
}
