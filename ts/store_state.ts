import { isDetached } from "./bytes.ts";
import { readRef, signatureOf } from "./codec.ts";
import type { Signature } from "./codec.ts";
import { construct, internal } from "./construct.ts";
import {
  ArrayBufferPrototypeGetByteLength,
  ArrayPrototypePop,
  ArrayPrototypePush,
  core,
  ObjectDefineProperty,
  op_wasm_collect,
  op_wasm_drop_store,
  op_wasm_forget_store,
  op_wasm_func_number,
  op_wasm_func_type,
  op_wasm_memory_length,
  op_wasm_memory_view,
  op_wasm_new_store,
  op_wasm_refuse_busy,
  SafeFinalizationRegistry,
  TypedArrayPrototypeGetByteLength,
  Uint8Array,
} from "./core.ts";
import { RuntimeError, WasmError } from "./errors.ts";
import { frameU32 } from "./frame.ts";
import { functionOf } from "./func.ts";
import { nameOf } from "./host_import.ts";
import type { HostImport, PendingImport } from "./host_import.ts";
import { liveClass, places } from "./live.ts";
import { checkOptions } from "./options.ts";
import type { StoreOptions } from "./options.ts";
import { ABORTED, exceptions, importThrew, stops, THREW } from "./outcome.ts";
import type { WasmReference } from "./reference.ts";
import { WasmStore } from "./store.ts";
import type { ExportKind, ImportValue, WasmFunction } from "./types.ts";
import { detach, owners } from "./view.ts";
import type { View } from "./view.ts";

const forgottenStores: FinalizationRegistry<number> = new SafeFinalizationRegistry(
  (id: number) => op_wasm_forget_store(id),
);

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
  readonly imports: [StoreState | undefined, ...WasmFunction[]] = [this];
  /** What is known of these, in the same places. */
  readonly hostImports: (HostImport | undefined)[] = [undefined];
  /** The values that guests hold as `externref`, by number. */
  readonly held: unknown[] = [];
  /** Which import threw a held value, by its number. */
  readonly throwers: (HostImport | undefined)[] = [];
  readonly #free: number[] = [];
  #collectAt: number = 1024;
  readonly #funcs: WasmFunction[] = [];
  readonly #signatures: Signature[] = [];
  readonly #objects: Partial<Record<Exclude<ExportKind, "function">, ImportValue[]>> = {
    __proto__: null,
  };
  /** By the memory's number. */
  readonly #views: (View | undefined)[] = [];
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
      wasi,
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

  /** Detaches the views of memories that grew. To be called whenever one may have. */
  checkViews(): void {
    if (this.dropped) return;
    for (let memory = 0; memory < this.#views.length; memory++) {
      const view = this.#views[memory];
      if (view === undefined || view.length === op_wasm_memory_length(this.id, memory)) continue;
      detach(view);
      this.#views[memory] = undefined;
    }
  }

  /** Detaches all views: the memories are going to be in use elsewhere. */
  detachViews(): void {
    for (let memory = 0; memory < this.#views.length; memory++) {
      const view = this.#views[memory];
      if (view === undefined || view.shared) continue;
      detach(view);
      this.#views[memory] = undefined;
    }
  }

  /** A view of a memory's bytes, the same until they are more. */
  view(memory: number): View {
    let view = this.#views[memory];
    if (view === undefined || !this.#isCurrent(view, memory)) {
      const buffer = op_wasm_memory_view(this.id, memory);
      const length = TypedArrayPrototypeGetByteLength(new Uint8Array(buffer));
      const shared = core.isSharedArrayBuffer(buffer);
      // Nobody tells when a shared memory grows, nor when the app detaches what has no bytes.
      view = { buffer, length, shared, current: !shared && length !== 0 };
      owners.set(buffer, this);
      while (this.#views.length < memory) ArrayPrototypePush(this.#views, undefined);
      this.#views[memory] = view;
    }
    return view;
  }

  /** Whether a view still shows all of its memory: the app may have detached it. */
  #isCurrent(view: View, memory: number): boolean {
    if (view.shared) return view.length === op_wasm_memory_length(this.id, memory);
    const buffer = view.buffer as ArrayBuffer;
    return ArrayBufferPrototypeGetByteLength(buffer) === view.length &&
      (view.length !== 0 || !isDetached(buffer));
  }

  /** Keeps a value for guests and returns its number. */
  hold(value: unknown): number {
    // A store that is busy takes no value, and would never say that it has let go of one.
    op_wasm_refuse_busy(this.id);
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
    this.throwers[number] = undefined;
    ArrayPrototypePush(this.#free, number);
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
    return this.#signatures[handle] ??= signatureOf(op_wasm_func_type(this.id, handle));
  }

  /** The live object of this kind and number: the same each time. */
  live(kind: ExportKind, handle: number, name?: string): ImportValue {
    if (kind === "function") return this.func(handle, name);
    const objects = this.#objects[kind] ??= [];
    return objects[handle] ??= construct(liveClass(kind), internal, this, handle);
  }

  /** Enters an object that an app made. */
  adopt(kind: Exclude<ExportKind, "function">, handle: number, object: ImportValue): void {
    const objects = this.#objects[kind] ??= [];
    objects[handle] = object;
  }

  /** Has the event loop wait for the end of the guest, which was just told to end. */
  awaitEnd(): void {
    if (this.end !== undefined) core.refOpPromise(this.end);
  }

  drop(): void {
    if (this.dropped) return;
    this.dropped = true;
    this.detachViews();
    // What refers to itself is garbage that an engine has to look for.
    if (op_wasm_drop_store(this.id)) this.imports[0] = undefined;
    this.awaitEnd();
  }
}
