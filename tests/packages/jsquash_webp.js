// An image codec of Emscripten's (embind), as ES modules.

import { createWebAssembly } from "host:wasm";
import encode, { init as initEncoder } from "@jsquash/webp/encode.js";
import decode, { init as initDecoder } from "@jsquash/webp/decode.js";

globalThis.WebAssembly = createWebAssembly({ maxMemoryBytes: 256 << 20, timeoutMs: 60_000 });
const moduleOf = (path) => WebAssembly.compile(readFile(packageFile(path)));
await initEncoder(await moduleOf("@jsquash/webp/codec/enc/webp_enc_simd.wasm"));
await initDecoder(await moduleOf("@jsquash/webp/codec/dec/webp_dec.wasm"));

const width = 256;
const height = 128;
const pixels = new Uint8ClampedArray(4 * width * height);
for (let y = 0; y < height; y++) {
  for (let x = 0; x < width; x++) pixels.set([x, 2 * y, x ^ y, 255], 4 * (y * width + x));
}
const image = new ImageData(pixels, width, height);
const lossless = await encode(image, { lossless: 1 });
const lossy = await encode(image, { quality: 50 });
const back = await decode(lossless);
const header = String.fromCharCode(...new Uint8Array(lossless, 0, 4), ...new Uint8Array(lossless, 8, 4));

export default {
  header,
  sizes: [lossless.byteLength, lossy.byteLength],
  back: [back.width, back.height, back.data.every((value, at) => value === pixels[at])],
  lossy: (await decode(lossy)).width,
};
