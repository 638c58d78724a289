import { readRef, signatureOf } from "./codec.ts";
import type { Signature } from "./codec.ts";
import { construct, internal } from "./construct.ts";
import {
  JSONParse,
  ObjectDefineProperty,
  op_wasm_check_store,
  op_wasm_collect,
  op_wasm_detach_grown,
  op_wasm_drop_store,
  op_wasm_forget_store,
  op_wasm_func_number,
  op_wasm_func_type,
  op_wasm_memory_view,
  op_wasm_new_store,
  refOpPromise,
  SafeFinalizationRegistry,
  TypedArrayPrototypeGetBuffer,
  TypedArrayPrototypeGetLength,
  Uint32Array,
  Uint8Array,
} from "./core.ts";
import { RuntimeError, WasmError } from "./errors.ts";
import { frameU32 } from "./frame.ts";
import { functionOf } from "./func.ts";
import { nameOf } from "./host_import.ts";
import type { HostImport, PendingImport } from "./host_import.ts";
import { append, list } from "./list.ts";
import { liveClass, places } from "./live.ts";
import { checkOptions } from "./options.ts";
import type { StoreOptions } from "./options.ts";
import { ABORTED, exceptions, importThrew, stops, THREW } from "./outcome.ts";
import type { WasmReference } from "./reference.ts";
import { WasmStore } from "./store.ts";
import type { ExportKind, ImportValue, WasmFunction } from "./types.ts";

const forgottenStores: FinalizationRegistry<number> = new SafeFinalizationRegistry(
  (id: number) => op_wasm_forget_store(id),
);

/** In the place of a value that was let go of. */
const FREE: unique symbol = Symbol("free");

/** How many values a store keeps before it looks for those that no guest holds. */
const FEW_VALUES = 4096;
/** How many of the values that were kept last may be on their way to a guest. */
const LATE_VALUES = 1024;

const nothing: Uint8Array = new Uint8Array(0);

/**
 * The JavaScript side of a store: everything JavaScript that its guests hold.
 *
 * The runtime knows these only by number, so that JavaScript's collector sees all references
 * between an app, its imports and its instances, and frees what hangs together.
 */
