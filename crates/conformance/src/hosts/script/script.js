// The script lane's side in JavaScript: does with `host:wasm` what the harness asks. Requests and
// responses are JSON: see message.rs.
import * as wasm from "host:wasm";

const { op_conformance_respond, op_conformance_set_bytes, op_conformance_take_bytes } =
  Deno.core.ops;
// No one reads the stacks of the thousands of errors that scripts ask for, and they take long.
Error.stackTraceLimit = 0;

const view = new DataView(new ArrayBuffer(16));
const externs = new Map();
let helperModule;

// Of the script that is running.
let store, modules, instances, registered, adapters, helper, components, componentInstances;

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

// Not taken apart as `[kind, rest]`, for which an iterator would be made of each pair.
const decodePair = (pair) => decode[pair[0]](pair[1]);

const bitsOf = {
  __proto__: null,
  i32: (value) => String(value),
  i64: (value) => String(value),
  f32: (value) => (view.setFloat32(0, value), String(view.getUint32(0))),
  f64: (value) => (view.setFloat64(0, value), String(view.getBigUint64(0))),
  v128: ({ buffer }) => {
    const halves = new BigUint64Array(buffer);
    return String(halves[0] | halves[1] << 64n);
  },
};

/** A value as JSON. Written by hand, which is quicker by far than `JSON.stringify` is in QuickJS. */
function encode(type, value) {
  const bits = bitsOf[type];
  return bits === undefined ? encodeReference(type, value) : pair(type, bits(value));
}

function encodeResults(types, result) {
  if (types.length === 0) return "[]";
  if (types.length === 1) return "[" + encode(types[0], result) + "]";
  return "[" + result.map((value, i) => encode(types[i], value)) + "]";
}

function encodeReference(type, value) {
  if (value === null) return pair("null", type);
  if (typeof value === "function") return pair("func", "");
  if (!(value instanceof wasm.WasmReference)) return pair("extern", value.n);
  if (/ex(ter)?n/.test(type)) return pair("object", type);
  // The helper knows an opaque reference in the `any` hierarchy.
  const external = helper.call("externalize", [value]);
  if (!(external instanceof wasm.WasmReference)) return pair("host", external.n);
  return pair("any", helper.call("kind", [value]));
}

/** A pair of texts as JSON, in which nothing has to be escaped. */
const pair = (kind, rest) => '["' + kind + '","' + rest + '"]';

/** The errors that ended a component. */
const componentErrors = new WeakSet();

function ofComponent(error) {
  componentErrors.add(error);
  return error;
}

function encodeError(error) {
  if (!(error instanceof wasm.WasmError)) return { message: `${error}` };
  const { code, message, trap } = error;
  const exception = error.cause instanceof wasm.WasmReference;
  return { code, message, trap, exception, component: componentErrors.has(error) };
}

/** The value of a component that a tree of `component.rs` stands for. */
function fromTree({ kind, value }) {
  switch (kind) {
    case "number":
      view.setBigUint64(0, BigInt(value));
      return view.getFloat64(0);
    case "integer":
      return BigInt(value);
    case "list":
      return value.map(fromTree);
    case "object":
      return Object.fromEntries(value.map(([name, part]) => [name, fromTree(part)]));
    case "map":
      return new Map(value.map(([key, part]) => [fromTree(key), fromTree(part)]));
    default:
      return value;
  }
}

/** The tree for a value of a component. */
function toTree(value) {
  if (value === undefined) return { kind: "undefined" };
  if (typeof value === "boolean") return { kind: "bool", value };
  if (typeof value === "bigint") return { kind: "integer", value: String(value) };
  if (typeof value === "string") return { kind: "string", value };
  if (typeof value === "number") {
    view.setFloat64(0, value);
    return { kind: "number", value: String(view.getBigUint64(0)) };
  }
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    return { kind: "list", value: Array.from(value, toTree) };
  }
  if (value instanceof Map) {
    return { kind: "map", value: Array.from(value, ([key, part]) => [toTree(key), toTree(part)]) };
  }
  return { kind: "object", value: Object.entries(value).map(([name, part]) => [name, toTree(part)]) };
}

