// The script lane's side in JavaScript: what the harness asks of `host:wasm`, one method each.
// Values travel as JSON with their bits as decimal text.
import * as wasm from "host:wasm";

const { op_conformance_source } = Deno.core.ops;
const store = new wasm.WasmStore();
const modules = [];
const instances = [];
const registered = { __proto__: null };
const view = new DataView(new ArrayBuffer(16));
const externs = new Map();
const adapters = new Map();
let helper;

/** The value that stands for the script's `(ref.extern n)`: the same object each time. */
function hostValue(n) {
  let value = externs.get(n);
  if (value === undefined) externs.set(n, value = { n });
  return value;
}

const decode = {
  i32: (bits) => Number(bits),
  i64: (bits) => BigInt(bits),
  f32: (bits) => (view.setUint32(0, Number(bits)), view.getFloat32(0)),
  f64: (bits) => (view.setBigUint64(0, BigInt(bits)), view.getFloat64(0)),
  v128: (bits) => {
    view.setBigUint64(0, BigInt.asUintN(64, BigInt(bits)), true);
    view.setBigUint64(8, BigInt(bits) >> 64n, true);
    return new Uint8Array(view.buffer.slice(0));
  },
  null: () => null,
  extern: (n) => hostValue(Number(n)),
  host: (n) => helper.call("internalize", [hostValue(Number(n))]),
};

const encode = {
  i32: (value) => String(value),
  i64: (value) => String(value),
  f32: (value) => (view.setFloat32(0, value), String(view.getUint32(0))),
  f64: (value) => (view.setFloat64(0, value), String(view.getBigUint64(0))),
  v128: (value) => {
    const { buffer } = value;
    const halves = new BigUint64Array(buffer);
    return String(halves[0] | halves[1] << 64n);
  },
};

/** A reference, as the harness tells them apart. */
function reference(value) {
  if (value === null) return { kind: "null" };
  if (typeof value === "function") return { kind: "func" };
  if (value instanceof wasm.WasmReference) return { kind: "object" };
  return { kind: "extern", n: value.n };
}

/** What is behind an opaque reference in the `any` hierarchy. */
function lookInto(value) {
  const external = helper.call("externalize", [value]);
  if (!(external instanceof wasm.WasmReference)) return { kind: "host", n: external.n };
  return { kind: "any", n: helper.call("kind", [value]) };
}

function tellValue(type, value) {
  if (type in encode) return { type, bits: encode[type](value) };
  const told = reference(value);
  const opaque = told.kind === "object" && !/ex(ter)?n/.test(type);
  return { type, reference: opaque ? lookInto(value) : told };
}

/** A function like `func` that takes the bits of floats, for NaNs that no number can carry. */
async function adapt({ params, results }, func) {
  const integers = { f32: "i32", f64: "i64" };
  const outer = params.map((type) => integers[type] ?? type).join(" ");
  const gets = params.map((type, i) =>
    `local.get ${i} ${type in integers ? `${type}.reinterpret_${integers[type]}` : ""}`
  ).join("\n");
  const module = await wasm.compile(Deno.core.encode(`(module
    (import "m" "f" (func $f (param ${params.join(" ")}) (result ${results.join(" ")})))
    (func (export "f") (param ${outer}) (result ${results.join(" ")}) ${gets} call $f))`));
  return (await wasm.instantiate(module, { m: { f: func } }, { store })).func("f");
}

function tellError(error) {
  if (!(error instanceof wasm.WasmError)) return { message: `${error?.stack ?? error}` };
  const { code, message, trap } = error;
  return { code, message, trap, exception: error.cause instanceof wasm.WasmReference };
}

/** What `f` returns or throws, as JSON. */
function attempt(f) {
  try {
    return JSON.stringify({ ok: f() });
  } catch (error) {
    return JSON.stringify({ error: tellError(error) });
  }
}

async function attemptAsync(f) {
  try {
    return JSON.stringify({ ok: await f() });
  } catch (error) {
    return JSON.stringify({ error: tellError(error) });
  }
}

globalThis.host = {
  compile: () =>
    attemptAsync(async () => {
      modules.push(await wasm.compile(op_conformance_source()));
      return modules.length - 1;
    }),
  instantiate: (module) =>
    attemptAsync(async () => {
      instances.push(await wasm.instantiate(modules[module], registered, { store }));
      return instances.length - 1;
    }),
  help: (instance) =>
    attempt(() => {
      helper = instances[instance];
      return null;
    }),
  register: (name, instance) =>
    attempt(() => {
      registered[name] = instances[instance].namespace;
      return null;
    }),
  adapt: (instance, name) =>
    attemptAsync(async () => {
      const key = `${instance} ${name}`;
      if (adapters.has(key)) return null;
      const info = instances[instance].getExport(name);
      adapters.set(key, await adapt(info, instances[instance].func(name)));
      return null;
    }),
  invoke: (instance, name, args, adapted) =>
    attempt(() => {
      const { results } = instances[instance].getExport(name);
      const values = args.map(({ type, bits }) => decode[type](bits));
      const back = adapted
        ? adapters.get(`${instance} ${name}`)(...values)
        : instances[instance].call(name, values);
      if (results.length === 0) return [];
      if (results.length === 1) return [tellValue(results[0], back)];
      return back.map((value, i) => tellValue(results[i], value));
    }),
  get: (instance, name) =>
    attempt(() => {
      const global = instances[instance].global(name);
      return tellValue(global.type.value, global.value);
    }),
};