export class StoreState {
  readonly id: number;
  /** Made for one instance, and freed with it. */
  readonly implicit: boolean;
  /** Whether its guests have WASI. */
  readonly hasWasi: boolean;
  dropped: boolean = false;
  /** How many instances live in it. */
  instances: number = 0;
  /** Itself, as long as a guest can run, and the functions that its guests import. */
  readonly imports: (StoreState | WasmFunction | undefined)[] = list<StoreState | WasmFunction>(this);
  /** What is known of these, in the same places. */
  readonly hostImports: (HostImport | undefined)[] = list(undefined);
  /** The values that guests hold as `externref`, by number; `FREE` where there is none. */
  readonly held: unknown[] = list();
  /** Which import threw a held value, by its number. */
  readonly throwers: (HostImport | undefined)[] = list();
  /** The numbers below `held.length` that are free. */
  readonly #free: number[] = list();
  /** How many values had been kept before each of those in `held`. */
  readonly #ages: number[] = list();
  #age: number = 0;
  #collectAt: number = FEW_VALUES;
  readonly #funcs: WasmFunction[] = list();
  readonly #signatures: Signature[] = list();
  readonly #objects: Partial<Record<Exclude<ExportKind, "function">, ImportValue[]>> = {
    __proto__: null,
  };
  /** Whether a buffer may show one of its memories. */
  #viewed: boolean = false;
  /** What the guest waits for, if `dispatch` just said so. */
  pending: PendingImport | undefined;
  /** Resolves when the guest has to end although it waits for a promise. */
  end: Promise<boolean> | undefined;
  #aborted: WasmError | undefined;
  #handle: WasmStore | undefined;

  constructor(options: StoreOptions | undefined, implicit: boolean) {
    const { fuel, maxMemoryBytes, timeoutMs, interruptible, wasi } = checkOptions(options);
    this.id = op_wasm_new_store(
      fuel ?? -1,
      maxMemoryBytes ?? -1,
      timeoutMs ?? -1,
      interruptible === true,
      wasi === undefined ? "" : wasi.config,
      wasi === undefined ? nothing : wasi.stdin,
    );
    this.implicit = implicit;
    this.hasWasi = wasi !== undefined;
    forgottenStores.register(this, this.id);
  }

  /** The store as apps see it. */
  get handle(): WasmStore {
    return this.#handle ??= construct(WasmStore, internal, this);
  }

  set handle(handle: WasmStore) {
    this.#handle = handle;
  }

  /** Detaches the buffers of memories that have grown. To be called whenever one may have. */
  checkViews(): void {
    if (this.#viewed) op_wasm_detach_grown(this.id);
  }

  /** A buffer that shows a memory's bytes, the same until they are more. */
  view(memory: number): ArrayBuffer | SharedArrayBuffer {
    this.#viewed = true;
    return op_wasm_memory_view(this.id, memory);
  }

  /** Keeps a value for guests and returns its number. */
  hold(value: unknown): number {
    op_wasm_check_store(this.id);
    if (this.#free.length === 0 && this.held.length >= this.#collectAt) this.#collect();
    const last = this.#free.length - 1;
    let number = this.held.length;
    if (last >= 0) {
      number = this.#free[last];
      this.#free.length = last;
    }
    this.held[number] = value;
    this.#ages[number] = this.#age++;
    return number;
  }

  /**
   * Lets go of the values that no guest holds. The latest may be in the call frame, on their way to a guest,
   * which holds a thousand values.
   */
  #collect(): void {
    const bytes = op_wasm_collect(this.id, this.held.length);
    const unheld = new Uint32Array(TypedArrayPrototypeGetBuffer(bytes));
    const length = TypedArrayPrototypeGetLength(unheld);
    for (let i = 0; i < length; i++) {
      const number = unheld[i];
      const isLate = this.#ages[number] >= this.#age - LATE_VALUES;
      if (this.held[number] !== FREE && !isLate) this.release(number);
    }
    this.#collectAt = 2 * (this.held.length - this.#free.length);
    if (this.#collectAt < FEW_VALUES) this.#collectAt = FEW_VALUES;
  }

  /** Lets go of a value that no guest holds. */
  release(number: number): void {
    this.held[number] = FREE;
    this.throwers[number] = undefined;
    append(this.#free, number);
  }

  /** Forgets the imports from this number on: of an instance that did not come to be. */
  forgetImports(from: number): void {
    this.imports.length = from;
    this.hostImports.length = from;
  }

  /** Ends the running guest with an error that it cannot catch. */
  abort(error: WasmError): number {
    // Nor can any other guest that it passes on its way.
    stops.set(error, this);
    this.#aborted = error;
    return ABORTED;
  }

  /** The error for a run that did not return. */
  thrown(ended: number): WasmError {
    if (ended === ABORTED) {
      const error = this.#aborted;
      this.#aborted = undefined;
      return error ?? new WasmError("the call was aborted", RuntimeError);
    }
    const number = frameU32[0];
    const value = readRef(this, 0);
    if (ended === THREW) return importThrew(nameOf(this.throwers[number]), value);
    const error = new WasmError("uncaught WebAssembly exception", RuntimeError, { cause: value });
    exceptions.set(error, value as WasmReference);
    return error;
  }

  /** The function of this number: the same JavaScript function each time. */
  func(handle: number, name?: string): WasmFunction {
    let func = this.#funcs[handle];
    if (func === undefined) {
      const signature = this.signature(handle);
      const number = op_wasm_func_number(this.id, handle);
      func = functionOf({ store: this, number, signature, name });
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

  /** The type of the function of this number. */
  signature(handle: number): Signature {
    return this.#signatures[handle] ??= signatureOf(JSONParse(op_wasm_func_type(this.id, handle)));
  }

  /** The live object of this kind and number: the same each time. */
  live(kind: ExportKind, handle: number, name?: string): ImportValue {
    if (kind === "function") return this.func(handle, name);
    const objects = this.#objects[kind] ??= list();
    return objects[handle] ??= construct(liveClass(kind), internal, this, handle);
  }

  /** Enters an object that an app made. */
  adopt(kind: Exclude<ExportKind, "function">, handle: number, object: ImportValue): void {
    const objects = this.#objects[kind] ??= list();
    objects[handle] = object;
  }

  /** Has the event loop wait for the end of the guest, which was just told to end. */
  awaitEnd(): void {
    if (this.end !== undefined) refOpPromise(this.end);
  }

  drop(): void {
    if (this.dropped) return;
    this.dropped = true;
    // What refers to itself is garbage that an engine has to look for.
    if (op_wasm_drop_store(this.id)) this.imports[0] = undefined;
    this.awaitEnd();
  }
}
