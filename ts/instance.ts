import { wrongCount } from "./call.ts";
import { callAsync } from "./call_async.ts";
import { copyOf, describe, own, quote } from "./check.ts";
import { illegal } from "./construct.ts";
import {
  ArrayIsArray,
  ObjectFreeze,
  op_wasm_check_store,
  op_wasm_drop_instance,
  op_wasm_get_export,
  op_wasm_output,
  ReflectApply,
  SafeMap,
} from "./core.ts";
import { FunctionNotFound, MemoryError, RuntimeError, TypeMismatch, WasmError } from "./errors.ts";
import type { WasmErrorCode } from "./errors.ts";
import type { WasmGlobal } from "./global.ts";
import { placeOf } from "./live.ts";
import type { WasmMemory } from "./memory.ts";
import type { ModuleDetails } from "./module.ts";
import { checkCallOptions } from "./options.ts";
import type { CallOptions } from "./options.ts";
import { exitStatus } from "./outcome.ts";
import type { WasmStore } from "./store.ts";
import type { StoreState } from "./store_state.ts";
import type { WasmTable } from "./table.ts";
import type { ExportInfo, ExportKind, ImportValue, WasmFunction } from "./types.ts";

/** An export that was asked for. */
interface LiveExport {
  kind: ExportKind;
  object: ImportValue;
  /** How many arguments it takes; −1 if it is no function, which is quicker to compare than a string. */
  arity: number;
}

/** A module brought to life: guest code that can be called. */
export class WasmInstance {
  /** Its number, unique in this runtime. */
  readonly id: number;
  /** The number of its module. */
  readonly moduleId: number;
  /** What it exports, in its module's order. */
  readonly exports: readonly ExportInfo[];
  #store: StoreState;
  #module: ModuleDetails;
  /** The exports that were asked for, by name. */
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

  /** The store it lives in. */
  get store(): WasmStore {
    return this.#store.handle;
  }

  /**
   * Calls an exported function and waits for it. Returns nothing, the one result, or an array of
   * several.
   *
   * @throws {WasmError} `FunctionNotFound`, `TypeMismatch`, `RuntimeError` or `FuelExhausted`.
   */
  // deno-lint-ignore no-explicit-any
  call(name: string, args: readonly unknown[] = []): any {
    let live = this.#live?.get(name);
    if (live === undefined || live.arity < 0 || this.#store.dropped) {
      live = this.#find(name, "function", FunctionNotFound);
    }
    const func = live.object as WasmFunction;
    const arity = live.arity;
    if (ArrayIsArray(args) && args.length === arity) {
      if (arity === 0) return func();
      const first = own(args, 0);
      if (arity === 1) return func(first);
      if (arity === 2) {
        const second = own(args, 1);
        return func(first, second);
      }
    }
    return ReflectApply(func, undefined, checkArguments(arity, args, name));
  }

  /**
   * Calls an exported function on a thread of its own, and resolves when it returns, as
   * {@linkcode WasmInstance.call} would. The event loop goes on meanwhile. Imports run on its thread
   * as ever; if one returns a promise, the guest waits for it.
   *
   * While the guest runs its store is busy: to call or use anything in it fails with `RuntimeError`,
   * and views of its memories are detached. While it waits for an import, everything in it may be
   * used, but only one call is asynchronous at a time. To drop the store ends the call. A result that
   * is a promise itself is waited for, as promises do.
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
    const { handle } = placeOf(func);
    return await callAsync(this.#store, handle, checked, name, checkCallOptions(options));
  }

  /** What is known about an export. */
  getExport(name: string): ExportInfo {
    this.#alive();
    const info = this.#module.exportsByName.get(name);
    if (info === undefined) throw new WasmError(`no export named ${quote(name)}`, FunctionNotFound);
    return info;
  }

  /** An exported function, as a function: the same each time. */
  func(name: string): WasmFunction {
    return this.#export(name, "function", FunctionNotFound);
  }

