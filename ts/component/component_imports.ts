// The imports of a component's instance.

import { isObject, own } from "../check.ts";
import { ReflectOwnKeys } from "../core.ts";
import { describe, quote } from "../describe.ts";
import { InstantiateError, WasmError } from "../errors.ts";
import { append, list } from "../list.ts";
import type { WasmFunction } from "../types.ts";
import type { ComponentDetails, ComponentFunction } from "./component.ts";
import { camelCase, compatibleId, withoutVersion } from "./names.ts";
import type { ItemInfo, WitSignature } from "./wit_types.ts";

/**
 * The imports of a component: functions by their names, and objects with functions by the ids of their interfaces, for
 * example `"my:pkg/iface@1.2.3"`. Names of functions are in lowerCamelCase. An interface is found by its whole id, by the
 * id with a compatible version, or by the id without a version. Only own properties count.
 */
export type ComponentImports = Record<string, WasmFunction | Record<string, WasmFunction>>;

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

/**
 * Looks up the functions for the imports of a component, in the order of the component. Only own properties count, as
 * for the imports of a module.
 */
export function lookUpImports(
  component: ComponentDetails,
  imports: ComponentImports | undefined,
): WasmFunction[] {
  if (imports !== undefined && !isObject(imports)) {
    throw new WasmError(`imports must be an object, got ${describe(imports)}`, InstantiateError);
  }
  const functions = list<WasmFunction>();
  collect(component, component.importItems, imports, functions, findInterface);
  return functions;
}

/** Finds the value for an item with this name. */
type Find = (holder: object, name: string) => unknown;

function collect(
  component: ComponentDetails,
  items: ItemInfo[],
  holder: unknown,
  functions: WasmFunction[],
  findInstance: Find,
): void {
  for (let i = 0; i < items.length; i++) {
    const { name, kind, number, items: inner } = items[i];
    if (kind === "instance") {
      const instance = isObject(holder) ? findInstance(holder, name) : undefined;
      collect(component, inner, instance, functions, own);
    } else if (kind === "function") {
      const value = isHolder(holder) ? own(holder, camelCase(name)) : undefined;
      if (typeof value !== "function") throw missingFunction(component.imported(number), holder, value);
      append(functions, value as WasmFunction);
    }
  }
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
