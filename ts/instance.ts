import { call, wrongCount } from "./call.ts";
import { callAsync } from "./call_async.ts";
import { copyOf } from "./check.ts";
import { illegal } from "./construct.ts";
import {
  ArrayIsArray,
  ArrayPrototype,
  ObjectFreeze,
  ObjectGetPrototypeOf,
  ObjectHasOwn,
  SafeMap,
} from "./core.ts";
import { describe, quote } from "./describe.ts";
import { FunctionNotFound, MemoryError, RuntimeError, TypeMismatch, WasmError } from "./errors.ts";
import type { WasmErrorCode } from "./errors.ts";
import { liveObject } from "./extern_objects.ts";
import type { ImportValue } from "./extern_objects.ts";
import { checkedFunctionOf, hasJit } from "./func.ts";
import type { WasmGlobal } from "./global.ts";
import { exitStatus } from "./guest_errors.ts";
import { externHandleOf } from "./handles.ts";
import type { WasmMemory } from "./memory.ts";
import type { ModuleDetails } from "./module.ts";
import {
  op_wasm_check_store,
  op_wasm_drop_instance,
  op_wasm_get_export,
  op_wasm_output,
} from "./ops.ts";
import { checkCallOptions } from "./options.ts";
import type { CallOptions } from "./options.ts";
import { storeOf } from "./store.ts";
import type { WasmStore } from "./store.ts";
import type { Callee, StoreState } from "./store_state.ts";
import type { WasmTable } from "./table.ts";
import type { ExportInfo, ExportKind, WasmFunction } from "./types.ts";

/** An export that an app has used. */
interface LiveExport {
  kind: ExportKind;
  object: ImportValue;
  /** Calls it with as many arguments as it has parameters, at most two; `undefined` if it is no function. */
  call: WasmFunction | undefined;
  /** The number of its parameters; −1 if it is no function, since a number is quicker to compare than a string. */
  arity: number;
}

/** An instance of a module: a guest whose exports can be called and used. */
export class WasmInstance {
  /** Its number, unique in this runtime. */
  readonly id: number;
  /** The number of its module. */
  readonly moduleId: number;
  /** Its exports, in the order of its module. */
  readonly exports: readonly ExportInfo[];
  #store: StoreState;
  #module: ModuleDetails;
  /** The exports that the app has used, by name. `undefined` if the instance was dropped. */
  #live: Map<string, LiveExport> | undefined;
  #namespace: Readonly<Record<string, ImportValue>> | undefined;
  #dropped: boolean = false;
  #started: boolean = false;

  private constructor(key: symbol, id: number, module: ModuleDetails, store: StoreState) {
    illegal(key);
    this.id = id;
    this.moduleId = module.id;
    this.exports = module.exports;
    this.#store = store;
    this.#module = module;
    ObjectFreeze(this);
    store.instances++;
  }

