// The types of a component's values, as the ops describe them, and as conversions use them.

import { camelCase } from "./names.ts";
import { append, list } from "../list.ts";
import type { Decoder, Encode } from "./image.ts";

/** A type as the op describes it. The numbers are places in the list of all types of a component. */
export interface TypeInfo {
  kind: string;
  element?: number | null;
  length?: number;
  key?: number;
  value?: number | null;
  fields?: [string, number][];
  types?: number[];
  cases?: [string, number | null][];
  names?: string[];
  some?: number;
  ok?: number | null;
  err?: number | null;
  name?: string;
  resource?: number;
}

/** A type of resources as the op describes it. */
export interface ResourceInfo {
  path: string[];
}

/** A function as the op describes it. */
export interface FunctionInfo {
  path: string[];
  params: [string, number][];
  result: number | null;
  async: boolean;
}

/** An item as the op describes it. */
export interface ItemInfo {
  name: string;
  kind: string;
  /** Of a function only. */
  number?: number;
  /** Of an instance only. */
  items?: ItemInfo[];
  /** Of a resource only. */
  resource?: number;
  /** Whether it is an import that WASI satisfies. */
  wasi: boolean;
}

/** The layout of a type in the memory of a guest. */
export interface LayoutInfo {
  size: number;
  align: number;
  offsets: number[];
  payload: number;
}

/** The layout of the parameters of a function whose values cross by the codec. */
export interface PlanInfo {
  size: number;
  offsets: number[];
}

/** How the values of functions cross. The functions that have no plan do not cross by the codec. */
export interface PlansInfo {
  /** The layouts of the types. */
  layouts: LayoutInfo[];
  imports: (PlanInfo | null)[];
  exports: (PlanInfo | null)[];
}

/** A component as the op describes it. */
export interface InterfaceInfo {
  id: number;
  /** Whether it has asynchronous functions, streams or futures. */
  async: boolean;
  types: TypeInfo[];
  plans: PlansInfo;
  /** First those that the app defines. */
  resources: ResourceInfo[];
  /** The number of resources that the app defines. */
  importedResources: number;
  imports: { items: ItemInfo[]; functions: FunctionInfo[] };
  exports: { items: ItemInfo[]; functions: FunctionInfo[] };
}

// The kinds of types. Conversions switch over the kind.
export const WIT_BOOL = 0;
export const WIT_S8 = 1;
export const WIT_U8 = 2;
export const WIT_S16 = 3;
export const WIT_U16 = 4;
export const WIT_S32 = 5;
export const WIT_U32 = 6;
export const WIT_S64 = 7;
export const WIT_U64 = 8;
export const WIT_F32 = 9;
export const WIT_F64 = 10;
export const WIT_CHAR = 11;
export const WIT_STRING = 12;
export const WIT_LIST = 13;
export const WIT_FIXED_LENGTH_LIST = 14;
export const WIT_MAP = 15;
export const WIT_RECORD = 16;
export const WIT_TUPLE = 17;
export const WIT_VARIANT = 18;
export const WIT_ENUM = 19;
export const WIT_FLAGS = 20;
export const WIT_OPTION = 21;
export const WIT_RESULT = 22;
export const WIT_OWN = 23;
export const WIT_BORROW = 24;
export const WIT_FUTURE = 25;
export const WIT_STREAM = 26;
export const WIT_OTHER = 27;

const WIT_KINDS: Record<string, number> = {
  __proto__: null,
  "bool": WIT_BOOL,
  "s8": WIT_S8,
  "u8": WIT_U8,
  "s16": WIT_S16,
  "u16": WIT_U16,
  "s32": WIT_S32,
  "u32": WIT_U32,
  "s64": WIT_S64,
  "u64": WIT_U64,
  "f32": WIT_F32,
  "f64": WIT_F64,
  "char": WIT_CHAR,
  "string": WIT_STRING,
  "list": WIT_LIST,
  "fixed-length-list": WIT_FIXED_LENGTH_LIST,
  "map": WIT_MAP,
  "record": WIT_RECORD,
  "tuple": WIT_TUPLE,
  "variant": WIT_VARIANT,
  "enum": WIT_ENUM,
  "flags": WIT_FLAGS,
  "option": WIT_OPTION,
  "result": WIT_RESULT,
  "own": WIT_OWN,
  "borrow": WIT_BORROW,
  "future": WIT_FUTURE,
  "stream": WIT_STREAM,
  "other": WIT_OTHER,
};

/** A type of values, prepared for conversions. */
export interface WitType {
  kind: number;
  /** The type in WIT, for messages. Long types are cut. */
  text: string;
  /** The elements of a list or stream, the value of an option or future, the values of a map. */
  element: WitType | undefined;
  /** The keys of a map. */
  key: WitType | undefined;
  /** The number of elements of a list of a fixed length. */
  length: number;
  /** The number of the resource of a handle. */
  resource: number;
  /** The fields of a record, elements of a tuple, cases of a variant, the `ok` and `err` of a result. */
  parts: (WitType | undefined)[];
  /** The names of the fields or flags in JavaScript, or of the cases in WIT. */
  names: string[];
  /** The size and the alignment in the memory of a guest, in bytes. */
  size: number;
  align: number;
  /** The offsets of the fields of a record, or of the elements of a tuple. */
  offsets: number[];
  /** The offset of the value of a variant, option or result. */
  payload: number;
  /** The conversions by the codec, made when they are first used. */
  encode: Encode | undefined;
  decoder: Decoder | undefined;
}

