// Compiled components.

import { isObject } from "../check.ts";
import { illegal } from "../construct.ts";
import { ObjectFreeze, SafeFinalizationRegistry } from "../core.ts";
import { append, list, toArray } from "../list.ts";
import { op_wasm_component_types, op_wasm_component_wit, op_wasm_drop_component } from "../ops.ts";
import type { ImageFunction } from "./image.ts";
import { witSignatureOf, WitTypes } from "./wit_types.ts";
import type { FunctionInfo, InterfaceInfo, ItemInfo, PlanInfo, PlansInfo, WitSignature } from "./wit_types.ts";

const collectedComponents: FinalizationRegistry<number> = new SafeFinalizationRegistry(
  (id: number) => op_wasm_drop_component(id),
);

/** Something that a component imports or exports. Types are written as in WIT; long ones are cut. */
export type ComponentItem =
  | {
    readonly name: string;
    readonly kind: "function";
    readonly params: readonly { readonly name: string; readonly type: string }[];
    readonly result?: string;
    /** Whether it is asynchronous: a call of it is a promise. */
    readonly async: boolean;
  }
  | { readonly name: string; readonly kind: "instance"; readonly items: readonly ComponentItem[] }
  | { readonly name: string; readonly kind: "type" | "resource" | "module" | "component" | "value" };

/** A function that a component imports or exports. */
export interface ComponentFunction {
  /** The names of the interfaces around it, and its own. */
  path: string[];
  signature: WitSignature;
  /** The layout of its parameters, if its values cross by the codec. */
  plan: PlanInfo | undefined;
  /** The conversions by the codec, made when they are first used. */
  images: ImageFunction | undefined;
}

/** The details of a `WasmComponent`; `undefined` for any other value. */
export let componentDetailsOf: (value: unknown) => ComponentDetails | undefined;

/** The parts of a component that its instances share. */
export class ComponentDetails {
  readonly id: number;
  /** Whether it has asynchronous functions, streams or futures. */
  readonly isAsync: boolean;
  readonly importItems: ItemInfo[];
  readonly exportItems: ItemInfo[];
  readonly #types: WitTypes;
  readonly #plans: PlansInfo;
  readonly #imports: FunctionInfo[];
  readonly #exports: FunctionInfo[];
  readonly #imported: ComponentFunction[] = list();
  readonly #exported: ComponentFunction[] = list();

  /** The number of resources that the app defines. They come first, and the functions that drop them have their order. */
  readonly hostResourceCount: number;

  constructor(info: InterfaceInfo) {
    const { id, types, plans, resources, importedResources, imports, exports } = info;
    this.id = id;
    this.isAsync = info.async;
    this.hostResourceCount = importedResources;
    this.importItems = imports.items;
    this.exportItems = exports.items;
    this.#types = new WitTypes(types, plans.layouts, resources);
    this.#plans = plans;
    this.#imports = imports.functions;
    this.#exports = exports.functions;
  }

  /** The number of functions that it imports. */
  get importCount(): number {
    return this.#imports.length;
  }

  /** The number of functions that it exports. */
  get exportCount(): number {
    return this.#exports.length;
  }

  /** Whether the app defines a resource. */
  isOfHost(resource: number): boolean {
    return resource < this.hostResourceCount;
  }

  /** The path of an exported function. */
  exportPath(number: number): string[] {
    return this.#exports[number].path;
  }

  /** The imported function of this number. */
  imported(number: number): ComponentFunction {
    return this.#imported[number] ??= this.#prepare(this.#imports[number], this.#plans.imports[number]);
  }

  /** The exported function of this number. */
  exported(number: number): ComponentFunction {
    return this.#exported[number] ??= this.#prepare(this.#exports[number], this.#plans.exports[number]);
  }

  #prepare(info: FunctionInfo, plan: PlanInfo | null): ComponentFunction {
    const signature = witSignatureOf(this.#types, info);
    return { path: info.path, signature, plan: plan ?? undefined, images: undefined };
  }
}

/** A compiled component. */
export class WasmComponent {
  /** Its number, unique among the components of this runtime. */
  readonly id: number;
  /** Its imports, in its own order. */
  readonly imports: readonly ComponentItem[];
  /** Its exports, in its own order. */
  readonly exports: readonly ComponentItem[];
  #details: ComponentDetails;

  static {
    componentDetailsOf = (value) => isObject(value) && #details in value ? value.#details : undefined;
  }

  private constructor(key: symbol, info: InterfaceInfo) {
    illegal(key);
    const details = new ComponentDetails(info);
    this.#details = details;
    this.id = details.id;
    this.imports = itemsOf(details.importItems, (number) => details.imported(number));
    this.exports = itemsOf(details.exportItems, (number) => details.exported(number));
    ObjectFreeze(this);
    collectedComponents.register(this, details.id, this);
  }

  /**
   * Its imports and exports in WIT, the language of the component model: a world, followed by the packages of the
   * interfaces.
   *
   * @throws {WasmError} `InstantiateError` if it was dropped; `RuntimeError` if the text is longer than 4 MiB.
   */
  wit(): string {
    return op_wasm_component_wit(this.#details.id);
  }

  /**
   * TypeScript declarations of its imports and exports: the interfaces `Imports` and `Exports`, and all types in them.
   *
   * @throws {WasmError} As {@linkcode WasmComponent.wit}.
   */
  types(): string {
    return op_wasm_component_types(this.#details.id);
  }

  /** Drops the component. Its instances can still be used. */
  drop(): void {
    collectedComponents.unregister(this);
    op_wasm_drop_component(this.#details.id);
  }

  [Symbol.dispose](): void {
    this.drop();
  }
}

/** The descriptions of items for an app. */
function itemsOf(
  infos: ItemInfo[],
  functionOf: (number: number) => ComponentFunction,
): readonly ComponentItem[] {
  const items = list<ComponentItem>();
  for (let i = 0; i < infos.length; i++) append(items, itemOf(infos[i], functionOf));
  return ObjectFreeze(toArray(items));
}

function itemOf(
  info: ItemInfo,
  functionOf: (number: number) => ComponentFunction,
): ComponentItem {
  const { name, kind } = info;
  if (kind === "instance") {
    return ObjectFreeze({ name, kind, items: itemsOf(info.items, functionOf) }) as ComponentItem;
  }
  if (kind !== "function") return ObjectFreeze({ name, kind }) as ComponentItem;
  const { signature } = functionOf(info.number);
  const params = list<{ name: string; type: string }>();
  for (let i = 0; i < signature.params.length; i++) {
    append(params, ObjectFreeze({ name: signature.names[i], type: signature.params[i].text }));
  }
  const described = { name, kind, params: ObjectFreeze(toArray(params)), async: signature.isAsync };
  if (signature.result === undefined) return ObjectFreeze(described) as ComponentItem;
  return ObjectFreeze({ ...described, result: signature.result.text }) as ComponentItem;
}
