// The bytes of a module that arrive over time: of a response, or of an iterable of chunks.

import { toBytes } from "../bytes.ts";
import {
  ReflectApply,
  StringPrototypeToLowerCase,
  StringPrototypeTrim,
  SymbolAsyncIterator,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeSet,
  TypeError,
  Uint8Array,
} from "../core.ts";
import { describe, quote } from "../describe.ts";
import { CompileError, TypeMismatch, WasmError } from "../errors.ts";
import { append, list } from "../list.ts";
import { op_wasm_max_binary_bytes } from "../ops.ts";
import { bytesOf } from "./compilation.ts";
import { convertError } from "./error_classes.ts";
import type { NamespaceState } from "./namespace_state.ts";
import { isObjectLike } from "./web_idl.ts";

/** The parts of a `Response` that are used. */
interface ResponseLike {
  ok?: boolean;
  status?: number;
  headers?: { get(name: string): unknown };
  arrayBuffer(): Promise<unknown>;
}

/**
 * The bytes of a `Response`, of an object that has its method `arrayBuffer`, or of an iterable of buffer sources.
 *
 * @throws {TypeError} If it is none, or the response is no success or has another type than `application/wasm`.
 */
export async function bytesOfStream(namespace: NamespaceState, source: unknown): Promise<Uint8Array> {
  const response = await source;
  if (!isObjectLike(response)) {
    throw new TypeError(`expected a Response, got ${describe(response)}`);
  }
  if (typeof response[SymbolAsyncIterator] === "function") {
    return await collectChunks(namespace, response as AsyncIterable<unknown>);
  }
  const { arrayBuffer } = response as ResponseLike;
  if (typeof arrayBuffer !== "function") {
    throw new TypeError("expected a Response or an async iterable of chunks");
  }
  checkResponse(response as ResponseLike);
  return bytesOf(await ReflectApply(arrayBuffer, response, list()));
}

/** Checks that a response is a success and says that it is WebAssembly, as far as it says anything. */
function checkResponse(response: ResponseLike): void {
  if (response.ok === false) throw new TypeError(`the response has the status ${response.status}`);
  const { headers } = response;
  if (!isObjectLike(headers)) return;
  const type = headers.get("Content-Type");
  // Parameters of the type are not allowed.
  if (StringPrototypeToLowerCase(StringPrototypeTrim(`${type}`)) !== "application/wasm") {
    throw new TypeError(`the response has the type ${quote(type)}, not "application/wasm"`);
  }
}

/** The chunks of an iterable in one piece. Stops where they exceed the cap on the size of a module. */
async function collectChunks(
  namespace: NamespaceState,
  chunks: AsyncIterable<unknown>,
): Promise<Uint8Array> {
  const most = op_wasm_max_binary_bytes();
  const kept = list<Uint8Array>();
  let length = 0;
  for await (const chunk of chunks) {
    let bytes;
    try {
      bytes = toBytes(chunk, TypeMismatch);
    } catch (error) {
      throw convertError(namespace.errors, error);
    }
    length += TypedArrayPrototypeGetByteLength(bytes);
    if (length > most) {
      const message = `the module has more bytes than the cap of ${most} (max_binary_bytes)`;
      throw convertError(namespace.errors, new WasmError(message, CompileError));
    }
    const copy = new Uint8Array(TypedArrayPrototypeGetByteLength(bytes));
    TypedArrayPrototypeSet(copy, bytes);
    append(kept, copy);
  }
  const joined = new Uint8Array(length);
  let at = 0;
  for (let i = 0; i < kept.length; i++) {
    TypedArrayPrototypeSet(joined, kept[i], at);
    at += TypedArrayPrototypeGetByteLength(kept[i]);
  }
  return joined;
}
