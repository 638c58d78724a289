// The functions that programs of the fuzzer use. A program is a list of attempts. Each attempt may fail with the
// errors that `host:wasm` documents. Each result of an attempt is kept in a pool of its kind, and later attempts find
// it there by number.
import * as wasm from "host:wasm";

const { ops } = Deno.core;
const { op_wasm_collect_js, op_wasm_yield_now, op_wasm_live_instances, op_wasm_live_modules } = ops;
const { apply, ownKeys } = Reflect;
const { defineProperty, getOwnPropertyDescriptor, is: isSame } = Object;
const NativeError = Error, NativeProxy = Proxy, NativePromise = Promise, NativeTypeError = TypeError, NativeSyntaxError = SyntaxError,
  NativeRangeError = RangeError, NativeSet = Set;
const disposeSymbol = Symbol.dispose;
const isInstance = Function.prototype[Symbol.hasInstance];
const { endsWith, slice } = String.prototype;
const { toString: functionToString } = Function.prototype;

/** Whether the engine has a JIT compiler. V8 has one, QuickJS has none. */
const isCompiling = ops.op_wasm_has_jit();

globalThis.wasm = wasm;
// Only `host:wasm` is tested here, not the engine's own WebAssembly.
delete globalThis.WebAssembly;

/** The depth to which attempts nest: an attempt runs an import, which makes an attempt, and so on. */
const MAX_DEPTH = 6;
/** The number of attempts that all imports together may make, because a guest may call an import in a loop. */
const MAX_NESTED = 200;
/** The longest message of an error in UTF-16 units: the cap of the runtime, plus the text that the codec adds. */
const MAX_MESSAGE = 600;

/** Whether a value is an instance of a class. A revoked proxy is not. */
function is(value, type) {
  try {
    return apply(isInstance, type, [value]);
  } catch {
    return false;
  }
}
const add = (list, value) => defineProperty(list, list.length, { value, writable: true, configurable: true, enumerable: true });

let depth = 0, nested = 0, usesOps = false;
/** Whether QuickJS has made a buffer for a shared memory. It never frees the store of such a memory. */
let keepsShared = false;
/** The numbers of instances and modules that earlier programs left alive. */
let leftBefore = [0, 0];
/** The running op, until it calls an import. No other JavaScript may run in it. */
let running;

let tally = { attempts: 0, returned: 0, refused: 0 };

/** Reports a violation of the rules for programs. */
function find(text) {
  ops.op_conformance_finding(apply(slice, `${text}`, [0, 500]));
}

// Pools

const kinds = [
  [wasm.WasmModule, "module"], [wasm.WasmInstance, "instance"], [wasm.WasmStore, "store"], [wasm.WasmMemory, "memory"],
  [wasm.WasmTable, "table"], [wasm.WasmGlobal, "global"], [wasm.WasmTag, "tag"], [wasm.WasmReference, "reference"],
  [ArrayBuffer, "view"], [SharedArrayBuffer, "view"],
  [wasm.WasmComponent, "component"], [wasm.ComponentInstance, "componentInstance"],
];
/** The number of kinds that every program has: those of the objects of `createWebAssembly` come after them. */
const OWN_KINDS = kinds.length;
const pools = { __proto__: null, func: [], other: [], promise: [], standard: [], resource: [] };
for (const [, name] of kinds) pools[name] ??= [];
/** The classes of a standard object, and the pools of their instances. */
const standardClasses = [
  ["Module", "standardModule"], ["Instance", "standardInstance"], ["Memory", "standardMemory"], ["Table", "standardTable"],
  ["Global", "standardGlobal"], ["Tag", "standardTag"], ["Exception", "standardException"],
];
for (const [, name] of standardClasses) pools[name] = [];
const standardErrorNames = ["CompileError", "LinkError", "RuntimeError", "SuspendError"];
/** The error classes of all standard objects of the program. */
let standardErrors = [];
/** Whether a value is an object that `createWebAssembly` made. */
function isStandard(value) {
  try {
    return getOwnPropertyDescriptor(value, "JSTag") !== undefined;
  } catch {
    return false;
  }
}
/** Whether a value is a resource of the component that programs use. */
function isResource(value) {
  try {
    return typeof value.get === "function" && typeof value[disposeSymbol] === "function";
  } catch {
    return false;
  }
}
function keepStandard(standard) {
  add(pools.standard, standard);
  for (let i = 0; i < standardClasses.length; i++) {
    add(kinds, [standard[standardClasses[i][0]], standardClasses[i][1]]);
  }
  for (let i = 0; i < standardErrorNames.length; i++) {
    const type = standard[standardErrorNames[i]];
    if (type !== undefined) add(standardErrors, type);
  }
}
/** Keeps what a standard instance exports. */
function keepExports(instance) {
  const { exports } = instance, names = ownKeys(exports);
  for (let i = 0; i < names.length; i++) keep(exports[names[i]]);
}
/** The guests from which modules and instances were made. */
const guestOf = new WeakMap();
const { get: guestOfGet, set: guestOfSet } = WeakMap.prototype;

