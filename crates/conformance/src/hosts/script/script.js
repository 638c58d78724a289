// The script lane's side in JavaScript: what the harness asks of `host:wasm`, one function each.
// They answer with text: that of an error is a JSON object, and that of values is a line for each,
// with its type, kind, and what else is to be told of it.
import * as wasm from "host:wasm";

const { op_conformance_answer, op_conformance_memory, op_conformance_source } = Deno.core.ops;
// Nobody looks at the stacks of the thousands of errors that scripts ask for, and they take long.
Error.stackTraceLimit = 0;

const view = new DataView(new ArrayBuffer(16));
const externs = new Map();
let helperModule;

// Of the script that is running.
let store, modules, instances, registered, adapters, helper;

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
function reference(type, value) {
  if (value === null) return "null\t";
  if (typeof value === "function") return "func\t";
  if (!(value instanceof wasm.WasmReference)) return `extern\t${value.n}`;
  return /ex(ter)?n/.test(type) ? "object\t" : lookInto(value);
}

/** What is behind an opaque reference in the `any` hierarchy. */
function lookInto(value) {
  const external = helper.call("externalize", [value]);
  if (!(external instanceof wasm.WasmReference)) return `host\t${external.n}`;
  return `any\t${helper.call("kind", [value])}`;
}

function tellValue(type, value) {
  const told = type in encode ? `bits\t${encode[type](value)}` : reference(type, value);
  return `${type}\t${told}\n`;
}

async function help(text) {
  helperModule ??= await wasm.compile(Deno.core.encode(text));
  helper = await wasm.instantiate(helperModule, {}, { store });
}

/** Makes a function like an exported one that takes the bits of floats, for NaNs that no number can carry. */
async function adapt(instance, name) {
  const key = `${instance} ${name}`;
  if (adapters.has(key)) return;
  const { params, results } = instances[instance].getExport(name);
  const integers = { f32: "i32", f64: "i64" };
  const outer = params.map((type) => integers[type] ?? type).join(" ");
  const gets = params.map((type, i) =>
    `local.get ${i} ${type in integers ? `${type}.reinterpret_${integers[type]}` : ""}`
  ).join("\n");
  const module = await wasm.compile(Deno.core.encode(`(module
    (import "m" "f" (func $f (param ${params.join(" ")}) (result ${results.join(" ")})))
    (func (export "f") (param ${outer}) (result ${results.join(" ")}) ${gets} call $f))`));
  const imports = { m: { f: instances[instance].func(name) } };
  adapters.set(key, (await wasm.instantiate(module, imports, { store })).func("f"));
}

function tellError(error) {
  if (!(error instanceof wasm.WasmError)) return JSON.stringify({ message: `${error}` });
  const { code, message, trap } = error;
  const exception = error.cause instanceof wasm.WasmReference;
  return JSON.stringify({ code, message, trap, exception });
}

/** What `f` returns or throws, as text. */
function attempt(f) {
  try {
    return `${f()}`;
  } catch (error) {
    return tellError(error);
  }
}

/** Answers with what a promise ends with. */
function settle(promise) {
  promise.then(String, tellError).then(op_conformance_answer);
}

globalThis.host = {
  begin: (fuel, maxMemoryBytes) =>
    attempt(() => {
      store = new wasm.WasmStore({ fuel, maxMemoryBytes });
      modules = [];
      instances = [];
      registered = { __proto__: null };
      adapters = new Map();
    }),
  end: () =>
    attempt(() => {
      store.drop();
      for (const module of modules) module.drop();
    }),
  help: (text) => settle(help(text)),
  compile: () =>
    settle(wasm.compile(op_conformance_source()).then((module) => modules.push(module) - 1)),
  instantiate: (module) =>
    settle(
      wasm.instantiate(modules[module], registered, { store })
        .then((instance) => instances.push(instance) - 1),
    ),
  register: (name, ids) =>
    attempt(() => {
      const namespaces = JSON.parse(ids).map((id) => instances[id].namespace);
      registered[name] = namespaces.length === 1
        ? namespaces[0]
        : Object.assign({ __proto__: null }, ...namespaces);
    }),
  adapt: (instance, name) => settle(adapt(instance, name)),
  invoke: (instance, name, args, adapted) =>
    attempt(() => {
      const { results } = instances[instance].getExport(name);
      const values = JSON.parse(args).map(([type, bits]) => decode[type](bits));
      const back = adapted
        ? adapters.get(`${instance} ${name}`)(...values)
        : instances[instance].call(name, values);
      if (results.length === 0) return "";
      if (results.length === 1) return tellValue(results[0], back);
      return back.map((value, i) => tellValue(results[i], value)).join("");
    }),
  get: (instance, name) =>
    attempt(() => {
      const global = instances[instance].global(name);
      return tellValue(global.type.value, global.value);
    }),
  memory: (instance, name) =>
    attempt(() => {
      const { byteLength } = instances[instance].memory(name);
      op_conformance_memory(instances[instance].readMemory(0, byteLength, name));
    }),
};
