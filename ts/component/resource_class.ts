// The classes of a component's resources.

import { internal } from "../construct.ts";
import { ObjectDefineProperty, ReflectConstruct, TypeError } from "../core.ts";
import { append, list } from "../list.ts";
import { camelCase, pascalCase } from "./names.ts";
import { disposeResource, disposeSymbol, takeHandle } from "./resources.ts";
import type { InstanceResources } from "./resources.ts";

/** Calls the exported function of this number. */
export type CallExport = (number: number, args: unknown[]) => unknown;

/** The functions of a resource: names, and numbers among the exported functions. */
export interface ResourceFunctions {
  create: number | undefined;
  methods: [string, number][];
  statics: [string, number][];
}

/** Makes the class of a resource for one instance. */
export function resourceClass(
  resources: InstanceResources,
  resource: number,
  name: string,
  { create, methods, statics }: ResourceFunctions,
  call: CallExport,
): object {
  class Resource {
    constructor(...args: unknown[]) {
      if (args.length === 1 && args[0] === internal) return;
      if (create === undefined) throw new TypeError("Illegal constructor");
      takeHandle(this, call(create, args) as object);
    }

    [disposeSymbol](): void {
      disposeResource(this);
    }
  }
  defineMember(Resource, "name", pascalCase(name), false);
  for (let i = 0; i < methods.length; i++) {
    const { 0: method, 1: number } = methods[i];
    defineMember(Resource.prototype, camelCase(method), methodOf(number, call), true);
  }
  for (let i = 0; i < statics.length; i++) {
    const { 0: method, 1: number } = statics[i];
    defineMember(Resource, camelCase(method), (...args: unknown[]): unknown => call(number, args), true);
  }
  resources.makers[resource] = () => ReflectConstruct(Resource, [internal]);
  return Resource;
}

function methodOf(number: number, call: CallExport): (...args: unknown[]) => unknown {
  return function (this: unknown, ...args: unknown[]): unknown {
    const all = list<unknown>(this);
    for (let i = 0; i < args.length; i++) append(all, args[i]);
    return call(number, all);
  };
}

function defineMember(object: object, name: string, value: unknown, isWritable: boolean): void {
  ObjectDefineProperty(object, name, {
    __proto__: null,
    value,
    writable: isWritable,
    configurable: true,
  });
}