  /** The store that it is part of. */
  get store(): WasmStore {
    return storeOf(this.#store);
  }

  /**
   * Calls an exported function, and waits until it returns. Returns `undefined` if the function has no result, its
   * result, or an array of its results if there are several.
   *
   * @throws {WasmError} `FunctionNotFound`, `TypeMismatch`, `RuntimeError` or `FuelExhausted`.
   */
  // deno-lint-ignore no-explicit-any
  call(name: string, args: readonly unknown[] = []): any {
    let live = this.#live?.get(name);
    if (live === undefined || live.arity < 0 || this.#store.dropped) {
      live = this.#find(name, "function", FunctionNotFound);
    }
    const arity = live.arity;
    if (arity <= 2 && ArrayIsArray(args) && args.length === arity) {
      const run = live.call;
      if (arity === 0) return run();
      // A list of the own elements would take longer than the rest of the call.
      if (!hasJit) {
        const first = ObjectHasOwn(args, 0) ? args[0] : undefined;
        if (arity === 1) return run(first);
        return run(first, ObjectHasOwn(args, 1) ? args[1] : undefined);
      }
      // A compiling engine has these tests of prototypes for next to nothing, but no test for own elements.
      if (ObjectGetPrototypeOf(args) === ArrayPrototype && !(0 in ArrayPrototype)) {
        if (arity === 1) return run(args[0]);
        if (!(1 in ArrayPrototype)) return run(args[0], args[1]);
      }
    }
    return call(calleeOf(live.object), checkArguments(arity, args, name));
  }

  /**
   * Calls an exported function on a thread of its own, and resolves to the value that {@linkcode WasmInstance.call}
   * would return. The event loop runs meanwhile. Imports run on the thread of the event loop; if an import returns a
   * promise, the guest waits for it.
   *
   * While the guest runs, its store is busy: calls into it and uses of its objects fail with `RuntimeError`, and views
   * of its memories are detached. While the guest waits for an import, everything in the store can be used, except that
   * a store has one asynchronous call at a time. Dropping the store ends the call. If the result is a promise, the
   * returned promise waits for it, as promises do.
   *
   * A guest that never returns keeps its thread unless it can be interrupted: see
   * {@linkcode StoreOptions.interruptible}.
   *
   * @throws {WasmError} As {@linkcode WasmInstance.call}. `RuntimeError` if the store is busy, or the
   * signal aborts the call: then `cause` is the signal's reason.
   */
  // deno-lint-ignore no-explicit-any
  async callAsync(name: string, args: readonly unknown[] = [], options?: CallOptions): Promise<any> {
    const { object: func, arity } = this.#find(name, "function", FunctionNotFound);
    const checked = checkArguments(arity, args, name);
    return await callAsync(calleeOf(func), checked, name, checkCallOptions(options));
  }

  /** The description of an export. */
  getExport(name: string): ExportInfo {
    this.#alive();
    const info = this.#module.exportOf(name);
    if (info === undefined) throw new WasmError(`no export named ${quote(name)}`, FunctionNotFound);
    return info;
  }

  /** An exported function, as a JavaScript function: the same one each time. */
  func(name: string): WasmFunction {
    return this.#export(name, "function", FunctionNotFound);
  }

  /** An exported memory. Without a name: the memory named `memory`, or else the only memory. */
  memory(name?: string): WasmMemory {
    return this.#export(name ?? this.#memoryName(), "memory", MemoryError);
  }

  /** An exported global. */
  global(name: string): WasmGlobal {
    return this.#export(name, "global", FunctionNotFound);
  }

  /** An exported table. */
  table(name: string): WasmTable {
    return this.#export(name, "table", FunctionNotFound);
  }

  /** The live objects of all exports, by name. Can be passed as imports of another instance. */
  get namespace(): Readonly<Record<string, ImportValue>> {
    this.#alive();
    if (this.#namespace === undefined) {
      const namespace: Record<string, ImportValue> = { __proto__: null };
      for (let i = 0; i < this.exports.length; i++) {
        const { name, kind } = this.exports[i];
        namespace[name] = this.#export(name, kind, FunctionNotFound);
      }
      this.#namespace = ObjectFreeze(namespace);
    }
    return this.#namespace;
  }

  /**
   * Copies bytes out of an exported memory, which is found as by {@linkcode WasmInstance.memory}.
   *
   * @throws {WasmError} `MemoryError` if any of them is out of bounds.
   */
  readMemory(offset: number, length: number, memory?: string): Uint8Array {
    return this.memory(memory).read(offset, length);
  }

  /**
   * Copies bytes into an exported memory, which is found as by {@linkcode WasmInstance.memory}.
   *
   * @throws {WasmError} `MemoryError` if any of them is out of bounds; then nothing is written.
   */
  writeMemory(offset: number, data: BufferSource, memory?: string): void {
    this.memory(memory).write(offset, data);
  }

  /** The fuel that is left in its store, or `undefined` if the store has no fuel budget. */
  get fuel(): number | undefined {
    this.#alive();
    return this.store.fuel;
  }

  /** Sets the fuel that is left in its store, up to the host's cap. */
  setFuel(fuel: number): void {
    this.#alive();
    this.store.setFuel(fuel);
  }

  /**
   * Runs a WASI command, by a call of its function `_start`, and returns its exit status. A command runs only once.
   *
   * @throws {WasmError} `FunctionNotFound` if the instance is no command; `RuntimeError` if it has run before; otherwise
   * as {@linkcode WasmInstance.call}.
   */
  start(): number {
    const start = this.#command();
    // If the store is busy, the command has not run.
    op_wasm_check_store(this.#store.id);
    this.#started = true;
    try {
      start();
      return 0;
    } catch (error) {
      return exitStatus(error);
    }
  }

  /**
   * Runs a WASI command as {@linkcode WasmInstance.start} does, but asynchronously, as
   * {@linkcode WasmInstance.callAsync} does.
   *
   * @throws {WasmError} As both of them.
   */
  async startAsync(options?: CallOptions): Promise<number> {
    const checked = checkCallOptions(options);
    const callee = calleeOf(this.#command());
    const started = () => {
      this.#started = true;
    };
    try {
      await callAsync(callee, [], "_start", checked, started);
      return 0;
    } catch (error) {
      return exitStatus(error);
    }
  }

  /**
   * The bytes that the guests of its store have written to their standard output so far. The option `stdout` has to be
   * `"piped"`.
   *
   * @throws {WasmError} `RuntimeError` if it is not `"piped"`, or the instance was dropped.
   */
  stdout(): Uint8Array {
    this.#alive();
    return op_wasm_output(this.#store.id, false);
  }

  /** As {@linkcode WasmInstance.stdout}, of the standard error. */
  stderr(): Uint8Array {
    this.#alive();
    return op_wasm_output(this.#store.id, true);
  }

  /**
   * Drops the instance. If its store was made only for it, and no other instance has joined the store, the store is
   * dropped too: see {@linkcode WasmStore.drop}.
   */
  drop(): void {
    if (this.#dropped) return;
    this.#dropped = true;
    // Then `call` need not check whether the instance was dropped.
    this.#live = undefined;
    this.#store.instances--;
    if (this.#store.implicit && this.#store.instances === 0) this.#store.drop();
    else op_wasm_drop_instance(this.id);
  }

  [Symbol.dispose](): void {
    this.drop();
  }

  #command(): WasmFunction {
    const start = this.func("_start");
    if (this.#started) throw new WasmError("the command was started before", RuntimeError);
    return start;
  }

  #alive(): void {
    if (this.#dropped || this.#store.dropped) {
      throw new WasmError(`instance ${this.id} was dropped`, RuntimeError);
    }
  }

  #export<T extends ImportValue>(name: string, kind: ExportKind, missing: WasmErrorCode): T {
    return this.#find(name, kind, missing).object as T;
  }

  #find(name: string, kind: ExportKind, missing: WasmErrorCode): LiveExport {
    this.#alive();
    const info = this.#module.exportOf(name);
    if (info === undefined || info.kind !== kind) {
      const what = info === undefined ? "there is none" : `it is a ${info.kind}`;
      throw new WasmError(`no ${kind} is exported as ${quote(name)}: ${what}`, missing);
    }
    this.#live ??= new SafeMap();
    let live = this.#live.get(info.name);
    if (live !== undefined) return live;
    const object = liveObject(this.#store, kind, op_wasm_get_export(this.id, info.name), info.name);
    const isFunction = info.kind === "function";
    const arity = isFunction ? info.params.length : -1;
    const call = isFunction ? checkedFunctionOf(calleeOf(object), object as WasmFunction) : undefined;
    live = { kind, object, call, arity };
    this.#live.set(info.name, live);
    return live;
  }

  #memoryName(): string {
    if (this.#module.exportOf("memory")?.kind === "memory") return "memory";
    let only = "memory";
    let memories = 0;
    for (let i = 0; i < this.exports.length; i++) {
      if (this.exports[i].kind !== "memory") continue;
      only = this.exports[i].name;
      memories++;
    }
    return memories === 1 ? only : "memory";
  }
}

/** The call data of a function of a guest. */
function calleeOf(func: ImportValue): Callee {
  return externHandleOf(func) as Callee;
}

/** A copy of the arguments of a function, if their number is right. */
function checkArguments(arity: number, args: readonly unknown[], name: string): unknown[] {
  if (!ArrayIsArray(args)) {
    throw new WasmError(
      `the arguments of ${quote(name)} must be an array, got ${describe(args)}`,
      TypeMismatch,
    );
  }
  // Checked before the copy: an array can have any length.
  const length = args.length;
  if (length !== arity) throw wrongCount(arity, length, name);
  return copyOf(args, length);
}