function keep(value, guest) {
  if (typeof value === "function") return add(pools.func, value);
  if (typeof value !== "object" || value === null) return;
  if (is(value, SharedArrayBuffer) && !isCompiling) keepsShared = true;
  for (let i = 0; i < kinds.length; i++) {
    if (is(value, kinds[i][0])) {
      if (guest !== undefined) apply(guestOfSet, guestOf, [value, guest]);
      add(pools[kinds[i][1]], value);
      if (kinds[i][1] === "standardInstance") keepExports(value);
      return;
    }
  }
  if (isStandard(value)) return keepStandard(value);
  add(isResource(value) ? pools.resource : pools.other, value);
}

const standardPools = [];
for (const [, name] of standardClasses) add(standardPools, name);
for (const name of ["store", "memory", "table", "global", "tag", "reference", "view", "func", "other", "component",
  "componentInstance", "resource", ...standardPools]) {
  /** The n-th value of a pool, or `undefined` if the pool is empty. */
  globalThis[name] = (n) => pools[name][n % pools[name].length];
}
for (const name of ["module", "instance"]) {
  /** The n-th object that was made from a guest, or from any guest if there is none. */
  globalThis[name] = (guest, n) => {
    const list = [];
    for (let i = 0; i < pools[name].length; i++) {
      if (apply(guestOfGet, guestOf, [pools[name][i]]) === guest) add(list, pools[name][i]);
    }
    return list.length > 0 ? list[n % list.length] : pools[name][n % pools[name].length];
  };
}
/** The n-th standard object. There is always one. */
globalThis.standard = (n) => {
  if (pools.standard.length === 0) keep(wasm.createWebAssembly({ fuel: 100_000, timeoutMs: 50 }));
  return pools.standard[n % pools.standard.length];
};
/** Sets the binaries of the guests, which are lists of numbers. */
globalThis.setBinaries = (lists) => {
  globalThis.binaries = {};
  for (const name of ownKeys(lists)) binaries[name] = new Uint8Array(lists[name]);
};
/** Removes the n-th value of a pool, so that it may be collected. */
globalThis.forget = (name, n) => {
  const list = pools[name], kept = [];
  for (let i = 0; i < list.length; i++) if (i !== n % list.length) add(kept, list[i]);
  pools[name] = kept;
};
globalThis.collect = async () => {
  for (let i = 0; i < 3; i++) {
    op_wasm_collect_js();
    await op_wasm_yield_now();
  }
};
globalThis.turn = () => op_wasm_yield_now();

// Attempts

/** Runs `f`, and keeps what it returns or resolves to. */
globalThis.attempt = (f, guest) => {
  tally.attempts++;
  let result;
  depth++;
  try {
    result = f();
  } catch (error) {
    check(error);
    return;
  } finally {
    depth--;
  }
  if (is(result, NativePromise)) return settle(result, guest, f);
  tally.returned++;
  keep(result, guest);
};

/** A promise for each promise that an attempt returned. It resolves when the outcome has been checked. */
let settled = [];
/** The attempts whose promises have not been settled, in the order in which they were made. */
let unsettled = new NativeSet();
const { add: setAdd, delete: setDelete, forEach: setForEach } = NativeSet.prototype;
function settle(promise, guest, attempt) {
  apply(setAdd, unsettled, [attempt]);
  const ended = (async () => {
    try {
      const value = await promise;
      tally.returned++;
      keep(value, guest);
    } catch (error) {
      check(error);
    } finally {
      apply(setDelete, unsettled, [attempt]);
    }
  })();
  add(settled, ended);
  return ended;
}

/** The error that programs throw themselves. */
globalThis.thrown = new NativeError("thrown by the program");
let thrownValues = [thrown];
/** Marks a value that the program is going to throw. */
globalThis.own = (value) => {
  add(thrownValues, value);
  return value;
};
function isOwn(error) {
  for (let i = 0; i < thrownValues.length; i++) if (isSame(thrownValues[i], error)) return true;
  return false;
}

