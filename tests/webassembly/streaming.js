// Modules whose bytes arrive over time.
const bytes = binary(`(module (func (export "f") (result i32) (i32.const 3)))`);
const response = (type = "application/wasm", ok = true) => ({
  ok,
  status: ok ? 200 : 404,
  headers: { get: (name) => name === "Content-Type" ? type : null },
  arrayBuffer: async () => bytes.slice().buffer,
});
async function* chunks() {
  for (let i = 0; i < bytes.length; i += 5) yield bytes.subarray(i, i + 5);
}
for (const source of [response(), Promise.resolve(response()), response("Application/WASM "), chunks()]) {
  const { instance, module } = await W.instantiateStreaming(source);
  same([instance.exports.f(), module instanceof W.Module], [3, true]);
}
same(new W.Instance(await W.compileStreaming(chunks())).exports.f(), 3);
const wrong = [response("text/html"), response("application/wasm; charset=utf-8"), response(null), response("application/wasm", false), undefined, {}, 5];
for (const source of wrong) await rejects(TypeError, W.compileStreaming(source), show(source));
await rejects(W.CompileError, W.compileStreaming((async function* () { yield new Uint8Array(8); })()));
await rejects(Error, W.compileStreaming(Promise.reject(new Error("mine"))));
async function* endless() {
  const chunk = new Uint8Array(1 << 20);
  for (;;) yield chunk;
}
same(/max_binary_bytes/.test((await rejects(W.CompileError, W.compileStreaming(endless()))).message), true);
