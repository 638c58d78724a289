/**
 * `host:wasm`: run WebAssembly that the app's author did not write, within limits.
 */

// deno_core gives an extension's own module no import of its internals; they are taken from the
// global object while the extension starts, before any app code can have changed them.
const { core } = globalThis.Deno;
const {
  ArrayBufferIsView,
  ArrayBufferPrototype,
  ArrayBufferPrototypeGetByteLength,
  ArrayIsArray,
  ArrayPrototypePop,
  ArrayPrototypePush,
  BigInt,
  BigInt64Array,
  DataViewPrototypeGetBuffer,
  DataViewPrototypeGetByteLength,
  DataViewPrototypeGetByteOffset,
  Float32Array,
  Float64Array,
  Int32Array,
  MathTrunc,
  Number,
  NumberIsSafeInteger,
  ObjectDefineProperty,
  ObjectFreeze,
  ReflectApply,
  ReflectConstruct,
  SafeFinalizationRegistry,
  SafeMap,
  SafeSet,
  SafeWeakMap,
  SafeWeakSet,
  String,
  TypeError,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetByteOffset,
  TypedArrayPrototypeGetSymbolToStringTag,
  TypedArrayPrototypeSet,
  Uint32Array,
  Uint8Array,
} = globalThis.__bootstrap.primordials;

const {
  op_wasm_bind,
  op_wasm_call,
  op_wasm_collect,
  op_wasm_collect_js,
  op_wasm_compile,
  op_wasm_compile_file,
  op_wasm_custom_sections,
  op_wasm_detach,
  op_wasm_drop_instance,
  op_wasm_drop_module,
  op_wasm_drop_store,
  op_wasm_fuel,
  op_wasm_func_type,
  op_wasm_get_export,
  op_wasm_get_global,
  op_wasm_get_table,
  op_wasm_global_type,
  op_wasm_grow_memory,
  op_wasm_grow_table,
  op_wasm_instantiate,
  op_wasm_is_metered,
  op_wasm_live_instances,
  op_wasm_max_instances,
  op_wasm_memory_length,
  op_wasm_memory_type,
  op_wasm_memory_view,
  op_wasm_new_global,
  op_wasm_new_memory,
  op_wasm_new_store,
  op_wasm_new_table,
  op_wasm_new_tag,
  op_wasm_prepare,
  op_wasm_read_memory,
  op_wasm_release_object,
  op_wasm_set_fuel,
  op_wasm_set_global,
  op_wasm_set_table,
  op_wasm_table_size,
  op_wasm_table_type,
  op_wasm_turn,
  op_wasm_validate,
  op_wasm_write_memory,
} = core.ops;

/** What went wrong, as a number that apps may rely on. */
export const WasmErrorCode = {
  /** Not valid WebAssembly, an unsupported feature, or a file that may not or cannot be read. */
  CompileError: 5000,
  /** A module could not become an instance: imports, caps, or options. */
  InstantiateError: 5001,
  /** A trap, an exception that nobody caught, or an instance that cannot run. */
  RuntimeError: 5002,
  /** A host access to a memory that is out of bounds or does not exist. */
  MemoryError: 5003,
  /** No such export, or it is not a function. */
  FunctionNotFound: 5004,
  /** A value that does not fit the WebAssembly type it is meant for. */
  TypeMismatch: 5005,
  /** The fuel budget ran out. */
  FuelExhausted: 5006,
} as const;
ObjectFreeze(WasmErrorCode);

/** One of the numbers in {@linkcode WasmErrorCode}. */
export type WasmErrorCode = (typeof WasmErrorCode)[keyof typeof WasmErrorCode];

/** The name of a {@linkcode WasmErrorCode}. */
export type WasmErrorKind = keyof typeof WasmErrorCode;

/** The only error that `host:wasm` throws of its own. */
export class WasmError extends Error {
  /** What kind of error this is, as a number. */
  declare readonly code: WasmErrorCode;
  /** What kind of error this is, as a name. */
  declare readonly kind: WasmErrorKind;
  /** The trap, in the words of the WebAssembly specification, if the guest trapped. */
  declare readonly trap?: string;
  /** The guest's stack, innermost frame first, one frame a line, if it was running. */
  declare readonly wasmStack?: string;

  /** Apps need this only to imitate `host:wasm`, in a test for example. */
  constructor(message: string, code?: WasmErrorCode, options?: { cause?: unknown }) {
    super(message, options);
    if (code !== undefined) {
      this.code = code;
      for (const kind in WasmErrorCode) {
        if (WasmErrorCode[kind] === code) this.kind = kind;
      }
    }
  }
}
ObjectDefineProperty(WasmError.prototype, "name", {
  __proto__: null,
  value: "WasmError",
  writable: true,
  configurable: true,
});
core.registerErrorClass("WasmError", WasmError);

const { CompileError, InstantiateError, RuntimeError, MemoryError, FunctionNotFound, TypeMismatch } =
  WasmErrorCode;

/** What kind of thing an export or import is. */
export type ExportKind = "function" | "memory" | "global" | "table" | "tag";

/** The type of an export or import. Value types are written as in the text format. */
export type ExternType =
  | { kind: "function"; params: string[]; results: string[] }
  | ({ kind: "memory" } & MemoryType)
  | ({ kind: "global" } & GlobalType)
  | ({ kind: "table" } & TableType)
  | ({ kind: "tag" } & TagType);

/** One export of a module or instance. */
export type ExportInfo = { name: string } & ExternType;

/** One import of a module. */
export type ImportInfo = { module: string; name: string } & ExternType;

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
// deno-lint-ignore no-explicit-any
export type WasmFunction = (...args: any[]) => any;

/** What a module's imports are satisfied with: module names, then names. */
export type Imports = Record<string, Record<string, ImportValue>>;

/**
 * What one import is satisfied with: a function, the number or bigint that an immutable global
 * holds, or the live object of an instance or made by the app.
 */
export type ImportValue =
  | WasmFunction
  | WasmMemory
  | WasmGlobal
  | WasmTable
  | WasmTag
  | number
  | bigint;

