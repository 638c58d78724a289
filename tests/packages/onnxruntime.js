// A neural network's runtime: Emscripten's build with threads, which has a shared memory, on one thread.

import { createWebAssembly } from "host:wasm";

globalThis.WebAssembly = createWebAssembly({ maxMemoryBytes: 2 ** 32 });
const ort = await import("onnxruntime-web/wasm");
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmBinary = readFile(packageFile("onnxruntime-web/dist/ort-wasm-simd-threaded.wasm"));

/** A field of a message in Protocol Buffers: a number, bytes, a text or another message. */
function field(number, value) {
  if (typeof value === "number") return [number << 3, value];
  const bytes = typeof value === "string" ? [...new TextEncoder().encode(value)] : [...value].flat();
  const { length } = bytes;
  return [(number << 3) | 2, ...(length < 128 ? [length] : [length & 127 | 128, length >> 7]), ...bytes];
}

/** A tensor of this name and shape, as an input or output. */
function tensor(name, dims) {
  const shape = dims.map((dim) => field(1, field(1, dim)));
  return [...field(1, name), ...field(2, field(1, [...field(1, 1), ...field(2, shape)]))];
}

// y = relu(x · weights)
const weights = new Float32Array([1, 0, 2, -1, 3, 1]);
const node = (type, inputs, output) => [
  ...inputs.flatMap((input) => field(1, input)),
  ...field(2, output),
  ...field(4, type),
];
const graph = [
  ...field(1, node("MatMul", ["x", "weights"], "product")),
  ...field(1, node("Relu", ["product"], "y")),
  ...field(2, "graph"),
  ...field(5, [
    ...field(1, 3),
    ...field(1, 2),
    ...field(2, 1),
    ...field(8, "weights"),
    ...field(9, new Uint8Array(weights.buffer)),
  ]),
  ...field(11, tensor("x", [2, 3])),
  ...field(12, tensor("y", [2, 2])),
];
const model = new Uint8Array([...field(1, 8), ...field(8, field(2, 13)), ...field(7, graph)]);

const session = await ort.InferenceSession.create(model);
const x = new ort.Tensor("float32", new Float32Array([1, 2, 3, -4, 5, -6]), [2, 3]);
const { y } = await session.run({ x });
const bad = await ort.InferenceSession.create(model.slice(0, 20)).then(() => "nothing", (error) => error.message);

export default {
  inputs: session.inputNames,
  y: Array.from(y.data),
  dims: y.dims,
  bad: bad.includes("protobuf"),
};
