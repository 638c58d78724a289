// Requests of HTTP that components handle.

import { isArrayBuffer, toBytes } from "../bytes.ts";
import { runCall } from "../call_async.ts";
import { copyOf, isObject, option, own } from "../check.ts";
import {
  ArrayBufferIsView,
  ArrayIsArray,
  encode,
  JSONParse,
  ObjectDefineProperty,
  ObjectGetPrototypeOf,
  ObjectKeys,
  ReflectApply,
  SymbolAsyncIterator,
  TypedArrayPrototypeGetByteLength,
  Uint8Array,
} from "../core.ts";
import type { Promise } from "../core.ts";
import { describe } from "../describe.ts";
import { RuntimeError, TypeMismatch, WasmError } from "../errors.ts";
import { toJson } from "../json.ts";
import { append, list, toArray } from "../list.ts";
import {
  op_wasm_end_exchange,
  op_wasm_end_request,
  op_wasm_handle_request,
  op_wasm_response_head,
  op_wasm_response_part,
  op_wasm_start_concurrent_request,
  op_wasm_write_request,
} from "../ops.ts";
import type { CallOptions } from "../options.ts";
import type { StoreState } from "../store_state.ts";
import { listOf } from "../webassembly/iterables.ts";
import type { AsyncCalls } from "./async_calls.ts";

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

/** The requests of an instance: those before the last have ended. */
export interface Exchanges {
  last: number;
}

/** The end of a call: the error that ended it, if one did. */
interface End {
  error: unknown;
  failed: boolean;
}

/** A request as the op takes it. */
interface CheckedRequest {
  /** The method, the URL and the headers: a list, as JSON. */
  head: string;
  bytes: Uint8Array;
  /** The function that makes the iterator of the body, and the object that it is of. */
  parts: { make: unknown; of: object } | undefined;
}

/**
 * Has a component handle a request. Resolves when the head of its response is there. `calls` are those of an asynchronous
 * component.
 */
export async function handleRequest(
  store: StoreState,
  exchanges: Exchanges,
  request: unknown,
  calls: AsyncCalls | undefined,
  options: CallOptions,
): Promise<HttpResponse> {
  const { head, bytes, parts } = checkRequest(request);
  let number = 0;
  const startCall = calls === undefined ? op_wasm_handle_request : op_wasm_start_concurrent_request;
  const start = (timeoutMs: number, isAbortable: boolean): number => {
    try {
      return startCall(
        store.id,
        head,
        bytes,
        parts !== undefined,
        timeoutMs,
        isAbortable,
      );
    } catch (error) {
      throw store.stopped(error);
    }
  };
  const started = () => {
    number = ++exchanges.last;
  };
  const isCurrent = () => number !== 0 && number === exchanges.last;
  const finish = () => undefined;
  const call = calls === undefined
    ? runCall(store, start, finish, options, started)
    : calls.run(start, finish, options, undefined, started);
  const ended = endOf(store, call, isCurrent);
  if (number === 0) throw (await ended).error;
  const broken = parts === undefined ? undefined : sendParts(store, parts, isCurrent);
  let answer = "";
  let refusal;
  try {
    answer = await op_wasm_response_head(store.id);
  } catch (error) {
    refusal = error;
  }
  if (answer === "") {
    const { error, failed } = await ended;
    const cut = broken === undefined ? undefined : await broken;
    if (cut !== undefined && cut.failed) throw cut.error;
    if (failed) throw error;
    throw refusal ?? new WasmError("the component has returned without a response", RuntimeError);
  }
  const { 0: status, 1: pairs } = JSONParse(answer);
  const headers = list<[string, string]>();
  for (let i = 0; i < pairs.length; i++) {
    append(headers, toArray(list<string>(pairs[i][0], pairs[i][1])) as [string, string]);
  }
  return { status, headers: toArray(headers), body: responseBody(store, ended, isCurrent) };
}

/** Waits for the end of a call. */
async function endOf(
  store: StoreState,
  call: Promise<unknown>,
  isCurrent: () => boolean,
): Promise<End> {
  try {
    await call;
    return { __proto__: null, error: undefined, failed: false };
  } catch (error) {
    return { __proto__: null, error, failed: true };
  } finally {
    if (isCurrent()) op_wasm_end_exchange(store.id, false);
  }
}

/** Gives the component the body of its request, part by part. */
async function sendParts(
  store: StoreState,
  { make, of }: { make: unknown; of: object },
  isCurrent: () => boolean,
): Promise<End> {
  let isWhole = false;
  try {
    const iterator = ReflectApply(make, of, list());
    const next = iterator.next;
    while (true) {
      const step = await ReflectApply(next, iterator, list());
      if (step.done) break;
      const part = partBytes(step.value);
      if (part === undefined) {
        throw new WasmError(
          `a part of the body must be a string or a buffer source, got ${describe(step.value)}`,
          TypeMismatch,
        );
      }
      const goesOn = isCurrent() && await op_wasm_write_request(store.id, part);
      if (!goesOn) {
        const leave = iterator.return;
        if (typeof leave === "function") await ReflectApply(leave, iterator, list());
        break;
      }
    }
    isWhole = true;
    return { __proto__: null, error: undefined, failed: false };
  } catch (error) {
    return { __proto__: null, error, failed: true };
  } finally {
    if (isCurrent()) op_wasm_end_request(store.id, isWhole);
  }
}