  /** An exported memory. Without a name, the one named `memory`, or else the only one. */
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

  /** All exports, live and by name: pass it as another instance's import. */
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
   * Copies bytes out of an exported memory: see {@linkcode WasmInstance.memory} for which.
   *
   * @throws {WasmError} `MemoryError` if any of them is out of bounds.
   */
  readMemory(offset: number, length: number, memory?: string): Uint8Array {
    return this.memory(memory).read(offset, length);
  }

  /**
   * Copies bytes into an exported memory: see {@linkcode WasmInstance.memory} for which.
   *
   * @throws {WasmError} `MemoryError` if any of them is out of bounds; then nothing is written.
   */
  writeMemory(offset: number, data: BufferSource, memory?: string): void {
    this.memory(memory).write(offset, data);
  }

  /** What is left of its store's fuel budget, or `undefined` if there is none. */
  get fuel(): number | undefined {
    this.#alive();
    return this.store.fuel;
  }

  /** Sets what is left of its store's fuel budget, up to the host's cap. */
  setFuel(fuel: number): void {
    this.#alive();
    this.store.setFuel(fuel);
  }

  /**
   * Runs a WASI command, which is what its `_start` does, and returns its exit status. A command
   * is made to run once.
   *
   * @throws {WasmError} `FunctionNotFound` if it is none; `RuntimeError` if this was called before, or
   * otherwise as {@linkcode WasmInstance.call}.
   */
  start(): number {
    const start = this.#command();
    // Fails where `start` would before it has begun.
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
   * Runs a WASI command as {@linkcode WasmInstance.start} does, in the way of
   * {@linkcode WasmInstance.callAsync}.
   *
   * @throws {WasmError} As both.
   */
  async startAsync(options?: CallOptions): Promise<number> {
    const checked = checkCallOptions(options);
    const { handle } = placeOf(this.#command());
    const started = () => {
      this.#started = true;
    };
    try {
      await callAsync(this.#store, handle, [], "_start", checked, started);
      return 0;
    } catch (error) {
      return exitStatus(error);
    }
  }

  /**
   * What the guests of its store have written to their standard output so far, which has to be
   * `"piped"`.
   *
   * @throws {WasmError} `RuntimeError` if it is not, or the instance was dropped.
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
   * Lets go of the instance. A store made just for it is freed too, unless other instances joined
   * it. A call that is running goes on until it returns, unless it is asynchronous and the store is
   * freed: then it fails.
   */
  drop(): void {
    if (this.#dropped) return;
    this.#dropped = true;
    // So that a call need not look whether the instance was dropped.
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
    this.#live ??= new SafeMap();
    let live = this.#live.get(name);
    if (live?.kind === kind) return live;
    const info = this.#module.exportsByName.get(name);
    if (info === undefined || info.kind !== kind) {
      const what = info === undefined ? "there is none" : `it is a ${info.kind}`;
      throw new WasmError(`no ${kind} is exported as ${quote(name)}: ${what}`, missing);
    }
    const object = this.#store.live(kind, op_wasm_get_export(this.id, name), name);
    const arity = info.kind === "function" ? info.params.length : -1;
    live = { kind, object, arity };
    this.#live.set(name, live);
    return live;
  }

  #memoryName(): string {
    if (this.#module.exportsByName.get("memory")?.kind === "memory") return "memory";
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

/** A copy of the arguments of a function, if they are as many as it takes. */
function checkArguments(arity: number, args: readonly unknown[], name: string): unknown[] {
  if (!ArrayIsArray(args)) {
    throw new WasmError(
      `the arguments of ${quote(name)} must be an array, got ${describe(args)}`,
      TypeMismatch,
    );
  }
  // An array of the wrong length is reported as such, however long it says it is.
  const length = args.length;
  if (length !== arity) throw wrongCount(arity, length, name);
  return copyOf(args, length);
}
