// An image codec of wasm-bindgen's, as ES modules.

import { createWebAssembly } from "host:wasm";
import encode, { init as initEncoder } from "@jsquash/png/encode.js";
import decode, { init as initDecoder } from "@jsquash/png/decode.js";

globalThis.WebAssembly = createWebAssembly({ maxMemoryBytes: 256 << 20, timeoutMs: 60_000 });
const bytes = readFile(packageFile("@jsquash/png/codec/pkg/squoosh_png_bg.wasm"));
await initEncoder(await WebAssembly.compile(bytes));
await initDecoder(bytes);

const width = 200;
const height = 100;
const pixels = new Uint8ClampedArray(4 * width * height);
for (let at = 0; at < pixels.length; at++) pixels[at] = at % 4 === 3 ? 255 : (at * at) >> 7;
const png = await encode(new ImageData(pixels, width, height));
const back = await decode(png);
let refused;
try {
  await decode(new ArrayBuffer(10));
} catch (error) {
  refused = error.name;
}

export default {
  header: Array.from(new Uint8Array(png, 0, 8)),
  size: png.byteLength,
  back: [back.width, back.height, back.data.every((value, at) => value === pixels[at])],
  refused,
};