/** The limits of a store, and what it may reach. */
export interface StoreOptions {
  /**
   * How much the guests may compute before they are stopped with `FuelExhausted`: about one unit
   * an instruction, from 0 to 2⁵³ − 1. Without it they are not metered, unless the host says so.
   */
  fuel?: number;
  /** How many bytes the memories may hold together, from 0 to 2⁵³ − 1. */
  maxMemoryBytes?: number;
  /** Not supported yet: refused with `InstantiateError`. */
  timeoutMs?: number;
  /** Not supported yet: refused with `InstantiateError`. */
  wasi?: unknown;
}

/** Where an instance lives: in the given store, or in one of its own with these limits. */
export type InstantiateOptions = { store: WasmStore } | StoreOptions;

/** Keeps the constructors of what only `host:wasm` makes from apps. */
const internal = Symbol("internal");

function illegal(key: unknown): void {
  if (key !== internal) throw new TypeError("Illegal constructor");
}

/** What a value is called in messages. Runs no code of the value's. */
function describe(value: unknown): string {
  switch (typeof value) {
    case "bigint":
      return `${value}n`;
    case "number":
    case "boolean":
    case "undefined":
      return String(value);
    case "object":
      return value === null ? "null" : "an object";
    default:
      return `a ${typeof value}`;
  }
}

/** A quoted name for messages. */
function quote(name: unknown): string {
  return typeof name === "string" ? `"${name}"` : describe(name);
}

/** An integer from 0 to 2⁵³ − 1. */
function toInteger(value: unknown, what: string, code: WasmErrorCode): number {
  const number = typeof value === "bigint" ? Number(value) : value;
  if (!NumberIsSafeInteger(number) || number < 0) {
    throw new WasmError(
      `${what} must be an integer from 0 to 2^53 - 1, got ${describe(value)}`,
      code,
    );
  }
  return number;
}

/** The bytes of a buffer source, in a buffer that an op takes. */
function toBytes(source: unknown, code: WasmErrorCode): Uint8Array {
  let buffer, offset, length;
  if (ArrayBufferIsView(source)) {
    if (TypedArrayPrototypeGetSymbolToStringTag(source) !== undefined) {
      buffer = TypedArrayPrototypeGetBuffer(source);
      offset = TypedArrayPrototypeGetByteOffset(source);
      length = TypedArrayPrototypeGetByteLength(source);
    } else {
      buffer = DataViewPrototypeGetBuffer(source);
      offset = DataViewPrototypeGetByteOffset(source);
      length = DataViewPrototypeGetByteLength(source);
    }
  } else {
    buffer = source;
    offset = 0;
  }
  if (core.isSharedArrayBuffer(buffer)) {
    const shared = new Uint8Array(buffer, offset, length);
    const copy = new Uint8Array(TypedArrayPrototypeGetByteLength(shared));
    TypedArrayPrototypeSet(copy, shared);
    return copy;
  }
  if (!core.isArrayBuffer(buffer)) {
    throw new WasmError(`expected a buffer source, got ${describe(source)}`, code);
  }
  if (isDetached(buffer)) throw new WasmError("the buffer is detached", code);
  return new Uint8Array(buffer, offset, length);
}

