// Streams and futures between components and apps.

import { isObject, own } from "../check.ts";
import {
  ArrayIsArray,
  isPromise,
  Promise,
  ReflectApply,
  SafeFinalizationRegistry,
  SafeMap,
  SymbolAsyncIterator,
  TypedArrayPrototypeGetSymbolToStringTag,
  Uint8Array,
} from "../core.ts";
import { ignoreFailure, settled } from "../dispatch.ts";
import { RuntimeError, WasmError } from "../errors.ts";
import { append, list, toArray } from "../list.ts";
import { op_wasm_cancel_sink, op_wasm_close_source, op_wasm_put_elements, op_wasm_want_elements } from "../ops.ts";
import { disposeSymbol, HandleMisfit, Lifting, Lowering } from "./resources.ts";
import type { InstanceResources, InstanceStreams } from "./resources.ts";
import { typedListOf } from "./typed_lists.ts";
import { readWitValues } from "./value_reader.ts";
import { writeWitValues } from "./value_writer.ts";
import { WIT_FUTURE, WIT_LIST, WIT_STREAM } from "./wit_types.ts";
import type { WitType } from "./wit_types.ts";

/** An async iterable, array or promise of the app, which a component reads. */
interface StreamSource {
  type: WitType;
  promise: Promise<unknown> | undefined;
  /** Of an async iterable. */
  iterator: object | undefined;
  /** An array, and the place of its next element. */
  elements: unknown[];
  next: number;
}

/** An element that waits, or an iteration that waits for one. */
interface Waiting {
  resolve(result: IteratorResult<unknown>): void;
  reject(error: unknown): void;
}

/** A stream of a component, which the app reads. */
class StreamSink {
  readonly streams: Streams;
  readonly number: number;
  readonly type: WitType;
  /** The elements that were not read yet. */
  elements: unknown[] = list();
  /** The place of the next of them. */
  next: number = 0;
  readonly waiting: Waiting[] = list();
  hasEnded: boolean = false;
  error: unknown;

  constructor(streams: Streams, type: WitType, number: number) {
    this.streams = streams;
    this.type = type;
    this.number = number;
  }

  /** Whether an element is there. */
  get isFull(): boolean {
    return this.next < this.elements.length;
  }

  take(): IteratorResult<unknown> {
    const value = this.elements[this.next];
    this.elements[this.next++] = undefined;
    return { value, done: false };
  }

  read(): Promise<IteratorResult<unknown>> {
    return new Promise((resolve, reject) => {
      append(this.waiting, { resolve, reject });
      this.settle();
    });
  }

  /** Gives elements to the iterations that wait, and asks for more. */
  settle(): void {
    const { waiting } = this;
    let first = 0;
    while (first < waiting.length && (this.isFull || this.hasEnded)) {
      const { resolve, reject } = waiting[first++];
      if (this.isFull) resolve(this.take());
      else if (this.error !== undefined) reject(this.error);
      else resolve({ value: undefined, done: true });
    }
    for (let i = first; i < waiting.length; i++) waiting[i - first] = waiting[i];
    waiting.length -= first;
    if (waiting.length > 0) this.streams.want(this.number);
  }

  end(error: unknown): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.error = error;
    this.settle();
  }

  cancel(): void {
    if (this.hasEnded) return;
    this.elements = list();
    this.next = 0;
    this.streams.cancel(this.number);
    this.end(undefined);
  }
}

const collectedStreams: FinalizationRegistry<StreamSink> = new SafeFinalizationRegistry(
  (sink: StreamSink) => sink.cancel(),
);

/** The object for a stream of a component. */
class ComponentStream {
  readonly #sink: StreamSink;

  constructor(sink: StreamSink) {
    this.#sink = sink;
    collectedStreams.register(this, sink);
  }

  /** The next element, or the next numbers as a typed array. */
  next(): Promise<IteratorResult<unknown>> {
    return this.#sink.read();
  }

  /** Takes no more elements: the component finds that the stream was dropped. */
  async return(value?: unknown): Promise<IteratorResult<unknown>> {
    this.#sink.cancel();
    return { value: await value, done: true };
  }

  [SymbolAsyncIterator](): this {
    return this;
  }

  /** As {@linkcode ComponentStream.return}. */
  [disposeSymbol](): void {
    this.#sink.cancel();
  }
}

