// The imports of a component's instance.

import { isObject, own } from "../check.ts";
import { ReflectApply, ReflectConstruct, ReflectOwnKeys } from "../core.ts";
import { describe, quote } from "../describe.ts";
import { InstantiateError, WasmError } from "../errors.ts";
import { append, list } from "../list.ts";
import type { WasmFunction } from "../types.ts";
import { importProperty } from "../webassembly/import_lookup.ts";
import type { ComponentDetails, ComponentFunction } from "./component.ts";
import { camelCase, compatibleId, pascalCase, resourceName, withoutVersion } from "./names.ts";
import type { ResourceName } from "./names.ts";
import type { ItemInfo, WitSignature } from "./wit_types.ts";

/** A function that a component imports, or the class of a resource. */
// deno-lint-ignore no-explicit-any
export type ComponentImport = WasmFunction | (abstract new (...args: any[]) => object);

/**
 * The imports of a component: functions and classes by their names, and objects with functions and classes by the ids of
 * their interfaces, for example `"my:pkg/iface@1.2.3"`. Names of functions are in lowerCamelCase, those of classes in
 * PascalCase. An interface is found by its whole id, by the id with a compatible version, or by the id without a version.
 * Only own properties count. The methods of a class are those that it has when the component is instantiated.
 */
export type ComponentImports = Record<string, ComponentImport | Record<string, ComponentImport>>;

/** The name of a function of a component, for messages. */
export function functionName({ path }: ComponentFunction): string {
  let name = "";
  for (let i = 0; i < path.length; i++) name += (i === 0 ? "" : "#") + path[i];
  return quote(name);
}

/** The type of a function in WIT. */
function typeText({ names, params, result }: WitSignature): string {
  let text = "";
  for (let i = 0; i < params.length; i++) text += `${i === 0 ? "" : ", "}${names[i]}: ${params[i].text}`;
  return `func(${text})${result === undefined ? "" : ` -> ${result.text}`}`;
}

/** The imports of an instance. */
export interface FoundImports {
  /** The functions, in the order of the component. */
  functions: (WasmFunction | undefined)[];
  /** The prototypes of the classes, by the number of the resource. */
  prototypes: (object | undefined)[];
}

/**
 * Looks up the functions and classes for the imports of a component. Only own properties count, as for the imports of a
 * module. The methods of a class may be inherited from another class of the app's. Imports that WASI satisfies need none
 * if the instance has WASI.
 */
export function lookUpImports(
  component: ComponentDetails,
  imports: ComponentImports | undefined,
  hasWasi: boolean,
): FoundImports {
  if (imports !== undefined && !isObject(imports)) {
    throw new WasmError(`imports must be an object, got ${describe(imports)}`, InstantiateError);
  }
  const found: FoundImports = { functions: list(), prototypes: list() };
  const items = component.importItems;
  for (let i = 0; i < items.length; i++) {
    if (hasWasi && items[i].wasi) leaveOut(items[i].items, found);
    else collectItem(component, items[i], imports, found, findInterface);
  }
  return found;
}

/** Leaves the places of the functions empty, which the component does not call. */
function leaveOut(items: ItemInfo[], found: FoundImports): void {
  for (let i = 0; i < items.length; i++) {
    if (items[i].kind === "function") append(found.functions, undefined);
  }
}

/** Finds the value for an item with this name. */
type Find = (holder: object, name: string) => unknown;

function collectItem(
  component: ComponentDetails,
  item: ItemInfo,
  holder: unknown,
  found: FoundImports,
  findInstance: Find,
): void {
  const { name, kind } = item;
  if (kind === "instance") {
    const instance = isObject(holder) ? findInstance(holder, name) : undefined;
    if (item.wasi && instance === undefined) {
      throw new WasmError(
        `import ${quote(name)} is missing: the option wasi provides it`,
        InstantiateError,
      );
    }
    const { items } = item;
    for (let i = 0; i < items.length; i++) collectItem(component, items[i], instance, found, own);
  } else if (kind === "function") {
    append(found.functions, findFunction(component.imported(item.number), holder, name));
  } else if (kind === "resource") {
    found.prototypes[item.resource] ??= prototypeOf(findClass(holder, name));
  }
}

/** The function for an import. */
function findFunction(wanted: ComponentFunction, holder: unknown, name: string): WasmFunction {
  const ofResource = resourceName(name);
  if (ofResource !== undefined) return findMember(wanted, holder, ofResource);
  const value = isHolder(holder) ? own(holder, camelCase(name)) : undefined;
  if (typeof value !== "function") throw missingFunction(wanted, holder, value);
  return value as WasmFunction;
}

/** The function that stands for a constructor, method or static function of the app's class. */
function findMember(
  wanted: ComponentFunction,
  holder: unknown,
  { kind, resource, name }: ResourceName,
): WasmFunction {
  const found = findClass(holder, resource);
  if (kind === "constructor") return (...args) => ReflectConstruct(found, args);
  const member = camelCase(name);
  const isStatic = kind === "static";
  const value = importProperty(isStatic ? found : prototypeOf(found), member);
  if (typeof value !== "function") {
    throw new WasmError(
      `import ${functionName(wanted)} needs a ${typeText(wanted.signature)}: the class ` +
        `${pascalCase(resource)} has no ${isStatic ? "static " : ""}method ${quote(member)}`,
      InstantiateError,
    );
  }
  if (isStatic) return (...args) => ReflectApply(value, found, args);
  return (self, ...args) => ReflectApply(value, self, args);
}

/** The app's class for a resource. */
function findClass(holder: unknown, name: string): object {
  const className = pascalCase(name);
  const value = isHolder(holder) ? own(holder, className) : undefined;
  if (typeof value === "function" && isObject(own(value, "prototype"))) return value;
  const why = value === undefined ? "there is none" : `got ${describe(value)}`;
  throw new WasmError(
    `the imported resource ${quote(name)} needs a class ${className}: ${why}`,
    InstantiateError,
  );
}

function prototypeOf(found: object): object {
  return own(found, "prototype") as object;
}

function isHolder(value: unknown): value is object {
  return isObject(value) || typeof value === "function";
}

/** The error for an import that is no function. */
function missingFunction(wanted: ComponentFunction, holder: unknown, value: unknown): WasmError {
  const name = camelCase(wanted.path[wanted.path.length - 1]);
  let why = `got ${describe(value)}`;
  if (!isHolder(holder)) why = "its interface is missing";
  else if (value === undefined) {
    why = name in holder ? `${quote(name)} is inherited; imports must be own properties` : `there is no ${quote(name)}`;
  }
  return new WasmError(
    `import ${functionName(wanted)} needs a ${typeText(wanted.signature)}: ${why}`,
    InstantiateError,
  );
}

/** Finds an interface by its id: exactly, then with a compatible version, then without a version. */
function findInterface(imports: object, id: string): unknown {
  const exact = own(imports, id);
  if (exact !== undefined) return exact;
  const compatible = compatibleId(id);
  if (compatible !== undefined) {
    const keys = ReflectOwnKeys(imports);
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i];
      if (typeof key !== "string" || compatibleId(key) !== compatible) continue;
      const found = own(imports, key);
      if (found !== undefined) return found;
    }
  }
  return own(imports, withoutVersion(id));
}
