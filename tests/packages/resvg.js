// A renderer of wasm-bindgen's, for the web.

import { createWebAssembly } from "host:wasm";
import { initWasm, Resvg } from "@resvg/resvg-wasm";

globalThis.WebAssembly = createWebAssembly({ maxMemoryBytes: 256 << 20, timeoutMs: 60_000 });
await initWasm(readFile(packageFile("@resvg/resvg-wasm/index_bg.wasm")));

const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40">
  <rect width="60" height="40" fill="#336699"/><circle cx="30" cy="20" r="15" fill="red"/></svg>`;
const image = new Resvg(svg, { fitTo: { mode: "width", value: 120 } }).render();
const png = image.asPng();
const { pixels } = image;
let refused;
try {
  new Resvg("no image");
} catch (error) {
  refused = String(error.message ?? error);
}

export default {
  size: [image.width, image.height],
  header: Array.from(png.slice(0, 8)),
  corner: Array.from(pixels.slice(0, 4)),
  center: Array.from(pixels.slice(4 * (40 * 120 + 60), 4 * (40 * 120 + 60) + 4)),
  refused,
};
