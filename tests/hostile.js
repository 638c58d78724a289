// Patches and pollutes JavaScript's builtins, as a hostile or careless script might. A patched builtin works as
// before for all other callers. When host:wasm uses it, it records the use and misbehaves.

const { op_host_is_wasm_calling } = Deno.core.ops;
const { create, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, keys } = Object;
const { apply, ownKeys } = Reflect;
const { join } = Array.prototype;
const NativeError = Error;

/** The builtins that host:wasm has used so far. */
const used = create(null);
globalThis.usedByHostWasm = () => apply(join, keys(used), ["; "]);

function record(use) {
  defineProperty(used, use, { value: true, enumerable: true, configurable: true });
}

/** Adds an accessor to a prototype. Only host:wasm can see it: others read `undefined` and write own properties. */
function pollute(prototype, name, evil) {
  if (getOwnPropertyDescriptor(prototype, name) !== undefined) return;
  const property = `${prototype === Array.prototype ? "an array's" : "an object's"} ${String(name)}`;
  defineProperty(prototype, name, {
    configurable: true,
    get() {
      if (!op_host_is_wasm_calling()) return undefined;
      record(`get ${property}`);
      return evil;
    },
    set(value) {
      if (op_host_is_wasm_calling()) record(`set ${property}`);
      else defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true });
    },
  });
}

/** Methods and accessors that stay as they are. docs/TESTING.md has the reasons. */
const UNPATCHED = [
  "ArrayBuffer.prototype.byteLength",
  "ArrayBuffer.prototype.resizable",
];

/** Replaces a method or an accessor by one that throws when host:wasm calls it. */
function patch(holder, holderName, name) {
  const descriptor = getOwnPropertyDescriptor(holder, name);
  const method = `${holderName}.${String(name)}`;
  if (!descriptor.configurable || name === "constructor" || UNPATCHED.includes(method)) return;
  const patched = (original) =>
    typeof original !== "function" ? original : {
      patched(...args) {
        if (op_host_is_wasm_calling()) {
          record(`call ${method}`);
          throw new NativeError(`${method} is patched`);
        }
        return apply(original, this, args);
      },
    }.patched;
  if (descriptor.get !== undefined) descriptor.get = patched(descriptor.get);
  else descriptor.value = patched(descriptor.value);
  defineProperty(holder, name, descriptor);
}

/** Replaces a global variable by an accessor, which throws when host:wasm reads it. */
function patchGlobal(name) {
  const value = globalThis[name];
  defineProperty(globalThis, name, {
    configurable: true,
    get() {
      if (!op_host_is_wasm_calling()) return value;
      record(`read ${name}`);
      throw new NativeError(`${name} is patched`);
    },
  });
}

/** The builtins that scripts reach by the names of global variables. */
const GLOBALS = [
  "Array",
  "ArrayBuffer",
  "BigInt",
  "BigInt64Array",
  "Boolean",
  "DataView",
  "FinalizationRegistry",
  "Float32Array",
  "Float64Array",
  "Function",
  "Int32Array",
  "JSON",
  "Map",
  "Math",
  "Number",
  "Object",
  "Promise",
  "Proxy",
  "RangeError",
  "Reflect",
  "RegExp",
  "Set",
  "SharedArrayBuffer",
  "String",
  "Symbol",
  "TypeError",
  "Uint32Array",
  "Uint8Array",
  "WeakMap",
  "WeakRef",
  "WeakSet",
];

/** Builtins without a global variable. */
const HIDDEN = {
  ArrayIterator: getPrototypeOf([][Symbol.iterator]()),
  Iterator: getPrototypeOf(getPrototypeOf([][Symbol.iterator]())),
  MapIterator: getPrototypeOf(new Map()[Symbol.iterator]()),
  SetIterator: getPrototypeOf(new Set()[Symbol.iterator]()),
  TypedArray: getPrototypeOf(Uint8Array),
  "TypedArray.prototype": getPrototypeOf(Uint8Array.prototype),
};

/** Patches all builtins. `names` are the names of the properties that host:wasm reads or writes. */
export function makeHostile(names) {
  // QuickJS describes each frame of the stack, which is the slowest part of finding the caller.
  Error.stackTraceLimit = 5;
  const holders = Object.entries(HIDDEN);
  for (const name of GLOBALS) {
    holders.push([name, globalThis[name]]);
    if (globalThis[name].prototype !== undefined) holders.push([`${name}.prototype`, globalThis[name].prototype]);
  }
  for (const [holderName, holder] of holders) {
    for (const name of ownKeys(holder)) patch(holder, holderName, name);
  }
  for (const name of GLOBALS) patchGlobal(name);
  for (const name of names) pollute(Object.prototype, name, 0);
  pollute(Object.prototype, "toJSON", () => "evil");
  for (let i = 0; i < 20; i++) {
    pollute(Array.prototype, i, "evil");
    pollute(Object.prototype, i, "evil");
  }
}
