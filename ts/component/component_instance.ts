// Instances of components.

import { runCall } from "../call_async.ts";
import { copyOf, own, toInteger } from "../check.ts";
import { RETURNED } from "../constants.ts";
import { illegal } from "../construct.ts";
import { ArrayIsArray, ObjectDefineProperty, ObjectFreeze, SafeMap } from "../core.ts";
import { describe, quote } from "../describe.ts";
import { FunctionNotFound, RuntimeError, TypeMismatch, WasmError } from "../errors.ts";
import { exitStatus } from "../guest_errors.ts";
import { append, list } from "../list.ts";
import {
  op_wasm_call_component,
  op_wasm_call_image,
  op_wasm_call_slots,
  op_wasm_component_ended,
  op_wasm_component_head,
  op_wasm_component_results,
  op_wasm_fuel,
  op_wasm_is_metered,
  op_wasm_output,
  op_wasm_set_fuel,
  op_wasm_settle_component,
  op_wasm_start_component_call,
  op_wasm_start_image_call,
} from "../ops.ts";
import { checkCallOptions } from "../options.ts";
import type { CallOptions } from "../options.ts";
import { noBytes } from "../store_state.ts";
import type { StoreState } from "../store_state.ts";
import type { WasmFunction } from "../types.ts";
import type { AsyncCalls } from "./async_calls.ts";
import type { ComponentDetails, ComponentFunction } from "./component.ts";
import { ComponentError } from "./component_error.ts";
import { functionName } from "./component_imports.ts";
import { handleRequest } from "./http.ts";
import type { Exchanges, HttpRequest, HttpResponse } from "./http.ts";
import type { ImageFunction } from "./image.ts";
import { imageFunctionOf } from "./image_calls.ts";
import { camelCase, compatibleId, pascalCase, resourceName, shortName } from "./names.ts";
import type { ResourceName } from "./names.ts";
import { resourceClass } from "./resource_class.ts";
import type { CallExport, ResourceFunctions } from "./resource_class.ts";
import { Lifting, Lowering } from "./resources.ts";
import type { InstanceResources } from "./resources.ts";
import { readWitValues } from "./value_reader.ts";
import { writeWitValues } from "./value_writer.ts";
import { WIT_RESULT } from "./wit_types.ts";
import type { ItemInfo, WitType } from "./wit_types.ts";

/**
 * An instance of a component: a guest whose functions can be called. It has a store of its own. A call that does not
 * return ends the instance: see {@linkcode ComponentInstance.ended}.
 */
export class ComponentInstance {
  /**
   * Its exports: functions by their names in lowerCamelCase, classes of resources in PascalCase, and objects with both by
   * the ids of their interfaces, and by the last part of these in lowerCamelCase. Asynchronous functions return promises.
   */
  // deno-lint-ignore no-explicit-any
  readonly exports: Readonly<Record<string, any>>;
  #store: StoreState;
  #component: ComponentDetails;
  /** The numbers of the exported functions by path. */
  #numbers: Map<string, number> | undefined;

  #resources: InstanceResources;
  #exchanges: Exchanges = { last: 0 };
  #calls: AsyncCalls | undefined;

  private constructor(
    key: symbol,
    component: ComponentDetails,
    resources: InstanceResources,
    calls: AsyncCalls | undefined,
  ) {
    illegal(key);
    this.#calls = calls;
    this.#store = resources.store;
    this.#component = component;
    this.#resources = resources;
    this.exports = componentExportsOf(component, component.exportItems, resources, calls);
    ObjectFreeze(this);
  }

