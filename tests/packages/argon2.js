// A password hash of Emscripten's.

import { createWebAssembly } from "host:wasm";
import { require } from "./commonjs.js";

globalThis.WebAssembly = createWebAssembly({ maxMemoryBytes: 256 << 20, timeoutMs: 60_000 });
// A bundler would put the module there: see the package's README.
globalThis.self = globalThis;
globalThis.loadArgon2WasmBinary = () => Promise.resolve(readFile(packageFile("argon2-browser/dist/argon2.wasm")));
const argon2 = require("argon2-browser/lib/argon2.js");

const hash = await argon2.hash({
  pass: "password",
  salt: "somesalt",
  time: 3,
  mem: 4096,
  hashLen: 32,
  parallelism: 1,
  type: argon2.ArgonType.Argon2id,
});
const verify = (pass) =>
  argon2.verify({ pass, encoded: hash.encoded }).then(() => "accepted", (error) => error.message);

export default {
  hex: hash.hashHex,
  encoded: hash.encoded,
  right: await verify("password"),
  wrong: await verify("passwort"),
};
