// Calls of asynchronous components, which run beside each other.

import {
  EVENT_AT_REST,
  EVENT_CHUNK,
  EVENT_ENDED,
  EVENT_IMPORT,
  EVENT_NONE,
  EVENT_QUIET,
  EVENT_REFUSED,
  EVENT_RETURNED,
  EVENT_SINK_ENDED,
  EVENT_SOURCE_DROPPED,
  EVENT_WANTED,
  QUIET_FOR_APP,
  QUIET_STUCK,
  RETURNED,
} from "../constants.ts";
import { isPromise, Promise, refOpPromise, SafeMap, unrefOpPromise } from "../core.ts";
import { ignoreFailure, settled } from "../dispatch.ts";
import { RuntimeError, WasmError } from "../errors.ts";
import { frameU32 } from "../frame.ts";
import { append, list } from "../list.ts";
import {
  op_wasm_abort_component,
  op_wasm_answer_component_import,
  op_wasm_component_active,
  op_wasm_component_ready,
  op_wasm_end_deadlocked,
  op_wasm_next_component_event,
  op_wasm_start_concurrent_call,
  op_wasm_yield_now,
} from "../ops.ts";
import type { CallOptions } from "../options.ts";
import { noBytes } from "../store_state.ts";
import type { ComponentDetails } from "./component.ts";
import { dropObject, ImportCall } from "./dispatch_component.ts";
import { Lowering } from "./resources.ts";
import type { InstanceResources } from "./resources.ts";
import { Streams } from "./streams.ts";
import { WIT_FUTURE, WIT_RESULT } from "./wit_types.ts";
import type { WitSignature } from "./wit_types.ts";

/** The number of words of a slot of the call frame. */
const SLOT = 4;

/** A call that has not ended. */
interface PendingCall {
  handles: Lowering;
  /** The result of a call that has returned, from its bytes. */
  finish(bytes: Uint8Array): unknown;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** The calls of one instance of an asynchronous component. */
export class AsyncCalls {
  readonly #component: ComponentDetails;
  readonly #resources: InstanceResources;
  readonly #streams: Streams;
  readonly #calls: Map<number, PendingCall> = new SafeMap();
  /** Whether the events of the component are awaited. */
  #isAwaiting = false;
  #ready: Promise<void> | undefined;
  /** Whether only the app could make anything go on: it does not keep the event loop alive then. */
  #isQuiet = false;

  constructor(component: ComponentDetails, resources: InstanceResources) {
    this.#component = component;
    this.#resources = resources;
    const fail = (error: object) => this.#fail(error);
    this.#streams = new Streams(resources, fail, () => this.goOn());
    resources.streams = this.#streams;
  }

