import { readRef } from "./codec.ts";
import { ABORTED, STORE_FOR_MODULES, THREW } from "./constants.ts";
import {
  JSONParse,
  ObjectDefineProperty,
  RangeError,
  refOpPromise,
  SafeFinalizationRegistry,
  Uint8Array,
} from "./core.ts";
import { messageIn, RuntimeError, WasmError } from "./errors.ts";
import { ExternalReferences } from "./external_references.ts";
import { frameU32 } from "./frame.ts";
import { endedGuest, exceptions, importThrew, uncatchable } from "./guest_errors.ts";
import { externHandles } from "./handles.ts";
import type { ExternHandle } from "./handles.ts";
import type { HostImport, PendingImport } from "./host_import.ts";
import { list } from "./list.ts";
import {
  op_wasm_drop_store,
  op_wasm_forget_store,
  op_wasm_func_number,
  op_wasm_func_type,
  op_wasm_new_store,
} from "./ops.ts";
import { checkOptions } from "./options.ts";
import type { CheckedOptions, StoreOptions } from "./options.ts";
import type { WasmReference } from "./reference.ts";
import { signatureOf } from "./signature.ts";
import type { Signature } from "./signature.ts";
import { importName } from "./types.ts";
import type { ExportKind, WasmFunction } from "./types.ts";
import { Views } from "./views.ts";

const collectedStores: FinalizationRegistry<number> = new SafeFinalizationRegistry(
  (id: number) => op_wasm_forget_store(id),
);

export const noBytes: Uint8Array = new Uint8Array(0);

/** A function of a guest, with all that a call of it needs. */
export interface Callee extends ExternHandle {
  store: StoreState;
  /** The number by which ops call it. */
  number: number;
  signature: Signature;
  /** The name of an export, for messages. */
  name: string | undefined;
}

/** Makes the JavaScript function that calls a function of a guest. */
let makeFunction: (callee: Callee) => WasmFunction;

/** Sets how functions are made. Calls need stores, so the file that makes functions is above this one. */
export function setFunctionMaker(make: (callee: Callee) => WasmFunction): void {
  makeFunction = make;
}

/**
 * Does a task for the import at this index of a store: see the import dispatcher. Returns the status.
 */
export type Dispatch = (
  store: StoreState,
  index: number,
  waits: boolean,
  task: number,
  value: unknown,
) => number;

/** Makes a store with these options. */
export function newStore(options: StoreOptions | undefined): StoreState {
  return storeWith(checkOptions(options), false, STORE_FOR_MODULES, 0);
}

/** Makes a store with these options for an instance of the module with this number. */
export function newStoreFor(module: number, options: StoreOptions | undefined): StoreState {
  return storeWith(checkOptions(options), true, STORE_FOR_MODULES, module);
}

/**
 * Makes the store of a component's instance. `use` is one of the numbers `STORE_FOR_…`. `dispatch` calls its imports.
 */
export function newComponentStore(options: CheckedOptions, use: number, dispatch: Dispatch): StoreState {
  return storeWith(options, true, use, 0, dispatch);
}

function storeWith(
  { fuel, maxMemoryBytes, timeoutMs, interruptible, wasi }: CheckedOptions,
  implicit: boolean,
  use: number,
  module: number,
  dispatch?: Dispatch,
): StoreState {
  const id = op_wasm_new_store(
    fuel ?? -1,
    maxMemoryBytes ?? -1,
    timeoutMs ?? -1,
    interruptible === true,
    wasi === undefined ? "" : wasi.config,
    wasi === undefined ? noBytes : wasi.stdin,
    use,
    module,
  );
  return new StoreState(id, implicit, wasi !== undefined, dispatch);
}

