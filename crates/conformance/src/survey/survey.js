// Runs the module that `op_survey_source` returns, with stand-ins for its imports, as `stand_ins.rs` does.
import { compile, instantiate, WasmGlobal, WasmMemory, WasmStore, WasmTable, WasmTag } from "host:wasm";

const { op_survey_source, op_survey_request, op_survey_answer } = Deno.core.ops;
const { fuel, timeoutMs, wasi, call } = JSON.parse(op_survey_request());

const ZEROS = { i32: 0, i64: 0n, f32: 0, f64: 0, v128: new Uint8Array(16) };
const zero = (type) => type in ZEROS ? ZEROS[type] : null;

function standIn(store, type) {
  switch (type.kind) {
    case "function": {
      const results = type.results.map(zero);
      const result = results.length > 1 ? results : results[0];
      return () => result;
    }
    case "memory":
      return new WasmMemory(store, type);
    case "global":
      return new WasmGlobal(store, type, zero(type.value));
    case "table":
      return new WasmTable(store, type, null);
    default:
      return new WasmTag(store, type);
  }
}

/** How guest code ended: `null` if it returned. */
async function ended(run) {
  try {
    await run();
    return null;
  } catch (error) {
    const { code, trap, exitCode } = error;
    return { code: code ?? 0, trap, exitCode, message: String(error.message ?? error) };
  }
}

const module = await compile(op_survey_source());
let instance;
const instantiation = await ended(async () => {
  const store = new WasmStore({ fuel, timeoutMs, wasi: {} });
  const imports = Object.create(null);
  for (const [index, { module: from, name, ...type }] of module.imports.entries()) {
    if (wasi.includes(index)) continue;
    imports[from] ??= Object.create(null);
    imports[from][name] = standIn(store, type);
  }
  instance = await instantiate(module, imports, { store });
});
const called = instance !== undefined && call !== null ? [await ended(() => instance.call(call))] : [];
op_survey_answer(JSON.stringify({ instantiation, called }));
