// A tokenizer of wasm-bindgen's, for Node.

import { createWebAssembly } from "host:wasm";
import { require } from "./commonjs.js";

globalThis.WebAssembly = createWebAssembly({ maxMemoryBytes: 512 << 20, timeoutMs: 60_000 });
const { get_encoding, encoding_for_model, Tiktoken } = require("tiktoken");

const encoding = get_encoding("cl100k_base");
const text = "WebAssembly, fenced: naïve façade, 日本語, and 🦀. ".repeat(200);
const tokens = encoding.encode(text);
const back = new TextDecoder().decode(encoding.decode(tokens));
const special = encoding.encode("<|endoftext|>", "all");
let refused;
try {
  encoding.encode("<|endoftext|>");
} catch (error) {
  refused = String(error.message ?? error);
}
encoding.free();
const model = encoding_for_model("gpt-4o");
const own = new Tiktoken(require("tiktoken/encoders/r50k_base.json").bpe_ranks, {}, /\w+|\s+|[^\w\s]+/u.source);

export default {
  count: tokens.length,
  first: Array.from(tokens.slice(0, 12)),
  same: back === text,
  special: Array.from(special),
  refused,
  model: [model.name, Array.from(model.encode("hello world"))],
  own: Array.from(own.encode("hello world")),
};