/** Reports an error that is not documented. */
function check(error) {
  tally.refused++;
  if (isOwn(error)) return;
  if (is(error, wasm.WasmError)) {
    const { code, kind, message, wasmStack } = error;
    if (!(code >= 5000 && code <= 5006)) find(`an error of the code ${code}: ${message}`);
    else if (wasm.WasmErrorCode[kind] !== code) find(`an error of the code ${code} and the kind ${kind}`);
    else if (typeof message !== "string" || message.length > MAX_MESSAGE) find(`a message of ${message?.length} characters: ${message}`);
    else if (wasmStack !== undefined && typeof wasmStack !== "string") find(`a stack of type ${typeof wasmStack}`);
    return;
  }
  if (is(error, wasm.ComponentError)) return keep(error.payload);
  for (let i = 0; i < standardErrors.length; i++) {
    if (is(error, standardErrors[i])) return checkStandard(error);
  }
  // An exception that a guest threw and nobody caught.
  for (let i = OWN_KINDS; i < kinds.length; i++) {
    if (kinds[i][1] === "standardException" && is(error, kinds[i][0])) return keep(error);
  }
  // A wrong receiver, a private constructor, or an exhausted JavaScript stack.
  if (is(error, NativeTypeError) || is(error, NativeRangeError)) return;
  // A string that is no integer where the standard `WebAssembly` converts a value to an i64.
  if (is(error, NativeSyntaxError)) return;
  // Errors of deno_core itself for raw calls of ops.
  if (usesOps && (is(error, NativeError) || typeof error === "string")) return;
  // An error of V8 for a value that cannot be cloned.
  if (is(error, NativeError) && apply(endsWith, error.message, ["could not be cloned."])) return;
  let text;
  try { text = `${error}`; } catch { text = typeof error; }
  find(`an undocumented error: ${text}`);
}

/** Reports an error of a standard class that is not as documented. */
function checkStandard(error) {
  const { message } = error;
  // An error of the app has no code of its own, and a script may have given one to `Object.prototype`.
  const code = getOwnPropertyDescriptor(error, "code")?.value;
  if (code !== undefined && !(code >= 5000 && code <= 5006)) find(`a standard error of the code ${code}: ${message}`);
  else if (typeof message !== "string" || message.length > MAX_MESSAGE) find(`a message of ${message?.length} characters: ${message}`);
}

// Imports

/** An import that makes attempts and then returns the result. */
globalThis.imported = (result, ...attempts) => (...args) => {
  running = undefined;
  for (let i = 0; i < args.length; i++) keep(args[i]);
  for (let i = 0; i < attempts.length && nested < MAX_NESTED && depth < MAX_DEPTH; i++) {
    nested++;
    attempts[i]();
  }
  const returned = result(args);
  if (is(returned, NativePromise)) ignoreFailure(returned);
  return returned;
};
/** Handles the rejection of a promise that the guest does not wait for. */
async function ignoreFailure(promise) {
  try {
    await promise;
  } catch {}
}
/** An import that calls its guest again, until the stack is exhausted. */
globalThis.deepen = (guest) => (...args) => instance(guest, 0).call("call", args);
/** The most turns of the event loop that a promise of the program waits. */
const MAX_TURNS = 5;
/** A promise that is resolved by `resolve`, or after some turns of the event loop. */
globalThis.promised = (value) => {
  const { promise, resolve } = NativePromise.withResolvers();
  ignoreFailure(promise);
  const end = () => resolve(value);
  add(pools.promise, { __proto__: null, end });
  (async () => {
    for (let i = 0; i < MAX_TURNS; i++) await op_wasm_yield_now();
    end();
  })();
  return promise;
};
/** The class that the component's resource `item` is. */
globalThis.Item = class Item {
  #value;
  constructor(value) {
    this.#value = value;
  }
  value() {
    if (nested++ >= MAX_NESTED) throw thrown;
    return this.#value;
  }
  [disposeSymbol]() {
    running = undefined;
  }
};
globalThis.resolve = (n) => pools.promise[n % pools.promise.length]?.end();

