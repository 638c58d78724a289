// Generated from ts/init.ts by forge-weld. To write it anew, build with FORGE_WELD_WRITE_TYPES=1.
declare module "host:wasm" {
  /** What went wrong, as a number that apps may rely on. */
  export const WasmErrorCode: {
    /** Not valid WebAssembly, an unsupported feature, or a file that may not or cannot be read. */
    readonly CompileError: 5000;
    /** A module could not become an instance: imports, caps, or options. */
    readonly InstantiateError: 5001;
    /** A trap, an exception that nobody caught, or an instance that cannot run. */
    readonly RuntimeError: 5002;
    /** A host access to a memory that is out of bounds or does not exist. */
    readonly MemoryError: 5003;
    /** No such export, or it is not a function. */
    readonly FunctionNotFound: 5004;
    /** A value that does not fit the WebAssembly type it is meant for. */
    readonly TypeMismatch: 5005;
    /** The fuel budget ran out. */
    readonly FuelExhausted: 5006;
  };
  /** One of the numbers in {@linkcode WasmErrorCode}. */
  export type WasmErrorCode = (typeof WasmErrorCode)[keyof typeof WasmErrorCode];
  /** The name of a {@linkcode WasmErrorCode}. */
  export type WasmErrorKind = keyof typeof WasmErrorCode;
  /** The only error that `host:wasm` throws of its own. */
  export class WasmError extends Error {
    /** What kind of error this is, as a number. */
    readonly code: WasmErrorCode;
    /** What kind of error this is, as a name. */
    readonly kind: WasmErrorKind;
    /** The trap, in the words of the WebAssembly specification, if the guest trapped. */
    readonly trap?: string;
    /** The guest's stack, innermost frame first, one frame a line, if it was running. */
    readonly wasmStack?: string;
    /** The status that the guest exited with, if it called WASI's `proc_exit`. */
    readonly exitCode?: number;
    /** Apps need this only to imitate `host:wasm`, in a test for example. Without a code it is a `RuntimeError`. */
    constructor(message: string, code?: WasmErrorCode, options?: {
      cause?: unknown;
    });
  }
  /**
   * What the guests of a store may reach of the system, through WASI preview 1. Nothing that is not
   * here: the clocks and random numbers apart, they have no arguments, no environment, no files, and
   * streams that are empty or go nowhere.
   */
  export interface WasiConfig {
    /** The arguments; the first is by convention the program's name. */
    args?: string[];
    /** The environment variables. */
    env?: Record<string, string>;
    /**
     * Folders of the host's by the names that guests see. The host has to grant each of them. A
     * relative path starts where the process does.
     */
    preopens?: Record<string, string | {
      path: string;
      readonly?: boolean;
    }>;
    /** What guests read: nothing, what the process reads, or these bytes. Default: `"null"`. */
    stdin?: "inherit" | "null" | "piped" | string | BufferSource;
    /**
     * Where guests write: nowhere, where the process writes, or kept for
     * {@linkcode WasmInstance.stdout}. Default: `"null"`.
     */
    stdout?: StdioConfig;
    /** As `stdout`, for {@linkcode WasmInstance.stderr}. Default: `"null"`. */
    stderr?: StdioConfig;
  }
  /** Where a guest's output goes. */
  export type StdioConfig = "inherit" | "null" | "piped";
  /** The limits of a store, and what it may reach. */
  export interface StoreOptions {
    /**
     * How much the guests may compute before they are stopped with `FuelExhausted`: about one unit
     * an instruction, from 0 to 2⁵³ − 1. Without it they are not metered, unless the host says so.
     */
    fuel?: number;
    /** How many bytes the memories may hold together, from 0 to 2⁵³ − 1. */
    maxMemoryBytes?: number;
    /**
     * How many milliseconds a call may take before its guest is stopped with `RuntimeError`, with
     * all that it calls and waits for, imports included; from 0 to 2⁵³ − 1. The same holds for start
     * functions.
     */
    timeoutMs?: number;
    /**
     * Whether {@linkcode WasmInstance.callAsync} may be given a signal and a deadline of its own, for
     * which the guests' code has to be compiled; it runs a little slower. Default: if there is a
     * `timeoutMs`.
     */
    interruptible?: boolean;
    /**
     * WASI for its guests. Without it, or if the host grants no WASI, a module that imports WASI
     * cannot be instantiated, unless the app provides those imports itself.
     */
    wasi?: WasiConfig;
  }
  /** Where an instance lives: in the given store, or in one of its own with these limits. */
  export type InstantiateOptions = {
    store: WasmStore;
  } | StoreOptions;
  /** How a call is made that the event loop does not wait for. */
  export interface CallOptions {
    /** Ends the call when it is aborted. The instance has to be interruptible. */
    signal?: AbortSignal;
    /**
     * How many milliseconds the call may take, instead of what its store says; from 0 to 2⁵³ − 1. The
     * instance has to be interruptible.
     */
    timeoutMs?: number;
  }
  /** What instances share that can import from each other. Its limits hold for all of them together. */
  export class WasmStore {
    #private;
    /** Makes a store with these limits, cut down to what the host allows. */
    constructor(options?: StoreOptions);
    /** What is left of the fuel budget, or `undefined` if there is none. */
    get fuel(): number | undefined;
    /** Sets what is left of the fuel budget, up to the host's cap. */
    setFuel(fuel: number): void;
    /**
     * Frees the store with everything in it. A call that is running goes on until it returns, unless it
     * is asynchronous: then it fails.
     */
    drop(): void;
    [Symbol.dispose](): void;
  }
  /** A linear memory. */
  export class WasmMemory {
    #private;
    /** Makes a memory of zeroed pages. */
    constructor(store: WasmStore, type: MemoryType);
    /** Its type, with the current size as the minimum. */
    get type(): MemoryType;
    /** Its size in bytes. */
    get byteLength(): number;
    /**
     * Its bytes themselves, not a copy. The buffer is detached when the memory grows or its store
     * is dropped; then take it again. That of a shared memory stays as long as it was.
     */
    get buffer(): ArrayBuffer | SharedArrayBuffer;
    /**
     * Copies bytes out.
     *
     * @throws {WasmError} `MemoryError` if any of them is out of bounds.
     */
    read(offset: number, length: number): Uint8Array;
    /**
     * Copies bytes in.
     *
     * @throws {WasmError} `MemoryError` if any of them is out of bounds; then nothing is written.
     */
    write(offset: number, data: BufferSource): void;
    /**
     * Adds zeroed pages and returns how many there were before.
     *
     * @throws {WasmError} `MemoryError` if its maximum or a cap does not allow that.
     */
    grow(pages: number): number;
  }
  /** A table of references. */
  export class WasmTable {
    #private;
    /** Makes a table of which every element is `init`. */
    constructor(store: WasmStore, type: TableType, init?: unknown);
    /** Its type, with the current size as the minimum. */
    get type(): TableType;
    /** How many elements it has. */
    get length(): number;
    /**
     * The element at `index`, by the same rules as a function's result.
     *
     * @throws {WasmError} `MemoryError` if the index is out of bounds.
     */
    get(index: number): any;
    /**
     * Sets the element at `index`, by the same rules as a function's argument.
     *
     * @throws {WasmError} `MemoryError` if the index is out of bounds.
     */
    set(index: number, value: unknown): void;
    /**
     * Adds `delta` elements that are `init`, and returns how many there were before.
     *
     * @throws {WasmError} `MemoryError` if its maximum or a cap does not allow that.
     */
    grow(delta: number, init?: unknown): number;
  }
  /** A tag: what tells one kind of exception from another. */
  export class WasmTag {
    /** Makes a tag that is like no other. */
    constructor(store: WasmStore, type: TagType);
  }
  /** A global variable. */
  export class WasmGlobal {
    #private;
    /** Makes a global that holds `value`. */
    constructor(store: WasmStore, type: GlobalType, value: unknown);
    /** Its type. */
    get type(): GlobalType;
    /** Its value, by the same rules as a function's result. */
    get value(): any;
    /** By the same rules as a function's argument; `TypeMismatch` if it is immutable. */
    set value(value: unknown);
  }
  /** What kind of thing an export or import is. */
  export type ExportKind = "function" | "memory" | "global" | "table" | "tag";
  /** The type of an export or import. Value types are written as in the text format. */
  export type ExternType = {
    kind: "function";
    params: string[];
    results: string[];
  } | ({
    kind: "memory";
  } & MemoryType) | ({
    kind: "global";
  } & GlobalType) | ({
    kind: "table";
  } & TableType) | ({
    kind: "tag";
  } & TagType);
  /** One export of a module or instance. */
  export type ExportInfo = {
    name: string;
  } & ExternType;
  /** One import of a module. */
  export type ImportInfo = {
    module: string;
    name: string;
  } & ExternType;
  /** The type of a memory. Sizes are in pages of 64 KiB. */
  export interface MemoryType {
    minimum: number;
    maximum?: number;
    /** Default: `false`. A shared memory needs a maximum. */
    shared?: boolean;
    /** The type of its addresses. Default: `"i32"`. */
    address?: "i32" | "i64";
  }
  /** The type of a global. */
  export interface GlobalType {
    /** The type of its value, for example `"i32"` or `"externref"`. */
    value: string;
    /** Default: `false`. */
    mutable?: boolean;
  }
  /** The type of a table. Sizes are in elements. */
  export interface TableType {
    /** The type of its elements, for example `"funcref"`. */
    element: string;
    minimum: number;
    maximum?: number;
    /** The type of its indices. Default: `"i32"`. */
    address?: "i32" | "i64";
  }
  /** The type of a tag. */
  export interface TagType {
    /** The types of the values that its exceptions carry. */
    params: string[];
  }
  /** A function of a guest. The function's own signature says what it takes and returns. */
  export type WasmFunction = (...args: any[]) => any;
  /** What a module's imports are satisfied with: module names, then names. */
  export type Imports = Record<string, Record<string, ImportValue>>;
  /**
   * What one import is satisfied with: a function, the number or bigint that an immutable global
   * holds, or the live object of an instance or made by the app.
   */
  export type ImportValue = WasmFunction | WasmMemory | WasmGlobal | WasmTable | WasmTag | number | bigint;
  /** A struct, array, i31, or exception of a guest: nothing to look into, only to pass back. */
  export class WasmReference {
    #private;
    private constructor();
  }
  /** A compiled module. */
  export class WasmModule {
    #private;
    /** Its number, unique in this runtime. */
    readonly id: number;
    /** What it exports, in its own order. */
    readonly exports: readonly ExportInfo[];
    /** What it imports, in its own order. */
    readonly imports: readonly ImportInfo[];
    private constructor();
    /** The contents of every custom section of this name, copied. */
    customSections(name: string): Uint8Array[];
    /** Frees the module. Its instances live on. */
    drop(): void;
    [Symbol.dispose](): void;
  }
  /** How a module is compiled, or validated. */
  export interface CompileOptions {
    /** Gives up waiting when it is aborted. */
    signal?: AbortSignal;
  }
  /**
   * Compiles a module in the binary or the text format, away from the event loop; or shares the code of
   * the same module, if somebody in this process still has one. One module a core is compiled at a time,
   * and the others wait in line.
   *
   * @throws {WasmError} `CompileError` if it is not valid, exceeds a cap, or the signal is aborted.
   */
  export function compile(source: BufferSource, options?: CompileOptions): Promise<WasmModule>;
  /**
   * Compiles the module in a file, if the host grants it. A relative path starts where the process
   * does.
   *
   * @throws {WasmError} `CompileError` if the file is not granted or readable, not valid, or exceeds a
   * cap, or the signal is aborted.
   */
  export function compileFile(path: string, options?: CompileOptions): Promise<WasmModule>;
  /**
   * Whether `source` is a valid module, in the binary or the text format. The caps on what compiles do
   * not matter here.
   *
   * @throws {WasmError} `CompileError` if it is too large, or too much work, to be done here and now:
   * {@linkcode validateAsync} takes it.
   */
  export function validate(source: BufferSource): boolean;
  /**
   * Whether `source` is a valid module, away from the event loop.
   *
   * @throws {WasmError} `CompileError` if it exceeds a cap, or the signal is aborted.
   */
  export function validateAsync(source: BufferSource, options?: CompileOptions): Promise<boolean>;
  /** A module brought to life: guest code that can be called. */
  export class WasmInstance {
    #private;
    /** Its number, unique in this runtime. */
    readonly id: number;
    /** The number of its module. */
    readonly moduleId: number;
    /** What it exports, in its module's order. */
    readonly exports: readonly ExportInfo[];
    private constructor();
    /** The store it lives in. */
    get store(): WasmStore;
    /**
     * Calls an exported function and waits for it. Returns nothing, the one result, or an array of
     * several.
     *
     * @throws {WasmError} `FunctionNotFound`, `TypeMismatch`, `RuntimeError` or `FuelExhausted`.
     */
    call(name: string, args?: readonly unknown[]): any;
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
    callAsync(name: string, args?: readonly unknown[], options?: CallOptions): Promise<any>;
    /** What is known about an export. */
    getExport(name: string): ExportInfo;
    /** An exported function, as a function: the same each time. */
    func(name: string): WasmFunction;
    /** An exported memory. Without a name, the one named `memory`, or else the only one. */
    memory(name?: string): WasmMemory;
    /** An exported global. */
    global(name: string): WasmGlobal;
    /** An exported table. */
    table(name: string): WasmTable;
    /** All exports, live and by name: pass it as another instance's import. */
    get namespace(): Readonly<Record<string, ImportValue>>;
    /**
     * Copies bytes out of an exported memory: see {@linkcode WasmInstance.memory} for which.
     *
     * @throws {WasmError} `MemoryError` if any of them is out of bounds.
     */
    readMemory(offset: number, length: number, memory?: string): Uint8Array;
    /**
     * Copies bytes into an exported memory: see {@linkcode WasmInstance.memory} for which.
     *
     * @throws {WasmError} `MemoryError` if any of them is out of bounds; then nothing is written.
     */
    writeMemory(offset: number, data: BufferSource, memory?: string): void;
    /** What is left of its store's fuel budget, or `undefined` if there is none. */
    get fuel(): number | undefined;
    /** Sets what is left of its store's fuel budget, up to the host's cap. */
    setFuel(fuel: number): void;
    /**
     * Runs a WASI command, which is what its `_start` does, and returns its exit status. A command
     * is made to run once.
     *
     * @throws {WasmError} `FunctionNotFound` if it is none; `RuntimeError` if this was called before, or
     * otherwise as {@linkcode WasmInstance.call}.
     */
    start(): number;
    /**
     * Runs a WASI command as {@linkcode WasmInstance.start} does, in the way of
     * {@linkcode WasmInstance.callAsync}.
     *
     * @throws {WasmError} As both.
     */
    startAsync(options?: CallOptions): Promise<number>;
    /**
     * What the guests of its store have written to their standard output so far, which has to be
     * `"piped"`.
     *
     * @throws {WasmError} `RuntimeError` if it is not, or the instance was dropped.
     */
    stdout(): Uint8Array;
    /** As {@linkcode WasmInstance.stdout}, of the standard error. */
    stderr(): Uint8Array;
    /**
     * Lets go of the instance. A store made just for it is freed too, unless other instances joined
     * it. A call that is running goes on until it returns, unless it is asynchronous and the store is
     * freed: then it fails.
     */
    drop(): void;
    [Symbol.dispose](): void;
  }
  /**
   * Makes an instance of a module and runs its start function.
   *
   * Imports are looked up before this returns its promise. Without a store in the options, the
   * instance joins that of the live objects that it imports, or gets one of its own.
   *
   * @throws {WasmError} `InstantiateError` if an import is missing or of the wrong type, a cap is
   * exceeded, or an option is unusable; `RuntimeError` or `FuelExhausted` from the start function.
   */
  export function instantiate(module: WasmModule, imports?: Imports, options?: InstantiateOptions): Promise<WasmInstance>;
}
