// Generated from ts/init.ts by forge-weld. To write it anew, build with FORGE_WELD_WRITE_TYPES=1.
declare module "host:wasm" {
  /** The kinds of errors, as numbers that do not change. */
  export const WasmErrorCode: {
    /**
     * The source is not valid WebAssembly, or uses an unsupported feature; or the file is not granted, or not readable.
     */
    readonly CompileError: 5000;
    /** A module could not be instantiated, because of an import, a cap or an option. */
    readonly InstantiateError: 5001;
    /** A trap, an uncaught exception, or an instance that cannot run. */
    readonly RuntimeError: 5002;
    /** An access of the app to a memory is out of bounds, or there is no such memory. */
    readonly MemoryError: 5003;
    /** There is no such export, or it is not a function. */
    readonly FunctionNotFound: 5004;
    /** A value is not of the WebAssembly type that is needed. */
    readonly TypeMismatch: 5005;
    /** The guest used up the fuel budget. */
    readonly FuelExhausted: 5006;
  };
  /** One of the numbers in {@linkcode WasmErrorCode}. */
  export type WasmErrorCode = (typeof WasmErrorCode)[keyof typeof WasmErrorCode];
  /** The name of a {@linkcode WasmErrorCode}. */
  export type WasmErrorKind = keyof typeof WasmErrorCode;
  /** A function of a guest that was running when an error occurred. */
  export interface WasmFrame {
    /** The function's name in the name section of its module, or `<function 3>` with its index if it has none. */
    readonly func: string;
    /** The module's name in its name section, or `<module 3>` with its `id` if it has none. */
    readonly module: string;
    /** The offset of the instruction in the module's binary, in bytes. */
    readonly offset?: number;
    /**
     * The path of the source file, if the module has debug information (DWARF): relative to the folder in which the
     * compiler ran, or absolute.
     */
    readonly file?: string;
    /** The line in the source file, from 1. */
    readonly line?: number;
    /** The column in the source file, from 1. */
    readonly column?: number;
  }
  /** The error that `host:wasm` throws. */
  export class WasmError extends Error {
    /** The kind of the error, as a number. */
    readonly code: WasmErrorCode;
    /** The kind of the error, as a name. */
    readonly kind: WasmErrorKind;
    /** If the guest trapped: the name of the trap in the WebAssembly specification. */
    readonly trap?: string;
    /** If the guest was running: its stack, one frame a line, innermost frame first. */
    readonly wasmStack?: string;
    /** If the guest was running: the frames of its stack, innermost frame first. Up to 20. */
    readonly frames?: readonly WasmFrame[];
    /** If the guest called WASI's `proc_exit`: its exit status. */
    readonly exitCode?: number;
    /**
     * Makes an error, a `RuntimeError` without a code. Apps need this only to imitate `host:wasm`, in a test for example.
     */
    constructor(message: string, code?: WasmErrorCode, options?: {
      cause?: unknown;
    });
  }
  /** The kind of an export or import. */
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
  /** A function of a guest, or a function that a guest imports. Its WebAssembly type says what it takes and returns. */
  export type WasmFunction = (...args: any[]) => any;
  /** A struct, array, i31 or exception of a guest. An app can only pass it back to the guest. */
  export class WasmReference {
    #private;
    private constructor();
  }
  /**
   * The access that the guests of a store have to the system through WASI preview 1. Guests always have clocks and random
   * numbers. Without these options they have no arguments, no environment variables and no files; their standard input is
   * empty, and their output is dropped.
   */
  export interface WasiConfig {
    /** The arguments. By convention, the first is the name of the program. */
    args?: string[];
    /** The environment variables. */
    env?: Record<string, string>;
    /**
     * Folders of the host, by the names that guests see. The host has to grant each of them. A relative path is resolved
     * against the working directory of the process.
     */
    preopens?: Record<string, string | {
      path: string;
      readonly?: boolean;
    }>;
    /**
     * The network that a component may use: what it may connect to, and where it may listen. The host has to grant each entry.
     * An entry is a host, or a host, a colon and a port or a range of ports: `"example.com:443"`, `"192.0.2.0/24"`,
     * `"[::1]:8000-8999"`. Modules have no network.
     */
    network?: NetworkConfig;
    /** The standard input: none, the standard input of the process, or these bytes. Default: `"null"`. */
    stdin?: "inherit" | "null" | "piped" | string | BufferSource;
    /**
     * The standard output: dropped, written to the standard output of the process, or kept for
     * {@linkcode WasmInstance.stdout}. Default: `"null"`.
     */
    stdout?: StdioConfig;
    /** The standard error, as `stdout`. It is kept for {@linkcode WasmInstance.stderr}. Default: `"null"`. */
    stderr?: StdioConfig;
  }
  /** The network that a component may use. */
  export interface NetworkConfig {
    /** Names, addresses and blocks of addresses to connect to and to send datagrams to. */
    connect?: string[];
    /** Addresses of this machine to listen at. Port 0 is any port that the system chooses. */
    listen?: string[];
  }
  /** The target of an output stream of guests. */
  export type StdioConfig = "inherit" | "null" | "piped";
  /** The limits of a store, and its WASI. */
  export interface StoreOptions {
    /**
     * The fuel budget: guests that use it up fail with `FuelExhausted`. An instruction takes about one unit. From 0 to
     * 2⁵³ − 1. Without this option there is no budget, unless the host has a cap.
     */
    fuel?: number;
    /** The most bytes of all memories together, from 0 to 2⁵³ − 1. */
    maxMemoryBytes?: number;
    /**
     * The deadline of a call in milliseconds, from 0 to 2⁵³ − 1: then the guest fails with `RuntimeError`. The time
     * counts for everything that the guest calls or waits for, imports included. Start functions have the same deadline.
     */
    timeoutMs?: number;
    /**
     * Whether {@linkcode WasmInstance.callAsync} takes a signal and a deadline of its own. The code of guests is compiled
     * for that, and runs a little slower. Default: `true` if there is a `timeoutMs`.
     */
    interruptible?: boolean;
    /**
     * WASI for the guests. Without this option, or if the host grants no WASI, a module that imports WASI cannot be
     * instantiated, unless the app provides these imports itself.
     */
    wasi?: WasiConfig;
  }
  /** The options of a validation. */
  export interface ValidateOptions {
    /** Cancels it when it is aborted. */
    signal?: AbortSignal;
  }
  /** The options of a compilation. */
  export interface CompileOptions extends ValidateOptions {
    /**
     * The options of the stores that the code is for, or like them. The code has only the checks that its stores need: for
     * `fuel`, and for `timeoutMs` or `interruptible`; how much does not matter. If it lacks the checks of a store,
     * {@linkcode instantiate} compiles it again. Without this option, the code has the checks that the host's caps need.
     */
    for?: StoreOptions;
  }
  /** The options of an asynchronous call. */
  export interface CallOptions {
    /** Ends the call when it is aborted. The store has to be interruptible. */
    signal?: AbortSignal;
    /**
     * The deadline of the call in milliseconds, instead of the deadline of its store; from 0 to 2⁵³ − 1. The store has to
     * be interruptible.
     */
    timeoutMs?: number;
  }
  /** A compiled module. */
  export class WasmModule {
    #private;
    /** Its number, unique in this runtime. */
    readonly id: number;
    /** Its exports, in its own order. */
    readonly exports: readonly ExportInfo[];
    /** Its imports, in its own order. */
    readonly imports: readonly ImportInfo[];
    private constructor();
    /** Copies of the contents of all custom sections of this name. */
    customSections(name: string): Uint8Array[];
    /** Drops the module. Its instances can still be used. */
    drop(): void;
    [Symbol.dispose](): void;
  }
  /** How much a store uses. */
  export interface StoreStats {
    /**
     * The bytes of its memories and of its guests' garbage-collected objects, as they count against `maxMemoryBytes`: a
     * shared memory counts with its maximum size.
     */
    readonly memoryBytes: number;
    /** The elements of its tables. */
    readonly tableElements: number;
    /** The instances, including dropped ones: they are freed with their store. */
    readonly instances: number;
    /**
     * The functions, memories, globals, tables, tags and references of its guests that JavaScript has, and the JavaScript
     * values that its guests hold.
     */
    readonly handles: number;
    /** The fuel that its guests have used. `undefined` if the store has no fuel budget. */
    readonly fuelUsed?: number;
  }
  /** A store, which instances share that import from each other. Its limits hold for all of them together. */
  export class WasmStore {
    #private;
    /** Makes a store with these limits, or lower ones where the host's caps are lower. */
    constructor(options?: StoreOptions);
    /** The fuel that is left, or `undefined` if the store has no fuel budget. */
    get fuel(): number | undefined;
    /** Sets the fuel that is left, up to the host's cap. */
    setFuel(fuel: number): void;
    /**
     * How much the store uses now.
     *
     * @throws {WasmError} `RuntimeError` if the store is busy, or was dropped.
     */
    stats(): StoreStats;
    /**
     * Frees the store with everything in it. A synchronous call that is running goes on until it returns; an
     * asynchronous call fails.
     */
    drop(): void;
    [Symbol.dispose](): void;
  }
  /** A global variable. */
  export class WasmGlobal {
    #private;
    /** Makes a global that holds `value`. */
    constructor(store: WasmStore, type: GlobalType, value: unknown);
    /** Its type. */
    get type(): GlobalType;
    /** Its value, converted like the result of a function. */
    get value(): any;
    /** Sets its value, converted like an argument of a function; `TypeMismatch` if the global is immutable. */
    set value(value: unknown);
  }
  /** A linear memory. */
  export class WasmMemory {
    #private;
    /** Makes a memory whose bytes are 0. */
    constructor(store: WasmStore, type: MemoryType);
    /** Its type, with the current size as the minimum. */
    get type(): MemoryType;
    /** Its size in bytes. */
    get byteLength(): number;
    /**
     * Its bytes, not a copy of them. The buffer is detached when the memory grows or its store is dropped; then ask for
     * the buffer again. The buffer of a shared memory keeps its length.
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
     * Adds pages whose bytes are 0. Returns the number of pages before.
     *
     * @throws {WasmError} `MemoryError` if the maximum of the memory or a cap does not allow it.
     */
    grow(pages: number): number;
  }
  /** A table of references. */
  export class WasmTable {
    #private;
    /** Makes a table whose elements are all `init`. */
    constructor(store: WasmStore, type: TableType, init?: unknown);
    /** Its type, with the current size as the minimum. */
    get type(): TableType;
    /** The number of its elements. */
    get length(): number;
    /**
     * The element at `index`, converted like the result of a function.
     *
     * @throws {WasmError} `MemoryError` if the index is out of bounds.
     */
    get(index: number): any;
    /**
     * Sets the element at `index`, converted like an argument of a function.
     *
     * @throws {WasmError} `MemoryError` if the index is out of bounds.
     */
    set(index: number, value: unknown): void;
    /**
     * Adds `delta` elements that are `init`. Returns the number of elements before.
     *
     * @throws {WasmError} `MemoryError` if the maximum of the table or a cap does not allow it.
     */
    grow(delta: number, init?: unknown): number;
  }
  /** A tag, which is the type of an exception. */
  export class WasmTag {
    /** Makes a new tag, different from all others. */
    constructor(store: WasmStore, type: TagType);
  }
  /** The values for a module's imports: by module name, then by name. */
  export type Imports = Record<string, Record<string, ImportValue>>;
  /**
   * The value for one import: a function, the number or bigint that an immutable global holds, or a live object that an
   * instance exports or the app has made.
   */
  export type ImportValue = WasmFunction | WasmMemory | WasmGlobal | WasmTable | WasmTag | number | bigint;
  /**
   * Makes a namespace object like the standard `WebAssembly`, for code that knows nothing of `host:wasm`. The limits hold
   * for everything that is made through it, together.
   *
   * The errors are those of the standard. An error of `host:wasm` behind one is seen by its property `code`.
   *
   * @throws {WasmError} `InstantiateError` if an option is unusable.
   */
  export function createWebAssembly(options?: StoreOptions): object;
  /**
   * Compiles a module in the binary or the text format, on another thread. If the process has compiled the same module
   * before and still uses it, the new module shares its code. Each core compiles one module at a time; other compilations
   * wait.
   *
   * @throws {WasmError} `CompileError` if it is not valid, exceeds a cap, or the signal is aborted.
   */
  export function compile(source: BufferSource, options?: CompileOptions): Promise<WasmModule>;
  /**
   * Compiles the module in a file, if the host grants it. A relative path is resolved against the working directory of
   * the process.
   *
   * @throws {WasmError} `CompileError` if the file is not granted or readable, not valid, or exceeds a
   * cap, or the signal is aborted.
   */
  export function compileFile(path: string, options?: CompileOptions): Promise<WasmModule>;
  /**
   * Whether `source` is a valid module, in the binary or the text format. The caps on compilation do not count.
   *
   * @throws {WasmError} `CompileError` if the source is too large, or would keep the event loop for too long: then use
   * {@linkcode validateAsync}.
   */
  export function validate(source: BufferSource): boolean;
  /**
   * Whether `source` is a valid module. The validation runs on another thread.
   *
   * @throws {WasmError} `CompileError` if it exceeds a cap, or the signal is aborted.
   */
  export function validateAsync(source: BufferSource, options?: ValidateOptions): Promise<boolean>;
  /** An instance of a module: a guest whose exports can be called and used. */
  export class WasmInstance {
    #private;
    /** Its number, unique in this runtime. */
    readonly id: number;
    /** The number of its module. */
    readonly moduleId: number;
    /** Its exports, in the order of its module. */
    readonly exports: readonly ExportInfo[];
    private constructor();
    /** The store that it is part of. */
    get store(): WasmStore;
    /**
     * Calls an exported function, and waits until it returns. Returns `undefined` if the function has no result, its
     * result, or an array of its results if there are several.
     *
     * @throws {WasmError} `FunctionNotFound`, `TypeMismatch`, `RuntimeError` or `FuelExhausted`.
     */
    call(name: string, args?: readonly unknown[]): any;
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
    callAsync(name: string, args?: readonly unknown[], options?: CallOptions): Promise<any>;
    /** The description of an export. */
    getExport(name: string): ExportInfo;
    /** An exported function, as a JavaScript function: the same one each time. */
    func(name: string): WasmFunction;
    /** An exported memory. Without a name: the memory named `memory`, or else the only memory. */
    memory(name?: string): WasmMemory;
    /** An exported global. */
    global(name: string): WasmGlobal;
    /** An exported table. */
    table(name: string): WasmTable;
    /** The live objects of all exports, by name. Can be passed as imports of another instance. */
    get namespace(): Readonly<Record<string, ImportValue>>;
    /**
     * Copies bytes out of an exported memory, which is found as by {@linkcode WasmInstance.memory}.
     *
     * @throws {WasmError} `MemoryError` if any of them is out of bounds.
     */
    readMemory(offset: number, length: number, memory?: string): Uint8Array;
    /**
     * Copies bytes into an exported memory, which is found as by {@linkcode WasmInstance.memory}.
     *
     * @throws {WasmError} `MemoryError` if any of them is out of bounds; then nothing is written.
     */
    writeMemory(offset: number, data: BufferSource, memory?: string): void;
    /** The fuel that is left in its store, or `undefined` if the store has no fuel budget. */
    get fuel(): number | undefined;
    /** Sets the fuel that is left in its store, up to the host's cap. */
    setFuel(fuel: number): void;
    /**
     * Runs a WASI command, by a call of its function `_start`, and returns its exit status. A command runs only once.
     *
     * @throws {WasmError} `FunctionNotFound` if the instance is no command; `RuntimeError` if it has run before; otherwise
     * as {@linkcode WasmInstance.call}.
     */
    start(): number;
    /**
     * Runs a WASI command as {@linkcode WasmInstance.start} does, but asynchronously, as
     * {@linkcode WasmInstance.callAsync} does.
     *
     * @throws {WasmError} As both of them.
     */
    startAsync(options?: CallOptions): Promise<number>;
    /**
     * The bytes that the guests of its store have written to their standard output so far. The option `stdout` has to be
     * `"piped"`.
     *
     * @throws {WasmError} `RuntimeError` if it is not `"piped"`, or the instance was dropped.
     */
    stdout(): Uint8Array;
    /** As {@linkcode WasmInstance.stdout}, of the standard error. */
    stderr(): Uint8Array;
    /**
     * Drops the instance. If its store was made only for it, and no other instance has joined the store, the store is
     * dropped too: see {@linkcode WasmStore.drop}.
     */
    drop(): void;
    [Symbol.dispose](): void;
  }
  /** The store of an instance: this one, or a new one with these limits. */
  export type InstantiateOptions = {
    store: WasmStore;
  } | StoreOptions;
  /**
   * Makes an instance of a module and runs its start function.
   *
   * The imports are looked up before this returns its promise. Without a store in the options, the instance joins the
   * store of the live objects that it imports. If it imports none, it gets a store of its own.
   *
   * @throws {WasmError} `InstantiateError` if an import is missing or of the wrong type, a cap is
   * exceeded, or an option is unusable; `RuntimeError` or `FuelExhausted` from the start function.
   */
  export function instantiate(module: WasmModule, imports?: Imports, options?: InstantiateOptions): Promise<WasmInstance>;
  /** Something that a component imports or exports. Types are written as in WIT; long ones are cut. */
  export type ComponentItem = {
    readonly name: string;
    readonly kind: "function";
    readonly params: readonly {
      readonly name: string;
      readonly type: string;
    }[];
    readonly result?: string;
    /** Whether it is asynchronous: a call of it is a promise. */
    readonly async: boolean;
  } | {
    readonly name: string;
    readonly kind: "instance";
    readonly items: readonly ComponentItem[];
  } | {
    readonly name: string;
    readonly kind: "type" | "resource" | "module" | "component" | "value";
  };
  /** A compiled component. */
  export class WasmComponent {
    #private;
    /** Its number, unique among the components of this runtime. */
    readonly id: number;
    /** Its imports, in its own order. */
    readonly imports: readonly ComponentItem[];
    /** Its exports, in its own order. */
    readonly exports: readonly ComponentItem[];
    private constructor();
    /**
     * Its imports and exports in WIT, the language of the component model: a world, followed by the packages of the
     * interfaces.
     *
     * @throws {WasmError} `InstantiateError` if it was dropped; `RuntimeError` if the text is longer than 4 MiB.
     */
    wit(): string;
    /**
     * TypeScript declarations of its imports and exports: the interfaces `Imports` and `Exports`, and all types in them.
     *
     * @throws {WasmError} As {@linkcode WasmComponent.wit}.
     */
    types(): string;
    /** Drops the component. Its instances can still be used. */
    drop(): void;
    [Symbol.dispose](): void;
  }
  /**
   * Compiles a component in the binary or the text format, on another thread, as {@linkcode compile} does a module.
   *
   * @throws {WasmError} `CompileError` if it is not valid, exceeds a cap, or the signal is aborted.
   */
  export function compileComponent(source: BufferSource, options?: CompileOptions): Promise<WasmComponent>;
  /**
   * Compiles the component in a file, if the host grants it. A relative path is resolved against the working directory of
   * the process.
   *
   * @throws {WasmError} `CompileError` if the file is not granted or readable, not valid, or exceeds a cap, or the signal
   * is aborted.
   */
  export function compileComponentFile(path: string, options?: CompileOptions): Promise<WasmComponent>;
  /**
   * The `err` of a `result` that a function of a component returns. A function that a component imports throws it in place
   * of returning an `err`.
   */
  export class ComponentError extends Error {
    /** The value of the `err`; `undefined` if it has none. */
    readonly payload: unknown;
    constructor(payload?: unknown, message?: string);
  }
  /** A function that a component imports, or the class of a resource. */
  type ComponentImport = WasmFunction | (abstract new (...args: any[]) => object);
  /**
   * The imports of a component: functions and classes by their names, and objects with functions and classes by the ids of
   * their interfaces, for example `"my:pkg/iface@1.2.3"`. Names of functions are in lowerCamelCase, those of classes in
   * PascalCase. An interface is found by its whole id, by the id with a compatible version, or by the id without a version.
   * Only own properties count. The methods of a class are those that it has when the component is instantiated.
   */
  export type ComponentImports = Record<string, ComponentImport | Record<string, ComponentImport>>;
  /** A request for {@linkcode ComponentInstance.handle}. Its properties have to be own properties. */
  export interface HttpRequest {
    /** The method. Default: `"GET"`. */
    method?: string;
    /** The whole URL, with the scheme `http` or `https`. */
    url: string;
    /** The headers, by name or as pairs of a name and a value. */
    headers?: Record<string, string> | [string, string][];
    /** The body. An asynchronous iterable is read as the component reads. Default: none. */
    body?: string | BufferSource | AsyncIterable<string | BufferSource> | null;
  }
  /** The response of a component. `new Response(ReadableStream.from(response.body), response)` makes one of the web of it. */
  export interface HttpResponse {
    status: number;
    /** Pairs of a name, in lower case, and a value. */
    headers: [string, string][];
    /**
     * The body, as the component writes it: the component waits until a part is taken. The last part is followed by the end of
     * the call. It can be read once; a loop that is left tells the component that the rest is not wanted.
     */
    body: AsyncIterable<Uint8Array>;
  }
  /**
   * An instance of a component: a guest whose functions can be called. It has a store of its own. A call that does not
   * return ends the instance: see {@linkcode ComponentInstance.ended}.
   */
  export class ComponentInstance {
    #private;
    /**
     * Its exports: functions by their names in lowerCamelCase, classes of resources in PascalCase, and objects with both by
     * the ids of their interfaces, and by the last part of these in lowerCamelCase. Asynchronous functions return promises.
     */
    readonly exports: Readonly<Record<string, any>>;
    private constructor();
    /**
     * Calls an exported function, and returns its result. The path is its name, or the id of its interface, `#`, and its
     * name there: `"my:pkg/iface@1.2.3#read-all"`. Names are those of WIT.
     *
     * @throws {ComponentError} If the function returns a `result` that is an `err`.
     * @throws {WasmError} `FunctionNotFound` if there is no such function; `TypeMismatch` if the arguments do not fit;
     * `RuntimeError` if it trapped, an import threw, its deadline passed, the instance has ended or is busy, or the function
     * is asynchronous; `FuelExhausted` if the fuel ran out.
     */
    call(path: string, args?: readonly unknown[]): any;
    /**
     * Calls an exported function as {@linkcode ComponentInstance.call} does, but asynchronously: the guest runs on a thread
     * of its own. Imports may return promises. Several calls of an instance of an asynchronous component run beside each
     * other.
     *
     * @throws {ComponentError} As {@linkcode ComponentInstance.call}.
     * @throws {WasmError} As {@linkcode ComponentInstance.call}; `RuntimeError` if the call was aborted.
     */
    callAsync(path: string, args?: readonly unknown[], options?: CallOptions): Promise<any>;
    /**
     * Runs a WASI command, by a call of the function `run` of its export `wasi:cli/run`, and returns its exit status: the
     * one with which it exited, 0 if it returned, or 1 if it returned an error. An instance that has exited has ended.
     *
     * @throws {WasmError} `FunctionNotFound` if the component is no command; otherwise as
     * {@linkcode ComponentInstance.call}.
     */
    run(): number;
    /**
     * Runs a WASI command as {@linkcode ComponentInstance.run} does, but asynchronously, as
     * {@linkcode ComponentInstance.callAsync} does.
     *
     * @throws {WasmError} As both of them.
     */
    runAsync(options?: CallOptions): Promise<number>;
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
    handle(request: HttpRequest, options?: CallOptions): Promise<HttpResponse>;
    /**
     * The bytes that the component has written to its standard output so far. The option `stdout` has to be `"piped"`.
     *
     * @throws {WasmError} `RuntimeError` if it is not `"piped"`, or the instance was dropped.
     */
    stdout(): Uint8Array;
    /** As {@linkcode ComponentInstance.stdout}, of the standard error. */
    stderr(): Uint8Array;
    /** Whether the instance has ended: a call of it did not return, or it was dropped. No function can be called any more. */
    get ended(): boolean;
    /** The fuel that is left, or `undefined` if the instance has no fuel budget. */
    get fuel(): number | undefined;
    /** Sets the fuel that is left, up to the host's cap. */
    setFuel(fuel: number): void;
    /** Frees the instance. A synchronous call that is running goes on until it returns; an asynchronous call fails. */
    drop(): void;
    [Symbol.dispose](): void;
  }
  /**
   * The limits of a component's instance, which hold for all memories in it together. With `wasi`, the host provides the
   * imports of WASI 0.2, and those of WASI 0.3 if its capabilities allow them. Functions of `wasi:http` and `wasi:sockets`
   * refuse what `wasi.network` does not grant.
   */
  export type ComponentOptions = StoreOptions;
  /**
   * Makes an instance of a component, in a store of its own. The imports are looked up before this returns its promise.
   *
   * @throws {WasmError} `InstantiateError` if an import is missing, a cap is exceeded, or an option is unusable;
   * `RuntimeError` or `FuelExhausted` from the start functions of the modules in it.
   */
  export function instantiateComponent(component: WasmComponent, imports?: ComponentImports, options?: ComponentOptions): Promise<ComponentInstance>;
  export {};
}