  /**
   * Calls an exported function, and returns its result. The path is its name, or the id of its interface, `#`, and its
   * name there: `"my:pkg/iface@1.2.3#read-all"`. Names are those of WIT.
   *
   * @throws {ComponentError} If the function returns a `result` that is an `err`.
   * @throws {WasmError} `FunctionNotFound` if there is no such function; `TypeMismatch` if the arguments do not fit;
   * `RuntimeError` if it trapped, an import threw, its deadline passed, the instance has ended or is busy, or the function
   * is asynchronous; `FuelExhausted` if the fuel ran out.
   */
  // deno-lint-ignore no-explicit-any
  call(path: string, args: readonly unknown[] = []): any {
    const number = this.#find(path);
    const checked = argumentList(args, path);
    const called = this.#component.exported(number);
    if (called.signature.isAsync) {
      throw new WasmError(
        `${functionName(called)} is asynchronous: callAsync calls it`,
        RuntimeError,
      );
    }
    return callComponent(called, this.#resources, number, checked, this.#calls);
  }

  /**
   * Calls an exported function as {@linkcode ComponentInstance.call} does, but asynchronously: the guest runs on a thread
   * of its own. Imports may return promises. Several calls of an instance of an asynchronous component run beside each
   * other.
   *
   * @throws {ComponentError} As {@linkcode ComponentInstance.call}.
   * @throws {WasmError} As {@linkcode ComponentInstance.call}; `RuntimeError` if the call was aborted.
   */
  // deno-lint-ignore no-explicit-any
  async callAsync(path: string, args: readonly unknown[] = [], options?: CallOptions): Promise<any> {
    const number = this.#find(path);
    const store = this.#store;
    const resources = this.#resources;
    const called = this.#component.exported(number);
    const checked = argumentList(args, path);
    const callOptions = checkCallOptions(options);
    if (this.#calls !== undefined) {
      return await callBeside(called, resources, number, checked, this.#calls, callOptions);
    }
    const images = imageFunctionOf(called);
    if (images !== undefined) {
      const start = (timeoutMs: number, isAbortable: boolean): number => {
        checkCount(called, checked);
        const image = images.params.image(checked);
        try {
          return op_wasm_start_image_call(store.id, number, image, timeoutMs, isAbortable);
        } catch (error) {
          throw store.stopped(error);
        }
      };
      const finish = () => {
        op_wasm_component_head(store.id);
        return imageResult(called, images, store.id);
      };
      return await runCall(store, start, finish, callOptions);
    }
    const handles = new Lowering(resources);
    const start = (timeoutMs: number, isAbortable: boolean): number => {
      const bytes = argumentBytes(called, checked, handles);
      try {
        const started = op_wasm_start_component_call(
          store.id,
          number,
          bytes,
          timeoutMs,
          isAbortable,
        );
        handles.commit();
        return started;
      } catch (error) {
        handles.rollBack();
        throw store.stopped(error);
      }
    };
    const finish = () => readResult(called, resources, resultBytes(called, store, number));
    try {
      return await runCall(store, start, finish, callOptions);
    } finally {
      handles.end();
    }
  }

  /**
   * Runs a WASI command, by a call of the function `run` of its export `wasi:cli/run`, and returns its exit status: the
   * one with which it exited, 0 if it returned, or 1 if it returned an error. An instance that has exited has ended.
   *
   * @throws {WasmError} `FunctionNotFound` if the component is no command; otherwise as
   * {@linkcode ComponentInstance.call}.
   */
  run(): number {
    try {
      const number = this.#find(this.#command());
      callComponent(this.#component.exported(number), this.#resources, number, list(), this.#calls);
      return 0;
    } catch (error) {
      return statusOf(error);
    }
  }

  /**
   * Runs a WASI command as {@linkcode ComponentInstance.run} does, but asynchronously, as
   * {@linkcode ComponentInstance.callAsync} does.
   *
   * @throws {WasmError} As both of them.
   */
  async runAsync(options?: CallOptions): Promise<number> {
    try {
      await this.callAsync(this.#command(), [], options);
      return 0;
    } catch (error) {
      return statusOf(error);
    }
  }

  /**
   * Has a component that exports `wasi:http/incoming-handler`, or `wasi:http/handler` of WASI 0.3, handle a request, on a
   * thread of its own as {@linkcode ComponentInstance.callAsync} does. Resolves when the head of the response is there; the
   * call goes on until the component has written the body. The instance handles one request at a time. It needs the option
   * `wasi`.
   *
   * @throws {WasmError} `FunctionNotFound` if the component handles no requests; `TypeMismatch` if the request is unusable;
   * `RuntimeError` if the component answers with an error or not at all; otherwise as
   * {@linkcode ComponentInstance.callAsync}.
   */
  async handle(request: HttpRequest, options?: CallOptions): Promise<HttpResponse> {
    this.#alive();
    const checked = checkCallOptions(options);
    return await handleRequest(this.#store, this.#exchanges, request, this.#calls, checked);
  }

  /**
   * The bytes that the component has written to its standard output so far. The option `stdout` has to be `"piped"`.
   *
   * @throws {WasmError} `RuntimeError` if it is not `"piped"`, or the instance was dropped.
   */
  stdout(): Uint8Array {
    this.#alive();
    return op_wasm_output(this.#store.id, false);
  }

  /** As {@linkcode ComponentInstance.stdout}, of the standard error. */
  stderr(): Uint8Array {
    this.#alive();
    return op_wasm_output(this.#store.id, true);
  }

  /** Whether the instance has ended: a call of it did not return, or it was dropped. No function can be called any more. */
  get ended(): boolean {
    return this.#store.dropped || op_wasm_component_ended(this.#store.id);
  }

  /** The fuel that is left, or `undefined` if the instance has no fuel budget. */
  get fuel(): number | undefined {
    return this.#paused((store) => op_wasm_is_metered(store) ? op_wasm_fuel(store) : undefined);
  }

  /** Sets the fuel that is left, up to the host's cap. */
  setFuel(fuel: number): void {
    const checked = toInteger(fuel, "fuel", RuntimeError);
    this.#paused((store) => op_wasm_set_fuel(store, checked));
  }

  /** Frees the instance. A synchronous call that is running goes on until it returns; an asynchronous call fails. */
  drop(): void {
    this.#store.drop();
    this.#calls?.end(dropped());
  }

  [Symbol.dispose](): void {
    this.drop();
  }

  #alive(): void {
    if (this.#store.dropped) throw dropped();
  }

  /** Calls a function with the number of the store, while tasks of an asynchronous component that no call waits for pause. */
  #paused<T>(work: (store: number) => T): T {
    this.#alive();
    const { id } = this.#store;
    if (this.#calls === undefined) return work(id);
    op_wasm_settle_component(id, true);
    try {
      return work(id);
    } finally {
      op_wasm_settle_component(id, false);
    }
  }

  /** The path of the function that runs a command. */
  #command(): string {
    const items = this.#component.exportItems;
    let found: string | undefined;
    for (let i = 0; i < items.length; i++) {
      const { name, kind } = items[i];
      if (kind !== "instance") continue;
      const id = compatibleId(name);
      // A command of WASI 0.3 may also have the function of WASI 0.2, without use.
      if (id === COMMAND_03) return `${name}#run`;
      if (id === COMMAND) found = `${name}#run`;
    }
    if (found !== undefined) return found;
    throw new WasmError(
      `the component is no WASI command: it does not export ${COMMAND}`,
      FunctionNotFound,
    );
  }

  #find(path: string): number {
    this.#alive();
    if (this.#numbers === undefined) {
      this.#numbers = new SafeMap();
      for (let i = 0; i < this.#component.exportCount; i++) {
        this.#numbers.set(pathText(this.#component.exportPath(i)), i);
      }
    }
    const number = this.#numbers.get(path);
    if (number === undefined) {
      throw new WasmError(`no function is exported as ${quote(path)}`, FunctionNotFound);
    }
    return number;
  }
}

/** The export of a WASI command, with the part of its version that compatible versions have in common. */
const COMMAND = "wasi:cli/run@0.2";
const COMMAND_03 = "wasi:cli/run@0.3";

/** The exit status of a command that did not return, or returned an error. Throws any other error. */
function statusOf(error: unknown): number {
  return error instanceof ComponentError ? 1 : exitStatus(error);
}

function dropped(): WasmError {
  return new WasmError("the component instance was dropped", RuntimeError);
}

function pathText(path: string[]): string {
  let text = path[0];
  for (let i = 1; i < path.length; i++) text += `#${path[i]}`;
  return text;
}

/** A copy of the arguments of a call. */
function argumentList(args: readonly unknown[], path: string): unknown[] {
  if (ArrayIsArray(args)) return copyOf(args, args.length);
  throw new WasmError(
    `the arguments of ${quote(path)} must be an array, got ${describe(args)}`,
    TypeMismatch,
  );
}

/** Checks the number of arguments. */
function checkCount(called: ComponentFunction, args: unknown[]): void {
  const { params } = called.signature;
  if (args.length === params.length) return;
  throw new WasmError(
    `${functionName(called)} takes ${params.length} arguments, got ${args.length}`,
    TypeMismatch,
  );
}

/** The arguments of a call as bytes. */
function argumentBytes(called: ComponentFunction, args: unknown[], handles: Lowering): Uint8Array {
  const { names, params } = called.signature;
  checkCount(called, args);
  const what = (i: number) => `argument ${quote(names[i])} of ${functionName(called)}`;
  return writeWitValues(params, args, handles, what);
}

function callComponent(
  called: ComponentFunction,
  resources: InstanceResources,
  number: number,
  args: unknown[],
  calls: AsyncCalls | undefined,
): unknown {
  const { store } = resources;
  if (store.dropped) throw dropped();
  if (called.plan !== undefined) return callByCodec(called, store, number, args);
  const handles = new Lowering(resources);
  const bytes = argumentBytes(called, args, handles);
  let status;
  try {
    status = op_wasm_call_component(store.id, number, bytes, store.imports);
  } catch (error) {
    // If the component was entered, it has ended.
    handles.rollBack();
    const stopped = store.stopped(error);
    if (calls !== undefined && op_wasm_component_ended(store.id)) calls.end(stopped as object);
    throw stopped;
  }
  handles.commit();
  handles.end();
  if (status !== RETURNED) {
    const thrown = store.thrown(status);
    calls?.end(thrown as object);
    throw thrown;
  }
  const results = resultBytes(called, store, number);
  // Streams and futures may want something.
  calls?.goOn();
  return readResult(called, resources, results);
}

/** Calls a function whose values cross by the codec. */
function callByCodec(
  called: ComponentFunction,
  store: StoreState,
  number: number,
  args: unknown[],
): unknown {
  if (store.dropped) throw dropped();
  const images = called.images ?? imageFunctionOf(called);
  const { params, result } = images;
  if (args.length !== params.count) checkCount(called, args);
  let status;
  if (params.isScalar) {
    params.writeFrame(args);
    try {
      status = op_wasm_call_slots(store.id, number, store.imports);
    } catch (error) {
      throw store.stopped(error);
    }
  } else {
    const image = params.image(args);
    try {
      status = op_wasm_call_image(store.id, number, image, store.imports);
    } catch (error) {
      throw store.stopped(error);
    }
  }
  if (status !== RETURNED) throw store.thrown(status);
  if (result.isPlain) return result.count === 0 ? undefined : result.readOne(store.id);
  return imageResult(called, images, store.id);
}

/** The result of a call that has returned, whose head is in the call frame. Throws the `err` of a `result`. */
function imageResult(called: ComponentFunction, images: ImageFunction, store: number): unknown {
  const { result } = called.signature;
  return result === undefined ? undefined : unwrapped(called, result, images.result.readOne(store));
}

/** The bytes of the result of a call that has returned. */
function resultBytes(called: ComponentFunction, store: StoreState, number: number): Uint8Array {
  return called.signature.result === undefined
    ? noBytes
    : op_wasm_component_results(store.id, number);
}

/** Calls a function of an asynchronous component beside its other calls. */
function callBeside(
  called: ComponentFunction,
  resources: InstanceResources,
  number: number,
  args: unknown[],
  calls: AsyncCalls,
  options: CallOptions,
): Promise<unknown> {
  const write = (handles: Lowering) => argumentBytes(called, args, handles);
  const finish = (bytes: Uint8Array) => readResult(called, resources, bytes);
  return calls.call(number, write, finish, options);
}

/** The result of a call that has returned, from its bytes. Throws the `err` of a `result`. */
function readResult(
  called: ComponentFunction,
  resources: InstanceResources,
  bytes: Uint8Array,
): unknown {
  const { result } = called.signature;
  if (result === undefined) return undefined;
  const value = readWitValues(list<WitType>(result), bytes, new Lifting(resources))[0];
  return unwrapped(called, result, value);
}

/** What a function returns for a result. Throws the `err` of a `result`. */
function unwrapped(called: ComponentFunction, result: WitType, value: unknown): unknown {
  if (result.kind !== WIT_RESULT) return value;
  const { tag } = value as { tag: string };
  // A case without a value has no such property, and may inherit one.
  const val = own(value as object, "val");
  if (tag === "err") throw new ComponentError(val, `${functionName(called)} returned an error`);
  return val;
}

/** A function that calls exported functions: asynchronous ones beside each other. */
function exportCaller(
  component: ComponentDetails,
  resources: InstanceResources,
  calls: AsyncCalls | undefined,
): CallExport {
  return (number, args) => {
    const called = component.exported(number);
    return called.signature.isAsync && calls !== undefined
      ? callBeside(called, resources, number, args, calls, { __proto__: null })
      : callComponent(called, resources, number, args, calls);
  };
}

/** The JavaScript function for an exported function. */
function componentFunctionOf(
  component: ComponentDetails,
  resources: InstanceResources,
  number: number,
  calls: AsyncCalls | undefined,
): WasmFunction {
  const called = component.exported(number);
  const { params } = called.signature;
  const { store } = resources;
  const call = exportCaller(component, resources, calls);
  const exported = called.plan === undefined
    ? (...args: unknown[]): unknown => call(number, args)
    : (...args: unknown[]): unknown => callByCodec(called, store, number, args);
  ObjectDefineProperty(exported, "length", {
    __proto__: null,
    value: params.length,
    configurable: true,
  });
  return exported;
}

/** The exports of an instance. */
function componentExportsOf(
  component: ComponentDetails,
  items: ItemInfo[],
  resources: InstanceResources,
  calls: AsyncCalls | undefined,
): Readonly<Record<string, unknown>> {
  const exports: Record<string, unknown> = { __proto__: null };
  const members: Record<string, ResourceFunctions> = { __proto__: null };
  const shorts = list<[string, unknown]>();
  for (let i = 0; i < items.length; i++) {
    const { name, kind } = items[i];
    if (kind === "instance") {
      const instance = componentExportsOf(component, items[i].items, resources, calls);
      exports[name] = instance;
      append(shorts, [shortName(name), instance]);
    } else if (kind === "function") {
      const { number } = items[i];
      const member = resourceName(name);
      if (member === undefined) {
        exports[camelCase(name)] = componentFunctionOf(component, resources, number, calls);
      } else {
        addMember(members, member, number);
      }
    }
  }
  const call = exportCaller(component, resources, calls);
  for (let i = 0; i < items.length; i++) {
    const { name, kind } = items[i];
    if (kind !== "resource") continue;
    const { resource } = items[i];
    if (component.isOfHost(resource)) continue;
    const functions = membersOf(members, name);
    exports[pascalCase(name)] = resourceClass(resources, resource, name, functions, call);
  }
  // An item with the name itself comes first.
  for (let i = 0; i < shorts.length; i++) {
    const { 0: name, 1: instance } = shorts[i];
    if (!(name in exports)) exports[name] = instance;
  }
  return ObjectFreeze(exports);
}

function membersOf(members: Record<string, ResourceFunctions>, resource: string): ResourceFunctions {
  return members[resource] ??= { create: undefined, methods: list(), statics: list() };
}

function addMember(
  all: Record<string, ResourceFunctions>,
  { kind, resource, name }: ResourceName,
  number: number,
): void {
  const members = membersOf(all, resource);
  if (kind === "constructor") members.create = number;
  else append(kind === "static" ? members.statics : members.methods, [name, number]);
}