/** A future of a component, which the app waits for. */
interface FutureSink {
  type: WitType;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** The streams and futures of one instance. */
export class Streams implements InstanceStreams {
  readonly #resources: InstanceResources;
  /** Ends the instance with an error. */
  readonly #fail: (error: object) => void;
  /** Has the events of the component be awaited. */
  readonly #goOn: () => void;
  readonly #sources: Map<number, StreamSource> = new SafeMap();
  readonly #streams: Map<number, StreamSink> = new SafeMap();
  readonly #futures: Map<number, FutureSink> = new SafeMap();
  /** The list types for the elements of stream types. */
  readonly #lists: Map<WitType, WitType> = new SafeMap();
  #nextSource = 0;

  constructor(resources: InstanceResources, fail: (error: object) => void, goOn: () => void) {
    this.#resources = resources;
    this.#fail = fail;
    this.#goOn = goOn;
  }

  lower(type: WitType, value: unknown): number {
    const source: StreamSource = {
      type,
      promise: undefined,
      iterator: undefined,
      elements: list(),
      next: 0,
    };
    if (type.kind === WIT_FUTURE) {
      if (!isPromise(value)) throw new HandleMisfit("an object that is no promise");
      source.promise = settled(value);
      // Nothing may ever wait for it.
      ignoreFailure(source.promise);
    } else if (ArrayIsArray(value)) {
      source.elements = value;
    } else if (TypedArrayPrototypeGetSymbolToStringTag(value) !== undefined) {
      source.elements = list(value);
    } else {
      source.iterator = asyncIteratorOf(value);
    }
    const number = this.#nextSource++;
    this.#sources.set(number, source);
    return number;
  }

  forget(number: number): void {
    this.#sources.delete(number);
  }

  lift(type: WitType, number: number): object {
    if (type.kind === WIT_FUTURE) {
      const promise = new Promise((resolve, reject) => {
        this.#futures.set(number, { type, resolve, reject });
      });
      // It fails when the instance ends, and the app may not wait for it any more.
      ignoreFailure(promise);
      return promise;
    }
    const sink = new StreamSink(this, type, number);
    this.#streams.set(number, sink);
    return new ComponentStream(sink);
  }