  /**
   * Starts a call of the exported function of this number. `write` makes the bytes of its arguments, and `finish` the result
   * from bytes.
   */
  async call(
    number: number,
    write: (handles: Lowering) => Uint8Array,
    finish: (bytes: Uint8Array) => unknown,
    options: CallOptions,
  ): Promise<unknown> {
    const { store } = this.#resources;
    const handles = new Lowering(this.#resources);
    const start = (timeoutMs: number, isAbortable: boolean): number => {
      const bytes = write(handles);
      try {
        return op_wasm_start_concurrent_call(store.id, number, bytes, timeoutMs, isAbortable);
      } catch (error) {
        handles.rollBack();
        throw store.stopped(error);
      }
    };
    return await this.run(start, finish, options, handles);
  }

  /**
   * Runs a call. `start` starts it, with a timeout (−1 for none) and whether it can be aborted, and returns its number.
   * `handles` are those of its arguments. `started` is called before anything else happens.
   */
  async run(
    start: (timeoutMs: number, isAbortable: boolean) => number,
    finish: (bytes: Uint8Array) => unknown,
    { signal, timeoutMs }: CallOptions,
    handles: Lowering = new Lowering(this.#resources),
    started?: () => void,
  ): Promise<unknown> {
    if (signal?.aborted) throw componentAborted(signal);
    const call = start(timeoutMs ?? -1, signal !== undefined);
    handles.commit();
    started?.();
    const ended = new Promise((resolve, reject) => {
      this.#calls.set(call, { handles, finish, resolve, reject });
    });
    const abort = () => {
      if (this.#calls.has(call)) this.#fail(componentAborted(signal));
    };
    signal?.addEventListener("abort", abort);
    this.goOn();
    try {
      return await ended;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Handles the events of the component, as long as there may be some. */
  goOn(): void {
    this.#isQuiet = false;
    this.#refresh();
    if (!this.#isAwaiting) this.#handleAll();
  }

  async #handleAll(): Promise<void> {
    const { store } = this.#resources;
    this.#isAwaiting = true;
    try {
      // Nothing is handled before the function that has called this returns.
      while (op_wasm_component_active(store.id)) {
        this.#ready = op_wasm_component_ready(store.id);
        this.#refresh();
        await this.#ready;
        this.#ready = undefined;
        while (this.#handleNext());
      }
    } catch (error) {
      const message = "the component instance was dropped";
      this.end(store.dropped ? new WasmError(message, RuntimeError) : error);
    } finally {
      this.#ready = undefined;
      this.#isAwaiting = false;
    }
  }

  /** Handles the next event. Returns whether there was one. */
  #handleNext(): boolean {
    const { store } = this.#resources;
    frameU32[0] = EVENT_NONE;
    let bytes = noBytes;
    let failure;
    try {
      bytes = op_wasm_next_component_event(store.id);
    } catch (error) {
      // Of the event, or the store was dropped.
      if (frameU32[0] === EVENT_NONE) throw error;
      failure = error;
    }
    const kind = frameU32[0];
    const number = frameU32[SLOT];
    const second = frameU32[2 * SLOT];
    if (kind !== EVENT_QUIET) this.#isQuiet = false;
    switch (kind) {
      case EVENT_NONE:
        return false;
      case EVENT_IMPORT:
        this.#import(number, second, bytes);
        break;
      case EVENT_RETURNED:
        this.#returned(number, bytes);
        break;
      case EVENT_REFUSED: {
        const call = this.#calls.get(number);
        this.#calls.delete(number);
        call?.handles.end();
        call?.reject(failure);
        break;
      }
      case EVENT_ENDED:
        this.end(failure === undefined ? store.takeAbort() : store.stopped(failure) as object);
        break;
      case EVENT_QUIET:
        this.#isQuiet = number === QUIET_FOR_APP;
        if (number === QUIET_STUCK) this.#endDeadlocked(second);
        break;
      case EVENT_WANTED:
        this.#streams.wanted(number);
        break;
      case EVENT_SOURCE_DROPPED:
        this.#streams.sourceDropped(number);
        break;
      case EVENT_CHUNK:
        this.#streams.chunk(number, bytes);
        break;
      case EVENT_SINK_ENDED:
        this.#streams.sinkEnded(number);
        break;
      case EVENT_AT_REST:
    }
    return true;
  }

  /** Ends a component that is stuck, unless the app makes another call before the event loop has a turn. */
  async #endDeadlocked(commands: number): Promise<void> {
    const { store } = this.#resources;
    await op_wasm_yield_now();
    if (store.dropped) return;
    // With streams of the app's or the component's, the app may still go on.
    if (!op_wasm_end_deadlocked(store.id, commands)) this.#isQuiet = true;
    this.#refresh();
  }

  /** Keeps the event loop alive, unless only the app could make anything go on. */
  #refresh(): void {
    if (this.#ready === undefined) return;
    if (this.#isQuiet) unrefOpPromise(this.#ready);
    else refOpPromise(this.#ready);
  }

  #returned(number: number, bytes: Uint8Array): void {
    const call = this.#calls.get(number);
    if (call === undefined) return;
    this.#calls.delete(number);
    call.handles.end();
    try {
      call.resolve(call.finish(bytes));
    } catch (error) {
      call.reject(error);
    }
  }

  /** Calls an import, and answers when its result is there. */
  async #import(request: number, number: number, bytes: Uint8Array): Promise<void> {
    const { store } = this.#resources;
    const component = this.#component;
    const index = number + 1;
    if (index > component.importCount) {
      const status = dropObject(component, this.#resources, index, bytes);
      this.#answer(request, number, status);
      return;
    }
    const call = new ImportCall(component.imported(number), this.#resources, {
      read: () => bytes,
      write: (written) => {
        if (!store.dropped) op_wasm_answer_component_import(store.id, request, number, RETURNED, written);
      },
    });
    let status;
    try {
      let result = call.run(index);
      // A promise for a future is the future itself.
      if (isPromise(result) && !returnsFuture(component.imported(number).signature)) {
        const promise = settled(result);
        ignoreFailure(promise);
        result = await promise;
      }
      status = store.dropped ? RETURNED : call.returned(result);
    } catch (error) {
      status = store.dropped ? RETURNED : call.threw(error);
    }
    if (status === RETURNED) this.goOn();
    else this.#answer(request, number, status);
  }

  /** Answers without results. */
  #answer(request: number, number: number, status: number): void {
    const { store } = this.#resources;
    if (store.dropped) return;
    op_wasm_answer_component_import(store.id, request, number, status, noBytes);
    this.goOn();
  }

  /** Ends the instance with an error that no other guest may catch. */
  #fail(error: object): void {
    const { store } = this.#resources;
    if (store.dropped) return;
    store.abort(error);
    op_wasm_abort_component(store.id);
    this.goOn();
  }

  /** The instance has ended, or was dropped. */
  end(error: object): void {
    const calls = list<PendingCall>();
    this.#calls.forEach((call) => append(calls, call));
    this.#calls.clear();
    for (let i = 0; i < calls.length; i++) {
      calls[i].handles.end();
      calls[i].reject(error);
    }
    this.#streams.end(error);
  }
}

/** Whether a function returns a future, or one in a `result`. */
function returnsFuture({ result }: WitSignature): boolean {
  const value = result?.kind === WIT_RESULT ? result.parts[0] : result;
  return value?.kind === WIT_FUTURE;
}

/** The error of a call that was aborted. */
function componentAborted(signal: AbortSignal): WasmError {
  return new WasmError("the call was aborted", RuntimeError, { cause: signal.reason });
}