/** An abort signal, as in browsers. */
class Signal {
  aborted = false;
  reason = undefined;
  #listeners = [];
  addEventListener(_type, listener) {
    add(this.#listeners, listener);
  }
  removeEventListener(_type, listener) {
    const kept = [];
    for (let i = 0; i < this.#listeners.length; i++) {
      if (this.#listeners[i] !== listener) add(kept, this.#listeners[i]);
    }
    this.#listeners = kept;
  }
  abort(reason) {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    const listeners = this.#listeners;
    for (let i = 0; i < listeners.length; i++) listeners[i]();
  }
}
let signals = [];
globalThis.signal = (n) => signals[n] ??= new Signal();

// Raw ops, and values that run code when they are read

globalThis.op = (name, args) => {
  usesOps = true;
  const before = running;
  running = name;
  try {
    return apply(ops[name], undefined, args);
  } finally {
    running = before;
  }
};

/** Whether an op runs guests. When a guest calls an import, such an op reads the import from the list that it got. */
const takesImports = (op) =>
  op === "op_wasm_advance" || op === "op_wasm_call_numbers" || op === "op_wasm_call_with_imports" || op === "op_wasm_instantiate" ||
  op === "op_wasm_call_component" || op === "op_wasm_drop_resource";
const isIndex = (key) => typeof key === "string" && `${key >>> 0}` === key;
const trap = (event, key) => () => trapped(event, key);
function trapped(event, key) {
  if (running === undefined || (isIndex(key) && takesImports(running))) return;
  find(`${running} runs JavaScript: ${event}`);
}
const handlers = {};
for (const name of ownKeys(Reflect)) {
  if (typeof Reflect[name] !== "function") continue;
  const original = Reflect[name];
  handlers[name] = (...args) => {
    trapped(`proxy ${name}`, name === "get" ? args[1] : undefined);
    return apply(original, undefined, args);
  };
}
function accessors(object, names) {
  for (let i = 0; i < names.length; i++) {
    defineProperty(object, names[i], { get: trap(`get ${names[i]}`, names[i]), set: trap(`set ${names[i]}`), configurable: true });
  }
  return object;
}
const hostiles = {
  accessors: () => accessors({}, ["length", "0", "1", "fuel", "timeoutMs", "wasi", "store", "args", "env", "value", "minimum",
    "element", "params", "then", "constructor", "byteLength", "buffer", "toJSON", "valueOf", "toString"]),
  conversions: () => ({ valueOf: trap("valueOf"), toString: trap("toString"), toJSON: trap("toJSON"), [Symbol.toPrimitive]: trap("toPrimitive") }),
  proxy: () => new NativeProxy({}, handlers),
  list: () => new NativeProxy([1, 2, 3], handlers),
  call: () => new NativeProxy(() => {}, handlers),
  bytes: () => new NativeProxy(new Uint8Array(4), handlers),
  elements: () => accessors([], ["0", "1"]),
  subclass: () => accessors(new (class extends Uint8Array {})(4), ["length", "buffer", "byteLength", "byteOffset"]),
  revoked: () => {
    const { proxy, revoke } = NativeProxy.revocable({}, {});
    revoke();
    return proxy;
  },
};
globalThis.hostile = (kind) => hostiles[kind]();

// Changes of JavaScript's builtins

let changed = [];
globalThis.pollute = (holder, name, value) => {
  add(changed, { __proto__: null, holder, name, before: getOwnPropertyDescriptor(holder, name) });
  defineProperty(holder, name, { value, writable: true, configurable: true, enumerable: true });
};
globalThis.patch = (holder, name) => {
  pollute(holder, name, () => {
    throw thrown;
  });
};
/** Undoes the changes, the last one first. */
function restore() {
  for (let i = changed.length - 1; i >= 0; i--) {
    const { holder, name, before } = changed[i];
    delete holder[name];
    if (before !== undefined) defineProperty(holder, name, before);
  }
}

/** The source text of attempts whose promises are not settled, for the report about a program that did not end. */
globalThis.unsettledAttempts = () => {
  let texts = "";
  apply(setForEach, unsettled, [(attempt) => texts += `\n  ${apply(functionToString, attempt, [])}`]);
  return texts;
};

/** Ends a program: drops all objects, waits for all promises, and resets the state for the next program. */
globalThis.finish = async () => {
  await drop();
  for (let i = 0; i < pools.promise.length; i++) pools.promise[i].end();
  for (let i = 0; i < settled.length; i++) await settled[i];
  await drop();
  restore();
  const { attempts, returned, refused } = tally;
  for (const name in pools) pools[name] = [];
  [changed, settled, unsettled, signals, thrownValues] = [[], [], new NativeSet(), [], [thrown]];
  standardErrors = [];
  kinds.length = OWN_KINDS;
  tally = { attempts: 0, returned: 0, refused: 0 };
  if (keepsShared) leftBefore = [op_wasm_live_instances(), op_wasm_live_modules()];
  else if (!usesOps) await checkNothingIsLeft();
  [depth, nested, usesOps, keepsShared] = [0, 0, false, false];
  ops.op_conformance_tally(attempts, returned, refused);
};

async function drop() {
  for (let i = 0; i < pools.instance.length; i++) pools.instance[i].drop();
  for (let i = 0; i < pools.componentInstance.length; i++) pools.componentInstance[i].drop();
  for (let i = 0; i < pools.store.length; i++) pools.store[i].drop();
  for (let i = 0; i < pools.module.length; i++) pools.module[i].drop();
  for (let i = 0; i < pools.component.length; i++) pools.component[i].drop();
  await op_wasm_yield_now();
}

/** Reports modules and instances that are still alive. An aborted guest counts until its thread has ended. */
async function checkNothingIsLeft() {
  let left;
  for (let i = 0; i < 500; i++) {
    op_wasm_collect_js();
    await op_wasm_yield_now();
    left = [op_wasm_live_instances(), op_wasm_live_modules()];
    if (left[0] <= leftBefore[0] && left[1] <= leftBefore[1]) return;
    await ops.op_conformance_pause();
  }
  find(`${left[0]} instances and ${left[1]} modules are left`);
}