  /** The component wants elements of a stream of the app, or the value of a promise. */
  async wanted(number: number): Promise<void> {
    const source = this.#sources.get(number);
    if (source === undefined) return;
    const { store } = this.#resources;
    try {
      if (source.promise !== undefined) {
        const value = await source.promise;
        this.#put(number, source, value);
        return;
      }
      while (true) {
        const { done, value } = await nextOf(source);
        // The component may have dropped the stream, or the instance has ended.
        if (this.#sources.get(number) !== source || store.dropped) return;
        if (done) {
          this.#sources.delete(number);
          op_wasm_close_source(store.id, number);
          this.#goOn();
          return;
        }
        if (this.#put(number, source, value)) return;
      }
    } catch (error) {
      if (this.#sources.get(number) !== source || store.dropped) return;
      this.#sources.delete(number);
      const what = source.promise === undefined ? "a stream" : "a promise";
      const message = `${what} that the component reads has failed`;
      this.#fail(new WasmError(message, RuntimeError, { cause: error }));
    }
  }

  /** Gives the component elements, or the value of a promise. Returns whether there was any. */
  #put(number: number, source: StreamSource, value: unknown): boolean {
    const { type } = source;
    const { store } = this.#resources;
    const handles = new Lowering(this.#resources);
    const bytes = this.#bytes(type, value, handles);
    if (bytes === undefined) return false;
    if (store.dropped || this.#sources.get(number) !== source) return true;
    if (type.kind === WIT_FUTURE) this.#sources.delete(number);
    try {
      op_wasm_put_elements(store.id, number, bytes);
    } catch (error) {
      handles.rollBack();
      throw error;
    }
    handles.commit();
    this.#goOn();
    return true;
  }

  /** The elements as bytes; `undefined` if there are none. */
  #bytes(type: WitType, value: unknown, handles: Lowering): Uint8Array | undefined {
    const { element } = type;
    if (element === undefined) {
      const bytes = new Uint8Array(4);
      bytes[0] = 1;
      return bytes;
    }
    const isChunk = type.kind === WIT_STREAM && typedListOf(element.kind) !== undefined &&
      typeof value !== "number" && typeof value !== "bigint";
    const elements = isChunk ? value : toArray(list(value));
    const what = () => `an element of a ${type.text}`;
    const bytes = writeWitValues(list(this.#listOf(type)), list(elements), handles, what);
    // The number of elements comes first.
    const isEmpty = (bytes[0] | bytes[1] | bytes[2] | bytes[3]) === 0;
    return isEmpty ? undefined : bytes;
  }

  /** The type of a list of the elements of a stream, or of the value of a future. */
  #listOf(type: WitType): WitType {
    let found = this.#lists.get(type);
    if (found === undefined) {
      found = { ...type, kind: WIT_LIST, text: `list<${type.element.text}>` };
      this.#lists.set(type, found);
    }
    return found;
  }

  /** The component has dropped a stream of the app, or no longer waits for a promise. */
  async sourceDropped(number: number): Promise<void> {
    const source = this.#sources.get(number);
    if (source === undefined) return;
    this.#sources.delete(number);
    if (source.iterator === undefined) return;
    try {
      await callIterator(source.iterator, "return");
    } catch {
      // Nothing waits for it any more.
    }
  }

  /** Asks for elements of a stream. */
  want(number: number): void {
    const { store } = this.#resources;
    if (store.dropped) return this.end(new WasmError("the component instance was dropped", RuntimeError));
    op_wasm_want_elements(store.id, number);
    this.#goOn();
  }

  /** Takes no more elements of a stream. */
  cancel(number: number): void {
    this.#streams.delete(number);
    const { store } = this.#resources;
    if (store.dropped) return;
    op_wasm_cancel_sink(store.id, number);
    this.#goOn();
  }

  /** Elements of a stream, or the value of a future, of the component. */
  chunk(number: number, bytes: Uint8Array): void {
    const future = this.#futures.get(number);
    const stream = this.#streams.get(number);
    const type = future === undefined ? stream?.type : future.type;
    if (type === undefined) return;
    const values = this.#values(type, bytes);
    if (future !== undefined) {
      this.#futures.delete(number);
      future.resolve(values[0]);
      return;
    }
    stream.elements = values;
    stream.next = 0;
    stream.settle();
  }

  /** The elements of a chunk: numbers are one typed array. */
  #values(type: WitType, bytes: Uint8Array): unknown[] {
    const { element } = type;
    if (element === undefined) {
      const count = (bytes[0] | bytes[1] << 8 | bytes[2] << 16 | bytes[3] << 24) >>> 0;
      const units = list<unknown>();
      for (let i = 0; i < count; i++) units[i] = undefined;
      return units;
    }
    const lifting = new Lifting(this.#resources);
    const all = readWitValues(list(this.#listOf(type)), bytes, lifting)[0] as unknown[];
    if (type.kind === WIT_FUTURE) return list(all[0]);
    if (typedListOf(element.kind) !== undefined) return list<unknown>(all);
    const values = list<unknown>();
    for (let i = 0; i < all.length; i++) values[i] = all[i];
    return values;
  }

  /** A stream or future of the component has ended. */
  sinkEnded(number: number): void {
    this.#futures.delete(number);
    const stream = this.#streams.get(number);
    this.#streams.delete(number);
    stream?.end(undefined);
  }

  /** The instance has ended. */
  end(error: object): void {
    const streams = list<StreamSink>();
    this.#streams.forEach((stream) => append(streams, stream));
    this.#streams.clear();
    for (let i = 0; i < streams.length; i++) streams[i].end(error);
    this.#futures.forEach(({ reject }) => reject(error));
    this.#futures.clear();
    const sources = list<number>();
    this.#sources.forEach((_, number) => append(sources, number));
    for (let i = 0; i < sources.length; i++) this.sourceDropped(sources[i]);
  }
}

/** The next element of a stream of the app. */
async function nextOf(source: StreamSource): Promise<{ done: boolean; value: unknown }> {
  const { iterator, elements } = source;
  if (iterator === undefined) {
    const done = source.next >= elements.length;
    return { __proto__: null, done, value: done ? undefined : own(elements, source.next++) };
  }
  const result = await callIterator(iterator, "next");
  if (!isObject(result)) throw new WasmError("an iterator returned no object", RuntimeError);
  const done = own(result, "done") ? true : false;
  return { __proto__: null, done, value: own(result, "value") };
}

/** The iterator of an async iterable. Throws `HandleMisfit` for other values. */
function asyncIteratorOf(value: unknown): object {
  if (!isObject(value)) throw new HandleMisfit("");
  // Async generators inherit the method from a prototype of JavaScript's own.
  const method = value[SymbolAsyncIterator];
  if (typeof method !== "function") throw new HandleMisfit("an object that is no async iterable");
  const iterator = ReflectApply(method, value, list());
  if (!isObject(iterator)) throw new HandleMisfit("an async iterable without an iterator");
  return iterator;
}

/** Calls a method of an iterator, and waits for its result. `undefined` if it has no such method. */
async function callIterator(iterator: object, name: "next" | "return"): Promise<unknown> {
  const method = iterator[name];
  if (typeof method !== "function") return undefined;
  return await ReflectApply(method, iterator, list());
}