/** The number of characters above which the text of a type is cut. */
const MAX_TEXT = 100;

/** The types of a component. Each is prepared when it is first used. */
export class WitTypes {
  readonly #infos: TypeInfo[];
  readonly #resources: ResourceInfo[];
  readonly #layouts: LayoutInfo[];
  readonly #types: (WitType | undefined)[] = list();

  constructor(infos: TypeInfo[], layouts: LayoutInfo[], resources: ResourceInfo[]) {
    this.#infos = infos;
    this.#layouts = layouts;
    this.#resources = resources;
  }

  /** The type at this place. A type is described behind the types of its parts, and nests up to a hundred deep. */
  at(index: number): WitType {
    return this.#types[index] ??= this.#prepare(this.#infos[index], this.#layouts[index]);
  }

  #optional(index: number | null): WitType | undefined {
    return index === null ? undefined : this.at(index);
  }

  #prepare(info: TypeInfo, layout: LayoutInfo): WitType {
    const kind = WIT_KINDS[info.kind];
    const type: WitType = {
      kind,
      text: info.kind,
      element: undefined,
      key: undefined,
      length: 0,
      resource: -1,
      parts: list(),
      names: list(),
      size: layout.size,
      align: layout.align,
      offsets: layout.offsets,
      payload: layout.payload,
      encode: undefined,
      decoder: undefined,
    };
    switch (kind) {
      case WIT_LIST:
        type.element = this.at(info.element);
        type.text = `list<${type.element.text}>`;
        break;
      case WIT_FIXED_LENGTH_LIST:
        type.element = this.at(info.element);
        type.length = info.length;
        type.text = `list<${type.element.text}, ${info.length}>`;
        break;
      case WIT_MAP:
        type.key = this.at(info.key);
        type.element = this.at(info.value);
        type.text = `map<${type.key.text}, ${type.element.text}>`;
        break;
      case WIT_RECORD: {
        let text = "";
        for (let i = 0; i < info.fields.length; i++) {
          const { 0: name, 1: index } = info.fields[i];
          const part = this.at(index);
          append(type.parts, part);
          append(type.names, camelCase(name));
          if (text.length <= MAX_TEXT) text += `${i === 0 ? "" : ", "}${name}: ${part.text}`;
        }
        type.text = `record { ${text} }`;
        break;
      }
      case WIT_TUPLE: {
        let text = "";
        for (let i = 0; i < info.types.length; i++) {
          const part = this.at(info.types[i]);
          append(type.parts, part);
          if (text.length <= MAX_TEXT) text += `${i === 0 ? "" : ", "}${part.text}`;
        }
        type.text = `tuple<${text}>`;
        break;
      }
      case WIT_VARIANT: {
        let text = "";
        for (let i = 0; i < info.cases.length; i++) {
          const { 0: name, 1: index } = info.cases[i];
          const part = this.#optional(index);
          append(type.parts, part);
          append(type.names, name);
          if (text.length > MAX_TEXT) continue;
          text += `${i === 0 ? "" : ", "}${name}${part === undefined ? "" : `(${part.text})`}`;
        }
        type.text = `variant { ${text} }`;
        break;
      }
      case WIT_ENUM:
      case WIT_FLAGS: {
        let text = "";
        for (let i = 0; i < info.names.length; i++) {
          const name = info.names[i];
          append(type.names, kind === WIT_FLAGS ? camelCase(name) : name);
          if (text.length <= MAX_TEXT) text += `${i === 0 ? "" : ", "}${name}`;
        }
        type.text = `${info.kind} { ${text} }`;
        break;
      }
      case WIT_OPTION:
        type.element = this.at(info.some);
        type.text = `option<${type.element.text}>`;
        break;
      case WIT_RESULT: {
        const ok = this.#optional(info.ok);
        const err = this.#optional(info.err);
        type.parts = list(ok, err);
        if (err !== undefined) type.text = `result<${ok === undefined ? "_" : ok.text}, ${err.text}>`;
        else if (ok !== undefined) type.text = `result<${ok.text}>`;
        break;
      }
      case WIT_OWN:
      case WIT_BORROW: {
        type.resource = info.resource;
        const { path } = this.#resources[info.resource];
        type.text = `${info.kind}<${path[path.length - 1]}>`;
        break;
      }
      case WIT_FUTURE:
      case WIT_STREAM:
        type.element = this.#optional(kind === WIT_FUTURE ? info.value : info.element);
        if (type.element !== undefined) type.text = `${info.kind}<${type.element.text}>`;
        break;
      case WIT_OTHER:
        type.text = info.name;
    }
    if (type.text.length > MAX_TEXT) type.text = `${cut(type.text)}\u2026`;
    return type;
  }
}

function cut(text: string): string {
  let start = "";
  for (let i = 0; i < MAX_TEXT; i++) start += text[i];
  return start;
}

/** The type of a function, prepared for calls. */
export interface WitSignature {
  /** The names of the parameters, for messages. */
  names: string[];
  params: WitType[];
  result: WitType | undefined;
  isAsync: boolean;
}

/** The signature of a function. */
export function witSignatureOf(types: WitTypes, info: FunctionInfo): WitSignature {
  const names = list<string>();
  const params = list<WitType>();
  for (let i = 0; i < info.params.length; i++) {
    const { 0: name, 1: index } = info.params[i];
    append(names, name);
    append(params, types.at(index));
  }
  const result = info.result === null ? undefined : types.at(info.result);
  return { names, params, result, isAsync: info.async };
}