/** The JavaScript side of a store: everything of JavaScript's that its guests hold. */
export class StoreState {
  readonly id: number;
  /** Whether the store was made for one instance, and is freed with it. */
  readonly implicit: boolean;
  /** Whether its guests have WASI. */
  readonly hasWasi: boolean;
  dropped: boolean = false;
  /** The number of instances in it that were not dropped. */
  instances: number = 0;
  /** The state itself, as long as a guest can run, and behind it the functions that its guests import. */
  readonly imports: (StoreState | WasmFunction | undefined)[] = list<StoreState | WasmFunction>(this);
  /** The descriptions of these functions, at the same indices. */
  readonly hostImports: (HostImport | undefined)[] = list(undefined);
  readonly externals: ExternalReferences;
  readonly views: Views;
  readonly #funcs: WasmFunction[] = list();
  readonly #objects: Partial<Record<ExportKind, object[]>> = { __proto__: null };
  /** The import for which the guest of the asynchronous call waits. */
  pending: PendingImport | undefined;
  /** Resolves when the guest has to end although it waits for a promise. */
  end: Promise<boolean> | undefined;
  /** The `WasmStore` of this state, if an app has one. */
  handle: object | undefined;
  /** Calls imports in place of the import dispatcher, for stores whose values have other conversions. */
  readonly dispatch: Dispatch | undefined;
  #abortedWith: object | undefined;

  constructor(id: number, implicit: boolean, hasWasi: boolean, dispatch?: Dispatch) {
    this.id = id;
    this.implicit = implicit;
    this.hasWasi = hasWasi;
    this.dispatch = dispatch;
    this.externals = new ExternalReferences(this.id);
    this.views = new Views(this.id);
    collectedStores.register(this, this.id);
  }

  /** Forgets the imports from this index on: those of an instance that was not made. */
  forgetImports(from: number): void {
    this.imports.length = from;
    this.hostImports.length = from;
  }

  /** Has the running guest end with an error that it cannot catch. Returns the status of its import. */
  abort(error: object): number {
    // No other guest may catch the error on its way either.
    uncatchable.set(error, this.id);
    this.#abortedWith = error;
    return ABORTED;
  }

  /** The error for a run of this status, which did not return. */
  thrown(status: number): unknown {
    if (status === ABORTED) return this.takeAbort();
    const number = frameU32[0];
    const value = readRef(this, 0);
    if (status === THREW) return importThrew(importName(this.externals.throwers[number]), value);
    const error = new WasmError("uncaught WebAssembly exception", RuntimeError, { cause: value });
    exceptions.set(error, value as WasmReference);
    return error;
  }

  /** The error with which the running guest was ended. */
  takeAbort(): object {
    const error = this.#abortedWith;
    this.#abortedWith = undefined;
    return error ?? new WasmError("the call was aborted", RuntimeError);
  }

  /** The error to throw for the error of an op that runs guests. */
  stopped(error: WasmError): unknown {
    // Where the stack has no room for an error object, deno_core throws the message alone.
    if (typeof error === "string") throw new RangeError(messageIn(error));
    if (endedGuest(error)) uncatchable.set(error, this.id);
    this.views.detachGrown();
    return error;
  }

  /** The JavaScript function for the function with this handle: the same one each time. */
  func(handle: number, name?: string): WasmFunction {
    let func = this.#funcs[handle];
    if (func === undefined) {
      const signature = signatureOf(JSONParse(op_wasm_func_type(this.id, handle)));
      const number = op_wasm_func_number(this.id, handle);
      const callee: Callee = { store: this, kind: "function", handle, number, signature, name };
      func = makeFunction(callee);
      ObjectDefineProperty(func, "length", {
        __proto__: null,
        value: signature.params.length,
        configurable: true,
      });
      externHandles.set(func, callee);
      this.#funcs[handle] = func;
    }
    return func;
  }

  /** The live objects of a kind other than function, by handle. */
  objects(kind: ExportKind): object[] {
    return this.#objects[kind] ??= list();
  }

  /** Keeps the event loop alive until a guest that was told to end has ended. */
  awaitEnd(): void {
    if (this.end !== undefined) refOpPromise(this.end);
  }

  drop(): void {
    if (this.dropped) return;
    this.dropped = true;
    // An engine frees an object that refers to itself only when it looks for cycles.
    if (op_wasm_drop_store(this.id)) this.imports[0] = undefined;
    this.awaitEnd();
  }
}