function isDetached(buffer: ArrayBuffer): boolean {
  if (ArrayBufferPrototypeGetByteLength(buffer) !== 0) return false;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

// The call frame: 1000 slots of 16 bytes for arguments and results, and one more whose first 32
// bits are the count of growths of the store that just ran.
const frame = op_wasm_bind(dispatch);
const frame8 = new Uint8Array(frame);
const frame32 = new Int32Array(frame);
const frameU32 = new Uint32Array(frame);
const frame64 = new BigInt64Array(frame);
const frameF32 = new Float32Array(frame);
const frameF64 = new Float64Array(frame);
const GROWTHS = 1000 << 2;

// The kinds of references in a slot's second 32 bits; the first are a number.
const NULL = 0;
const HOST = 1;
const FUNC = 2;
const OBJECT = 3;

/** How values of one type go into and out of a slot. */
interface Codec {
  type: string;
  /** The value in a slot. */
  read(store: StoreState, slot: number): unknown;
  /** Puts a value into a slot; `false` if it is not of the type. */
  write(store: StoreState, slot: number, value: unknown): boolean;
}

const codecs: Map<string, Codec> = new SafeMap();

function numeric(
  type: string,
  read: (store: StoreState, slot: number) => unknown,
  write: (store: StoreState, slot: number, value: unknown) => boolean,
): void {
  codecs.set(type, { type, read, write });
}

numeric("i32", (_, slot) => frame32[slot << 2], (_, slot, value) => {
  if (
    typeof value !== "number" || !(value >= -2147483648 && value <= 4294967295) ||
    MathTrunc(value) !== value
  ) return false;
  frame32[slot << 2] = value;
  return true;
});

numeric("i64", (_, slot) => frame64[slot << 1], (_, slot, value) => {
  if (typeof value === "bigint") {
    if (value < -0x8000000000000000n || value > 0xffffffffffffffffn) return false;
    frame64[slot << 1] = value;
    return true;
  }
  if (!NumberIsSafeInteger(value)) return false;
  frame64[slot << 1] = BigInt(value);
  return true;
});

numeric("f32", (_, slot) => frameF32[slot << 2], (_, slot, value) => {
  if (typeof value !== "number") return false;
  frameF32[slot << 2] = value;
  return true;
});

numeric("f64", (_, slot) => frameF64[slot << 1], (_, slot, value) => {
  if (typeof value !== "number") return false;
  frameF64[slot << 1] = value;
  return true;
});

numeric("v128", (_, slot) => {
  const bytes = new Uint8Array(16);
  for (let i = 0; i < 16; i++) bytes[i] = frame8[(slot << 4) + i];
  return bytes;
}, (_, slot, value) => {
  if (
    TypedArrayPrototypeGetSymbolToStringTag(value) !== "Uint8Array" ||
    TypedArrayPrototypeGetByteLength(value) !== 16
  ) return false;
  TypedArrayPrototypeSet(frame8, value, slot << 4);
  return true;
});

function readRef(store: StoreState, slot: number): unknown {
  const number = frameU32[slot << 2];
  switch (frameU32[(slot << 2) + 1]) {
    case HOST:
      return store.held[number];
    case FUNC:
      return store.func(number);
    case OBJECT:
      return new WasmReference(internal, store, number);
    default:
      return null;
  }
}

function writeRef(slot: number, kind: number, number: number): true {
  frameU32[slot << 2] = number;
  frameU32[(slot << 2) + 1] = kind;
  return true;
}

function writeFunc(store: StoreState, slot: number, value: unknown): boolean {
  if (value === null) return writeRef(slot, NULL, 0);
  const place = placeOf(value);
  return place !== undefined && place.kind === "function" && place.store === store &&
    writeRef(slot, FUNC, place.handle);
}

function writeObject(store: StoreState, slot: number, value: unknown): boolean {
  if (value === null) return writeRef(slot, NULL, 0);
  const handle = referenceHandle(store, value);
  return handle !== undefined && writeRef(slot, OBJECT, handle);
}

function writeExtern(store: StoreState, slot: number, value: unknown): boolean {
  return writeObject(store, slot, value) || writeRef(slot, HOST, store.hold(value));
}

/** How values of a type, as the text format writes it, go into and out of slots. */
function codec(type: string): Codec {
  let codec = codecs.get(type);
  if (codec === undefined) {
    let write = writeObject;
    if (type === "externref" || type === "(ref extern)") write = writeExtern;
    else if (type === "funcref" || type === "(ref func)") write = writeFunc;
    else if (type === "(ref $func)" || type === "(ref null $func)") write = writeFunc;
    codec = { type, read: readRef, write };
    codecs.set(type, codec);
  }
  return codec;
}

function codecsOf(types: string[]): Codec[] {
  const result = [];
  for (let i = 0; i < types.length; i++) result[i] = codec(types[i]);
  return result;
}

/** Puts `values` into the first slots. Returns the index of the first that does not fit, or −1. */
function writeValues(store: StoreState, codecs: Codec[], values: unknown[]): number {
  for (let i = 0; i < codecs.length; i++) {
    if (codecs[i].write(store, i, values[i])) continue;
    // The guest never sees the values before this one, so that it cannot release them.
    for (let j = 0; j < i; j++) {
      if (codecs[j].write === writeExtern && frameU32[(j << 2) + 1] === HOST) {
        store.release(frameU32[j << 2]);
      }
    }
    return i;
  }
  return -1;
}

function misfit(codecs: Codec[], values: unknown[], index: number, what: string): WasmError {
  const expected = codecs[index].type;
  return new WasmError(`${what}: expected ${expected}, got ${describe(values[index])}`, TypeMismatch);
}

/** Puts one value into the first slot. */
function writeValue(store: StoreState, codec: Codec, value: unknown): void {
  if (codec.write(store, 0, value)) return;
  throw new WasmError(`expected ${codec.type}, got ${describe(value)}`, TypeMismatch);
}

/** A function's type, ready for calls. */
interface Signature {
  params: Codec[];
  results: Codec[];
}

function signatureOf(type: { params: string[]; results: string[] }): Signature {
  return { params: codecsOf(type.params), results: codecsOf(type.results) };
}

/** The exceptions of guests that these errors tell of, to be thrown on where they pass a guest. */
const exceptions: WeakMap<object, WasmReference> = new SafeWeakMap();

/** Errors that stopped a guest, and that no other guest may catch. */
const stops: WeakSet<object> = new SafeWeakSet();

/** The store whose guest is running, if one is. */
let active: StoreState | undefined;

// How a guest's run ended, and how an import did.
const RETURNED = 0;
/** With a JavaScript value. */
const THREW = 1;
/** With an exception of a guest. */
const EXCEPTION = 2;
/** With an error that no guest can catch, which the store keeps. */
const ABORTED = 3;

function callFunc(
  store: StoreState,
  handle: number,
  signature: Signature,
  args: unknown[],
  name: string | undefined,
): unknown {
  const { params, results } = signature;
  if (args.length !== params.length) {
    throw new WasmError(
      `${name === undefined ? "the function" : quote(name)} takes ${params.length} arguments, ` +
        `got ${args.length}`,
      TypeMismatch,
    );
  }
  const misfits = writeValues(store, params, args);
  if (misfits >= 0) throw misfit(params, args, misfits, ofFunction(`argument ${misfits}`, name));
  let ended;
  const outer = store.enter();
  try {
    ended = op_wasm_call(store.id, handle);
  } catch (error) {
    throw stopped(error);
  } finally {
    store.leave(outer);
  }
  if (ended !== RETURNED) throw store.thrown(ended);
  if (results.length === 0) return undefined;
  if (results.length === 1) return results[0].read(store, 0);
  return readValues(store, results);
}

/** Remembers whether the error of an op that ran a guest is one that no guest may catch. */
function stopped(error: WasmError): WasmError {
  if (error.trap !== undefined || error.code === WasmErrorCode.FuelExhausted) stops.add(error);
  return error;
}

function readValues(store: StoreState, codecs: Codec[]): unknown[] {
  const values = [];
  for (let i = 0; i < codecs.length; i++) values[i] = codecs[i].read(store, i);
  return values;
}

function ofFunction(what: string, name: string | undefined): string {
  return name === undefined ? what : `${what} of ${quote(name)}`;
}

/** A JavaScript function that a guest imports. */
interface HostImport {
  callback: WasmFunction;
  signature: Signature;
  /** For messages. */
  name: string;
}

/**
 * Runs the import of this number of the store that is running, its arguments in the frame, which
 * its results replace. Returns how it ended; what it threw is then in the first slot.
 */
function dispatch(index: number): number {
  const store = active;
  const { callback, signature, name } = store.imports[index];
  try {
    store.refresh();
    const result = ReflectApply(callback, undefined, readValues(store, signature.params));
    return finishImport(store, signature.results, result, name);
  } catch (error) {
    const exception = referenceHandle(store, exceptions.get(error));
    if (exception !== undefined) {
      writeRef(0, OBJECT, exception);
      return EXCEPTION;
    }
    if (stops.has(error)) return store.abort(importThrew(name, error));
    const held = store.hold(error);
    store.throwers.set(held, name);
    writeRef(0, HOST, held);
    return THREW;
  }
}

function finishImport(store: StoreState, results: Codec[], result: unknown, name: string): number {
  if (results.length === 0) return RETURNED;
  let values = [result];
  if (results.length !== 1) {
    if (!ArrayIsArray(result) || result.length !== results.length) {
      return store.abort(
        new WasmError(`${name} must return an array of ${results.length} values`, TypeMismatch),
      );
    }
    values = copyOf(result, results.length);
  }
  const misfits = writeValues(store, results, values);
  if (misfits < 0) return RETURNED;
  return store.abort(misfit(results, values, misfits, `result ${misfits} of ${name}`));
}

/** The elements of an array that may be a proxy, have holes, or change. */
function copyOf(array: unknown[], length: number): unknown[] {
  const copy = [];
  for (let i = 0; i < length; i++) copy[i] = array[i];
  return copy;
}

function importThrew(name: string, cause: unknown): WasmError {
  return new WasmError(`${name} threw`, RuntimeError, { cause });
}

const droppedStores: FinalizationRegistry<number> = new SafeFinalizationRegistry(
  (id: number) => op_wasm_drop_store(id),
);
const droppedModules: FinalizationRegistry<number> = new SafeFinalizationRegistry(
  (id: number) => op_wasm_drop_module(id),
);
const droppedReferences: FinalizationRegistry<{ store: number; object: number }> =
  new SafeFinalizationRegistry(({ store, object }: { store: number; object: number }) =>
    op_wasm_release_object(store, object)
  );

/** Which store a view's buffer belongs to: a buffer keeps its store from being collected. */
const owners: WeakMap<ArrayBuffer | SharedArrayBuffer, StoreState> = new SafeWeakMap();

// The bytes of a memory cannot be given away, as in browsers. QuickJS would hand them to a buffer
// that does not know whose they are, or reallocate them.
for (const name of ["transfer", "transferToFixedLength", "transferToImmutable"]) {
  const transfer = ArrayBufferPrototype[name];
  if (transfer === undefined) continue;
  const guarded = {
    [name](...args: unknown[]): ArrayBuffer {
      if (owners.has(this)) throw new TypeError("The buffer of a memory cannot be transferred");
      return ReflectApply(transfer, this, args);
    },
  };
  ObjectDefineProperty(ArrayBufferPrototype, name, {
    __proto__: null,
    value: guarded[name],
    writable: true,
    configurable: true,
  });
}

/**
 * The JavaScript side of a store: everything JavaScript that its guests hold.
 *
 * The runtime knows these only by number, so that JavaScript's collector sees all references
 * between an app, its imports and its instances, and frees what hangs together.
 */
class StoreState {
  readonly id: number;
  /** Made for one instance, and freed with it. */
  readonly implicit: boolean;
  dropped: boolean = false;
  readonly instances: Set<number> = new SafeSet();
  readonly imports: HostImport[] = [];
  /** The values that guests hold as `externref`, by number. */
  readonly held: unknown[] = [];
  /** Which import threw a held value. */
  readonly throwers: Map<number, string> = new SafeMap();
  readonly #free: number[] = [];
  #collectAt: number = 1024;
  readonly #funcs: WasmFunction[] = [];
  readonly #objects: Record<Exclude<ExportKind, "function">, Map<number, ImportValue>> = {
    memory: new SafeMap(),
    global: new SafeMap(),
    table: new SafeMap(),
    tag: new SafeMap(),
  };
  readonly #views: Map<number, View> = new SafeMap();
  #growths: number = 0;
  #aborted: WasmError | undefined;
  #handle: WasmStore | undefined;

  constructor(options: StoreOptions | undefined, implicit: boolean) {
    this.id = op_wasm_new_store(checkOptions(options));
    this.implicit = implicit;
    droppedStores.register(this, this.id, this);
  }

  /** The store as apps see it. */
  get handle(): WasmStore {
    return this.#handle ??= construct(WasmStore, internal, this);
  }

  set handle(handle: WasmStore) {
    this.#handle = handle;
  }

  /** To be called before an op that runs a guest of this store. */
  enter(): StoreState | undefined {
    const outer = active;
    active = this;
    return outer;
  }

  /** To be called after it, however it ended, with what `enter` returned. */
  leave(outer: StoreState | undefined): void {
    active = outer;
    this.refresh();
  }

  /** Detaches the views of memories that grew. To be called whenever a guest may have run. */
  refresh(): void {
    const growths = frameU32[GROWTHS];
    if (growths === this.#growths) return;
    this.#growths = growths;
    this.checkViews();
  }

  /** Detaches the views of memories that grew. */
  checkViews(): void {
    if (this.dropped) return;
    this.#views.forEach((view: View, memory: number) => {
      if (view.length === op_wasm_memory_length(this.id, memory)) return;
      detach(view);
      this.#views.delete(memory);
    });
  }

  /** A memory's bytes as a buffer, the same until they are more. */
  view(memory: number): ArrayBuffer | SharedArrayBuffer {
    let view = this.#views.get(memory);
    if (view === undefined || !this.#isCurrent(view, memory)) {
      const buffer = op_wasm_memory_view(this.id, memory);
      const length = TypedArrayPrototypeGetByteLength(new Uint8Array(buffer));
      view = { buffer, length, shared: core.isSharedArrayBuffer(buffer) };
      owners.set(buffer, this);
      this.#views.set(memory, view);
    }
    return view.buffer;
  }

  /** Whether a view still shows all of its memory: the app may have detached it. */
  #isCurrent(view: View, memory: number): boolean {
    if (view.shared) return view.length === op_wasm_memory_length(this.id, memory);
    return ArrayBufferPrototypeGetByteLength(view.buffer) === view.length &&
      (view.length !== 0 || !isDetached(view.buffer));
  }

  /** Keeps a value for guests and returns its number. */
  hold(value: unknown): number {
    if (this.#free.length === 0 && this.held.length >= this.#collectAt) {
      const released = op_wasm_collect(this.id);
      for (let i = 0; i < released.length; i++) this.release(released[i]);
      this.#collectAt = 2 * (this.held.length - this.#free.length);
      if (this.#collectAt < 1024) this.#collectAt = 1024;
    }
    const number = this.#free.length > 0 ? ArrayPrototypePop(this.#free) : this.held.length;
    this.held[number] = value;
    return number;
  }

  /** Lets go of a value that no guest holds. */
  release(number: number): void {
    this.held[number] = undefined;
    this.throwers.delete(number);
    ArrayPrototypePush(this.#free, number);
  }

  /** Ends the running guest with an error that it cannot catch. */
  abort(error: WasmError): number {
    this.#aborted = error;
    return ABORTED;
  }

  /** The error for a run that did not return. */
  thrown(ended: number): WasmError {
    if (ended === ABORTED) {
      const error = this.#aborted;
      this.#aborted = undefined;
      return error;
    }
    const number = frameU32[0];
    const value = readRef(this, 0);
    if (ended === THREW) return importThrew(this.throwers.get(number), value);
    const error = new WasmError("uncaught WebAssembly exception", RuntimeError, { cause: value });
    exceptions.set(error, value);
    return error;
  }

  /** The function of this number: the same JavaScript function each time. */
  func(handle: number, name?: string): WasmFunction {
    let func = this.#funcs[handle];
    if (func === undefined) {
      const signature = signatureOf(op_wasm_func_type(this.id, handle));
      func = (...args: unknown[]): unknown => callFunc(this, handle, signature, args, name);
      ObjectDefineProperty(func, "length", {
        __proto__: null,
        value: signature.params.length,
        configurable: true,
      });
      places.set(func, { store: this, kind: "function", handle });
      this.#funcs[handle] = func;
    }
    return func;
  }

  /** The live object of this kind and number: the same each time. */
  live(kind: ExportKind, handle: number, name?: string): ImportValue {
    if (kind === "function") return this.func(handle, name);
    let object = this.#objects[kind].get(handle);
    if (object === undefined) {
      object = construct(liveClasses[kind], internal, this, handle);
      this.#objects[kind].set(handle, object);
    }
    return object;
  }

  /** Enters an object that an app made. */
  adopt(kind: Exclude<ExportKind, "function">, handle: number, object: ImportValue): void {
    this.#objects[kind].set(handle, object);
  }

  drop(): void {
    if (this.dropped) return;
    this.dropped = true;
    droppedStores.unregister(this);
    this.#views.forEach(detach);
    op_wasm_drop_store(this.id);
  }
}

/** A memory's bytes, as an app was given them. */
interface View {
  buffer: ArrayBuffer | SharedArrayBuffer;
  length: number;
  shared: boolean;
}

function detach(view: View): void {
  // What threads share stays as long as it was, as in browsers.
  if (!view.shared) op_wasm_detach(view.buffer);
}

/** Makes an object of a class whose constructor, as far as apps know, takes something else. */
function construct<T>(type: new (...args: never[]) => T, ...args: unknown[]): T {
  return ReflectConstruct(type, args);
}

/** Store options in the form that the op takes. */
function checkOptions(options: StoreOptions | undefined): { fuel?: number; maxMemoryBytes?: number } {
  if (options === undefined) return {};
  if (typeof options !== "object" || options === null) {
    throw new WasmError(`options must be an object, got ${describe(options)}`, InstantiateError);
  }
  const { fuel, maxMemoryBytes, timeoutMs, wasi } = options;
  if (wasi !== undefined) {
    throw new WasmError("the option wasi is not supported yet", InstantiateError);
  }
  if (timeoutMs !== undefined) {
    throw new WasmError("the option timeoutMs is not supported yet", InstantiateError);
  }
  const checked: { fuel?: number; maxMemoryBytes?: number } = {};
  if (fuel !== undefined) checked.fuel = toInteger(fuel, "fuel", InstantiateError);
  if (maxMemoryBytes !== undefined) {
    checked.maxMemoryBytes = toInteger(maxMemoryBytes, "maxMemoryBytes", InstantiateError);
  }
  return checked;
}

/** Reads the handle out of a reference of this store; `undefined` for anything else. */
let referenceHandle: (store: StoreState, value: unknown) => number | undefined;
let storeStateOf: (value: unknown) => StoreState | undefined;
let moduleIdOf: (value: unknown) => number | undefined;

/** Which thing of which store a live object is. */
interface Place {
  store: StoreState;
  kind: ExportKind;
  handle: number;
}

const places: WeakMap<object, Place> = new SafeWeakMap();

function placeOf(value: unknown): Place | undefined {
  return isObject(value) || typeof value === "function" ? places.get(value) : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** A struct, array, i31, or exception of a guest: nothing to look into, only to pass back. */
export class WasmReference {
  #store: StoreState;
  #handle: number;

  static {
    referenceHandle = (store, value) =>
      isObject(value) && #store in value && value.#store === store ? value.#handle : undefined;
  }

  private constructor(key: symbol, store: StoreState, handle: number) {
    illegal(key);
    this.#store = store;
    this.#handle = handle;
    droppedReferences.register(this, { store: store.id, object: handle });
  }
}

/** What instances share that can import from each other. Its limits hold for all of them together. */
export class WasmStore {
  #state: StoreState;

  static {
    storeStateOf = (value) => isObject(value) && #state in value ? value.#state : undefined;
  }

  /** Makes a store with these limits, cut down to what the host allows. */
  constructor(options?: StoreOptions);
  constructor(options?: StoreOptions | symbol, state?: StoreState) {
    if (options === internal) {
      this.#state = state;
    } else {
      this.#state = new StoreState(options, false);
      this.#state.handle = this;
    }
  }

  /** What is left of the fuel budget, or `undefined` if there is none. */
  get fuel(): number | undefined {
    return op_wasm_is_metered(this.#state.id) ? op_wasm_fuel(this.#state.id) : undefined;
  }

  /** Sets what is left of the fuel budget, up to the host's cap. */
  setFuel(fuel: number): void {
    op_wasm_set_fuel(this.#state.id, toInteger(fuel, "fuel", RuntimeError));
  }

  /** Frees the store with everything in it. A call that is running goes on until it returns. */
  drop(): void {
    this.#state.drop();
  }

  [Symbol.dispose](): void {
    this.#state.drop();
  }
}

/** A compiled module. */
export class WasmModule {
  /** Its number, unique in this runtime. */
  readonly id: number;
  /** What it exports, in its own order. */
  readonly exports: readonly ExportInfo[];
  /** What it imports, in its own order. */
  readonly imports: readonly ImportInfo[];
  #id: number;

  static {
    moduleIdOf = (value) => isObject(value) && #id in value ? value.#id : undefined;
  }

  private constructor(
    key: symbol,
    info: { id: number; exports: ExportInfo[]; imports: ImportInfo[] },
  ) {
    illegal(key);
    this.id = this.#id = info.id;
    this.exports = frozen(info.exports);
    this.imports = frozen(info.imports);
    ObjectFreeze(this);
    droppedModules.register(this, info.id, this);
  }

  /** The contents of every custom section of this name, copied. */
  customSections(name: string): Uint8Array[] {
    if (typeof name !== "string") {
      throw new WasmError(`a section's name is a string, got ${describe(name)}`, TypeMismatch);
    }
    return op_wasm_custom_sections(this.#id, name);
  }

  /** Frees the module. Its instances live on. */
  drop(): void {
    droppedModules.unregister(this);
    op_wasm_drop_module(this.#id);
  }

  [Symbol.dispose](): void {
    this.drop();
  }
}

function frozen<T>(infos: T[]): readonly T[] {
  for (let i = 0; i < infos.length; i++) ObjectFreeze(infos[i]);
  return ObjectFreeze(infos);
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
  #infos: Map<string, ExportInfo> = new SafeMap();
  #live: Map<string, ImportValue> = new SafeMap();
  #namespace: Readonly<Record<string, ImportValue>> | undefined;
  #dropped: boolean = false;

  private constructor(key: symbol, id: number, module: WasmModule, store: StoreState) {
    illegal(key);
    this.id = id;
    this.moduleId = module.id;
    this.exports = module.exports;
    this.#store = store;
    for (let i = 0; i < module.exports.length; i++) {
      this.#infos.set(module.exports[i].name, module.exports[i]);
    }
    ObjectFreeze(this);
    store.instances.add(id);
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
    const func = this.func(name);
    if (!ArrayIsArray(args)) {
      throw new WasmError(
        `the arguments of ${quote(name)} must be an array, got ${describe(args)}`,
        TypeMismatch,
      );
    }
    // An array of the wrong length is reported as such, however long it says it is.
    const length = args.length;
    if (length !== func.length) {
      throw new WasmError(
        `${quote(name)} takes ${func.length} arguments, got ${length}`,
        TypeMismatch,
      );
    }
    return ReflectApply(func, undefined, copyOf(args, length));
  }

  /** What is known about an export. */
  getExport(name: string): ExportInfo {
    this.#alive();
    const info = this.#infos.get(name);
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
   * Lets go of the instance. A store made just for it is freed too, unless other instances joined
   * it. A call that is running goes on until it returns.
   */
  drop(): void {
    if (this.#dropped) return;
    this.#dropped = true;
    op_wasm_drop_instance(this.id);
    this.#store.instances.delete(this.id);
    if (this.#store.implicit && this.#store.instances.size === 0) this.#store.drop();
  }

  [Symbol.dispose](): void {
    this.drop();
  }

  #alive(): void {
    if (this.#dropped || this.#store.dropped) {
      throw new WasmError(`instance ${this.id} was dropped`, RuntimeError);
    }
  }

  #export<T extends ImportValue>(name: string, kind: ExportKind, missing: WasmErrorCode): T {
    this.#alive();
    const info = this.#infos.get(name);
    if (info === undefined || info.kind !== kind) {
      const what = info === undefined ? "there is none" : `it is a ${info.kind}`;
      throw new WasmError(`no ${kind} is exported as ${quote(name)}: ${what}`, missing);
    }
    let object = this.#live.get(name);
    if (object === undefined) {
      object = this.#store.live(kind, op_wasm_get_export(this.id, name), name);
      this.#live.set(name, object);
    }
    return object as T;
  }

  #memoryName(): string {
    if (this.#infos.get("memory")?.kind === "memory") return "memory";
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

/**
 * Places a live object: one that `make` makes in the store that the app gave first, or, where the
 * arguments are internal, one that exists already.
 */
function place(
  object: ImportValue,
  kind: Exclude<ExportKind, "function">,
  args: unknown[],
  make: (store: StoreState) => number,
): { store: StoreState; handle: number } {
  let store, handle;
  if (args[0] === internal) {
    store = args[1];
    handle = args[2];
  } else {
    store = storeStateOf(args[0]);
    if (store === undefined) {
      throw new WasmError(
        `a ${kind} needs a WasmStore, got ${describe(args[0])}`,
        InstantiateError,
      );
    }
    handle = make(store);
    store.adopt(kind, handle, object);
  }
  places.set(object, { store, kind, handle });
  return { store, handle };
}

/** The fields of a type that an app gives. */
function typeOf<T>(type: unknown, kind: string): T {
  if (isObject(type)) return type as T;
  throw new WasmError(`the type of a ${kind} must be an object, got ${describe(type)}`, InstantiateError);
}

/** The limits of a memory's or table's type, in the form that the ops take. */
function limitsOf(type: MemoryType | TableType): { minimum: number; maximum?: number; is64: boolean } {
  const { minimum, maximum, address = "i32" } = type;
  if (address !== "i32" && address !== "i64") {
    throw new WasmError(`an address is "i32" or "i64", not ${quote(address)}`, InstantiateError);
  }
  return {
    minimum: toInteger(minimum, "minimum", InstantiateError),
    maximum: maximum === undefined ? undefined : toInteger(maximum, "maximum", InstantiateError),
    is64: address === "i64",
  };
}

/** A linear memory. */
export class WasmMemory {
  #store: StoreState;
  #handle: number;

  /** Makes a memory of zeroed pages. */
  constructor(store: WasmStore, type: MemoryType);
  constructor(...args: unknown[]) {
    const { store, handle } = place(this, "memory", args, (store) => {
      const type = typeOf<MemoryType>(args[1], "memory");
      return op_wasm_new_memory(store.id, { ...limitsOf(type), shared: type.shared === true });
    });
    this.#store = store;
    this.#handle = handle;
  }

  /** Its type, with the current size as the minimum. */
  get type(): MemoryType {
    return op_wasm_memory_type(this.#store.id, this.#handle);
  }

  /** Its size in bytes. */
  get byteLength(): number {
    return op_wasm_memory_length(this.#store.id, this.#handle);
  }

  /**
   * Its bytes themselves, not a copy. The buffer is detached when the memory grows or its store
   * is dropped; then take it again. That of a shared memory stays as long as it was.
   */
  get buffer(): ArrayBuffer | SharedArrayBuffer {
    return this.#store.view(this.#handle);
  }

  /**
   * Copies bytes out.
   *
   * @throws {WasmError} `MemoryError` if any of them is out of bounds.
   */
  read(offset: number, length: number): Uint8Array {
    return op_wasm_read_memory(
      this.#store.id,
      this.#handle,
      toInteger(offset, "offset", MemoryError),
      toInteger(length, "length", MemoryError),
    );
  }

  /**
   * Copies bytes in.
   *
   * @throws {WasmError} `MemoryError` if any of them is out of bounds; then nothing is written.
   */
  write(offset: number, data: BufferSource): void {
    const at = toInteger(offset, "offset", MemoryError);
    op_wasm_write_memory(this.#store.id, this.#handle, at, toBytes(data, TypeMismatch));
  }

  /**
   * Adds zeroed pages and returns how many there were before.
   *
   * @throws {WasmError} `MemoryError` if its maximum or a cap does not allow that.
   */
  grow(pages: number): number {
    const grown = op_wasm_grow_memory(
      this.#store.id,
      this.#handle,
      toInteger(pages, "pages", MemoryError),
    );
    this.#store.checkViews();
    return grown;
  }
}

/** A global variable. */
export class WasmGlobal {
  #store: StoreState;
  #handle: number;
  #codec: Codec | undefined;

  /** Makes a global that holds `value`. */
  constructor(store: WasmStore, type: GlobalType, value: unknown);
  constructor(...args: unknown[]) {
    const { store, handle } = place(this, "global", args, (store) => {
      const type = typeOf<GlobalType>(args[1], "global");
      return newGlobal(store, String(type.value), type.mutable === true, args[2]);
    });
    this.#store = store;
    this.#handle = handle;
  }

  /** Its type. */
  get type(): GlobalType {
    return op_wasm_global_type(this.#store.id, this.#handle);
  }

  /** Its value, by the same rules as a function's result. */
  // deno-lint-ignore no-explicit-any
  get value(): any {
    const codec = this.#content();
    op_wasm_get_global(this.#store.id, this.#handle);
    return codec.read(this.#store, 0);
  }

  /** By the same rules as a function's argument; `TypeMismatch` if it is immutable. */
  set value(value: unknown) {
    writeValue(this.#store, this.#content(), value);
    op_wasm_set_global(this.#store.id, this.#handle);
  }

  #content(): Codec {
    return this.#codec ??= codec(this.type.value);
  }
}

/** A new global in a store; returns its number. */
function newGlobal(store: StoreState, type: string, mutable: boolean, value: unknown): number {
  writeValue(store, codec(type), value);
  return op_wasm_new_global(store.id, type, mutable);
}

/** A table of references. */
export class WasmTable {
  #store: StoreState;
  #handle: number;
  #codec: Codec | undefined;

  /** Makes a table of which every element is `init`. */
  constructor(store: WasmStore, type: TableType, init?: unknown);
  constructor(...args: unknown[]) {
    const { store, handle } = place(this, "table", args, (store) => {
      const type = typeOf<TableType>(args[1], "table");
      const element = String(type.element);
      const limits = limitsOf(type);
      writeValue(store, codec(element), args[2] ?? null);
      return op_wasm_new_table(store.id, { ...limits, element });
    });
    this.#store = store;
    this.#handle = handle;
  }

  /** Its type, with the current size as the minimum. */
  get type(): TableType {
    return op_wasm_table_type(this.#store.id, this.#handle);
  }

  /** How many elements it has. */
  get length(): number {
    return op_wasm_table_size(this.#store.id, this.#handle);
  }

  /**
   * The element at `index`, by the same rules as a function's result.
   *
   * @throws {WasmError} `MemoryError` if the index is out of bounds.
   */
  // deno-lint-ignore no-explicit-any
  get(index: number): any {
    const codec = this.#element();
    op_wasm_get_table(this.#store.id, this.#handle, toInteger(index, "index", MemoryError));
    return codec.read(this.#store, 0);
  }

  /**
   * Sets the element at `index`, by the same rules as a function's argument.
   *
   * @throws {WasmError} `MemoryError` if the index is out of bounds.
   */
  set(index: number, value: unknown): void {
    const at = toInteger(index, "index", MemoryError);
    writeValue(this.#store, this.#element(), value);
    op_wasm_set_table(this.#store.id, this.#handle, at);
  }

  /**
   * Adds `delta` elements that are `init`, and returns how many there were before.
   *
   * @throws {WasmError} `MemoryError` if its maximum or a cap does not allow that.
   */
  grow(delta: number, init: unknown = null): number {
    const more = toInteger(delta, "delta", MemoryError);
    writeValue(this.#store, this.#element(), init);
    return op_wasm_grow_table(this.#store.id, this.#handle, more);
  }

  #element(): Codec {
    return this.#codec ??= codec(this.type.element);
  }
}

/** A tag: what tells one kind of exception from another. */
export class WasmTag {
  /** Makes a tag that is like no other. */
  constructor(store: WasmStore, type: TagType);
  constructor(...args: unknown[]) {
    place(this, "tag", args, (store) => {
      const { params } = typeOf<TagType>(args[1], "tag");
      if (!ArrayIsArray(params)) {
        throw new WasmError(
          `the params of a tag must be an array, got ${describe(params)}`,
          InstantiateError,
        );
      }
      const types = copyOf(params, params.length);
      for (let i = 0; i < types.length; i++) types[i] = String(types[i]);
      return op_wasm_new_tag(store.id, types);
    });
  }
}

const liveClasses = {
  memory: WasmMemory,
  global: WasmGlobal,
  table: WasmTable,
  tag: WasmTag,
};

/**
 * Compiles a module in the binary or the text format, away from the event loop.
 *
 * @throws {WasmError} `CompileError` if it is not valid.
 */
export async function compile(source: BufferSource): Promise<WasmModule> {
  return construct(WasmModule, internal, await op_wasm_compile(toBytes(source, CompileError)));
}

/**
 * Compiles the module in a file, if the host grants it. A relative path starts where the process
 * does.
 *
 * @throws {WasmError} `CompileError` if the file is not granted or readable, or not valid.
 */
export async function compileFile(path: string): Promise<WasmModule> {
  if (typeof path !== "string") {
    throw new WasmError(`a path must be a string, got ${describe(path)}`, CompileError);
  }
  return construct(WasmModule, internal, await op_wasm_compile_file(path));
}

/** Whether `source` is a valid module, in the binary or the text format. */
export function validate(source: BufferSource): boolean {
  return op_wasm_validate(toBytes(source, TypeMismatch));
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
export async function instantiate(
  module: WasmModule,
  imports?: Imports,
  options?: InstantiateOptions,
): Promise<WasmInstance> {
  const id = moduleIdOf(module);
  if (id === undefined) {
    throw new WasmError(`expected a WasmModule, got ${describe(module)}`, InstantiateError);
  }
  const found = lookUp(module, imports);
  const store = await storeFor(module, found, options);
  try {
    await op_wasm_prepare(id, store.id);
    return start(id, module, store, found);
  } catch (error) {
    if (store.implicit && store.instances.size === 0) store.drop();
    throw error;
  }
}

/** The values of a module's imports, in its order. */
function lookUp(module: WasmModule, imports: Imports | undefined): unknown[] {
  if (imports !== undefined && !isObject(imports) && typeof imports !== "function") {
    throw new WasmError(`imports must be an object, got ${describe(imports)}`, InstantiateError);
  }
  const found = [];
  for (let i = 0; i < module.imports.length; i++) {
    const wanted = module.imports[i];
    const namespace = imports?.[wanted.module];
    if (!isObject(namespace) && typeof namespace !== "function") {
      throw missing(wanted, `the import module ${quote(wanted.module)} is ${describe(namespace)}`);
    }
    found[i] = namespace[wanted.name];
    if (found[i] === undefined) throw missing(wanted, "there is none");
  }
  return found;
}

function importName({ module, name }: ImportInfo): string {
  return `import ${quote(module)}.${quote(name)}`;
}

function missing(wanted: ImportInfo, why: string): WasmError {
  return new WasmError(`${importName(wanted)} needs a ${wanted.kind}: ${why}`, InstantiateError);
}

/** The store that an instance with these imports lives in. */
async function storeFor(
  module: WasmModule,
  found: unknown[],
  options: InstantiateOptions | undefined,
): Promise<StoreState> {
  let store;
  if (isObject(options) && "store" in options && options.store !== undefined) {
    store = storeStateOf(options.store);
    if (store === undefined) {
      throw new WasmError(
        `the option store must be a WasmStore, got ${describe(options.store)}`,
        InstantiateError,
      );
    }
  }
  let joined;
  for (let i = 0; i < found.length; i++) {
    const home = placeOf(found[i])?.store;
    if (home === undefined) continue;
    if (store === undefined) {
      store = home;
      joined = module.imports[i];
    } else if (home !== store) {
      throw new WasmError(
        `${importName(module.imports[i])} belongs to another store than ` +
          (joined === undefined ? "the instance" : importName(joined)),
        InstantiateError,
      );
    }
  }
  if (store === undefined) {
    await makeRoom();
    return new StoreState(options, true);
  }
  const limits = checkOptions(options);
  if (limits.fuel !== undefined || limits.maxMemoryBytes !== undefined) {
    throw new WasmError(
      "limits belong to the store: give them where it is made",
      InstantiateError,
    );
  }
  return store;
}

/** At how many live instances JavaScript's garbage is collected next. */
let collectAt = 1000;

/**
 * Lets JavaScript collect instances that nobody refers to, when there have come to be many: its
 * collector does not see how much memory each stands for.
 */
async function makeRoom(): Promise<void> {
  const cap = op_wasm_max_instances();
  const live = op_wasm_live_instances();
  if (live < collectAt && live < cap) return;
  op_wasm_collect_js();
  // Stores are dropped by finalizers, which run in a turn of the event loop of their own.
  await op_wasm_turn();
  const left = op_wasm_live_instances();
  collectAt = 2 * left < 1000 ? 1000 : 2 * left;
}

/** Instantiates in a store whose engine the module is compiled for. */
function start(id: number, module: WasmModule, store: StoreState, found: unknown[]): WasmInstance {
  const imports = [];
  for (let i = 0; i < found.length; i++) {
    imports[i] = toImport(store, module.imports[i], found[i]);
  }
  let made;
  const outer = store.enter();
  try {
    made = op_wasm_instantiate(id, store.id, imports);
  } catch (error) {
    throw stopped(error);
  } finally {
    store.leave(outer);
  }
  if (made[0] !== RETURNED) throw store.thrown(made[0]);
  return construct(WasmInstance, internal, made[1], module, store);
}

/** An import in the form that the op takes. */
function toImport(
  store: StoreState,
  wanted: ImportInfo,
  value: unknown,
): { kind: ExportKind | "host"; handle: number } {
  const place = placeOf(value);
  if (place !== undefined) {
    if (place.kind !== wanted.kind) throw missing(wanted, `got a ${place.kind}`);
    return { kind: place.kind, handle: place.handle };
  }
  if (wanted.kind === "function" && typeof value === "function") {
    const signature = signatureOf(wanted);
    ArrayPrototypePush(store.imports, { callback: value, signature, name: importName(wanted) });
    return { kind: "host", handle: store.imports.length - 1 };
  }
  if (wanted.kind === "global" && wanted.mutable) {
    throw missing(wanted, `a mutable one is a WasmGlobal, got ${describe(value)}`);
  }
  if (wanted.kind === "global") {
    try {
      return { kind: "global", handle: newGlobal(store, wanted.value, false, value) };
    } catch (error) {
      throw missing(wanted, error.message);
    }
  }
  throw missing(wanted, `got ${describe(value)}`);
}