function responseBody(
  store: StoreState,
  ended: Promise<End>,
  isCurrent: () => boolean,
): AsyncIterable<Uint8Array> {
  let isDone = false;
  const done = () => ({ value: undefined, done: true });
  const next = async () => {
    if (isDone) return done();
    if (!isCurrent()) {
      throw new WasmError("the response has ended: the instance handles a later request", RuntimeError);
    }
    const part = await op_wasm_response_part(store.id);
    if (TypedArrayPrototypeGetByteLength(part) !== 0) return { value: part, done: false };
    isDone = true;
    const { error, failed } = await ended;
    if (failed) throw error;
    return done();
  };
  const leave = async () => {
    isDone = true;
    if (isCurrent()) op_wasm_end_exchange(store.id, true);
    return done();
  };
  const iterator = { next, return: leave };
  const make = () => iterator;
  // An iterator is an iterable itself, as that of a generator.
  ObjectDefineProperty(iterator, SymbolAsyncIterator, { __proto__: null, value: make });
  return iterator as unknown as AsyncIterable<Uint8Array>;
}

function checkRequest(request: unknown): CheckedRequest {
  if (!isObject(request)) throw badRequest(`it must be an object, got ${describe(request)}`);
  const isOfWeb = isWebRequest(request);
  const get = (name: string): unknown =>
    isOfWeb ? request[name] : option(request, name, TypeMismatch);
  const method = requestText(get("method") ?? "GET", "method");
  const url = requestText(get("url"), "url");
  const headers = checkHeaders(get("headers"), isOfWeb);
  const body = get("body") ?? undefined;
  const bytes = body === undefined ? new Uint8Array(0) : partBytes(body);
  let parts;
  if (bytes === undefined) {
    const make = isObject(body) ? body[SymbolAsyncIterator] : undefined;
    if (typeof make !== "function") {
      throw badRequest(
        `body must be a string, a buffer source or an asynchronous iterable, got ${describe(body)}`,
      );
    }
    parts = { make, of: body as object };
  }
  return {
    head: toJson(list<unknown>(method, url, headers)),
    bytes: bytes ?? new Uint8Array(0),
    parts,
  };
}

/** Whether a value is a `Request` of the web, if the host has those. Its properties are those of its class. */
function isWebRequest(value: object): boolean {
  const constructor = own(globalThis, "Request");
  if (typeof constructor !== "function") return false;
  const wanted = own(constructor, "prototype");
  let prototype = ObjectGetPrototypeOf(value);
  while (prototype !== null && prototype !== wanted) prototype = ObjectGetPrototypeOf(prototype);
  return prototype !== null;
}

function checkHeaders(headers: unknown, isOfWeb: boolean): unknown[] {
  const checked = list<unknown>();
  if (headers === undefined) return checked;
  if (!isObject(headers)) throw badRequest(`headers must be an object, got ${describe(headers)}`);
  const isArray = ArrayIsArray(headers);
  if (isArray || isOfWeb) {
    const pairs = isArray ? copyOf(headers, headers.length) : listOf(headers, MAX_HEADERS);
    for (let i = 0; i < pairs.length; i++) {
      const pair = pairs[i];
      if (!ArrayIsArray(pair) || pair.length !== 2) throw badRequest(`header ${i} must be a pair`);
      const { 0: name, 1: value } = copyOf(pair, 2);
      append(checked, list(requestText(name, `the name of header ${i}`), requestText(value, `header ${i}`)));
    }
    return checked;
  }
  const names = ObjectKeys(headers);
  for (let i = 0; i < names.length; i++) {
    append(checked, list(names[i], requestText(own(headers, names[i]), `header ${names[i]}`)));
  }
  return checked;
}

/** More headers than the host takes of a request. */
const MAX_HEADERS = 10_000;

/** The bytes of a string or a buffer source; `undefined` for any other value. */
function partBytes(value: unknown): Uint8Array | undefined {
  if (typeof value === "string") return encode(value);
  if (ArrayBufferIsView(value) || isArrayBuffer(value)) return toBytes(value, TypeMismatch);
  return undefined;
}

function requestText(value: unknown, what: string): string {
  if (typeof value === "string") return value;
  throw badRequest(`${what} must be a string, got ${describe(value)}`);
}

function badRequest(why: string): WasmError {
  return new WasmError(`the request is unusable: ${why}`, TypeMismatch);
}