/** The function of each request. It returns the answer as JSON, or a promise of it. */
const requests = {
  begin(fence) {
    store = new wasm.WasmStore(fence ?? {});
    modules = [];
    instances = [];
    registered = { __proto__: null };
    adapters = new Map();
    components = [];
    componentInstances = [];
  },

  end() {
    store.drop();
    for (const module of modules) module.drop();
    for (const { instance } of componentInstances) instance.drop();
    for (const component of components) component.drop();
  },

  async help(text) {
    helperModule ??= await wasm.compile(Deno.core.encode(text));
    helper = await wasm.instantiate(helperModule, {}, { store });
  },

  async compile() {
    return modules.push(await wasm.compile(op_conformance_take_bytes())) - 1;
  },

  async instantiate(module) {
    return instances.push(await wasm.instantiate(modules[module], registered, { store })) - 1;
  },

  id(instance) {
    return instances[instance].id;
  },

  /** Makes an instance of a module that exports memories of another thread: the next ones of these types. */
  async share(text, types) {
    const memories = types.map((type) => new wasm.WasmMemory(store, type));
    const module = await wasm.compile(Deno.core.encode(text));
    modules.push(module);
    return instances.push(await wasm.instantiate(module, { "": memories }, { store })) - 1;
  },

  register(name, numbers) {
    const namespaces = numbers.map((number) => instances[number].namespace);
    registered[name] = namespaces.length === 1
      ? namespaces[0]
      : Object.assign({ __proto__: null }, ...namespaces);
  },

  /** Makes a function like an exported one that takes the bits of floats, for NaNs that no number can carry. */
  async adapt(instance, name) {
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
  },

  invokeAdapted(instance, name, args) {
    const { results } = instances[instance].getExport(name);
    const adapter = adapters.get(`${instance} ${name}`);
    return encodeResults(results, adapter(...args.map(decodePair)));
  },

  invoke(instance, name, args) {
    const { results } = instances[instance].getExport(name);
    return encodeResults(results, instances[instance].call(name, args.map(decodePair)));
  },

  async compileComponent() {
    return components.push(await wasm.compileComponent(op_conformance_take_bytes())) - 1;
  },

  async instantiateComponent(number) {
    const component = components[number];
    try {
      const instance = await wasm.instantiateComponent(component);
      return componentInstances.push({ component, instance }) - 1;
    } catch (error) {
      throw ofComponent(error);
    }
  },

  async invokeComponent(number, path, args) {
    const { component, instance } = componentInstances[number];
    const [name, inner] = path.split("#");
    let item = component.exports.find((item) => item.name === name);
    if (inner !== undefined) item = item.items.find((item) => item.name === inner);
    const ends = /^result\b/.test(item?.result);
    try {
      const values = args.map(fromTree);
      const value = item?.async ? await instance.callAsync(path, values) : instance.call(path, values);
      if (item.result === undefined) return "null";
      return JSON.stringify(toTree(ends ? { tag: "ok", ...(value !== undefined && { val: value }) } : value));
    } catch (error) {
      if (!(error instanceof wasm.ComponentError)) throw ofComponent(error);
      const { payload } = error;
      return JSON.stringify(toTree({ tag: "err", ...(payload !== undefined && { val: payload }) }));
    }
  },

  get(instance, name) {
    const global = instances[instance].global(name);
    return "[" + encode(global.type.value, global.value) + "]";
  },

  memory(instance, name) {
    const { byteLength } = instances[instance].memory(name);
    op_conformance_set_bytes(instances[instance].readMemory(0, byteLength, name));
  },
};

const ok = (json) => '{"ok":' + (json ?? null) + "}";
const failed = (error) => JSON.stringify({ error: encodeError(error) });

/** Responds to a request, later if it returns `undefined`. */
globalThis.respond = (text) => {
  try {
    const request = JSON.parse(text);
    const value = requests[request[0]].apply(undefined, request[1]);
    if (!(value instanceof Promise)) return ok(value);
    value.then(ok, failed).then(op_conformance_respond);
  } catch (error) {
    return failed(error);
  }
};
