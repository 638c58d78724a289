// Makes JavaScript's builtins what a hostile or careless script might make of them. What is patched works as
// ever for all others, but remembers that host:wasm has used it, and then gives it something else.

const { defineProperty, getOwnPropertyDescriptor } = Object;
const { apply } = Reflect;
const NativeError = Error;
const split = String.prototype.split;
const includes = String.prototype.includes;
const join = Array.prototype.join;

const used = Object.create(null);
/** What of the builtins host:wasm has used so far. */
globalThis.usedByHostWasm = () => apply(join, Object.keys(used), ["; "]);

/** Whether a line of host:wasm itself has called the function that asks. */
function isHostWasm() {
  const { stackTraceLimit } = NativeError;
  NativeError.stackTraceLimit = 3;
  const { stack } = new NativeError();
  NativeError.stackTraceLimit = stackTraceLimit;
  const line = apply(split, stack, ["\n"])[3];
  return line !== undefined && apply(includes, line, ["host:wasm"]);
}

function remember(what) {
  defineProperty(used, what, { value: true, enumerable: true, configurable: true });
}

/** A property that only seems to be there. */
function pollute(holder, name, evil) {
  if (getOwnPropertyDescriptor(holder, name) !== undefined) return;
  const what = `${holder === Array.prototype ? "an array's" : "an object's"} ${String(name)}`;
  defineProperty(holder, name, {
    configurable: true,
    get() {
      if (!isHostWasm()) return undefined;
      remember(`get ${what}`);
      return evil;
    },
    set(value) {
      if (isHostWasm()) remember(`set ${what}`);
      else defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true });
    },
  });
}

/** A function that throws where host:wasm calls it. */
function patch(holder, name) {
  const descriptor = getOwnPropertyDescriptor(holder, name);
  if (descriptor === undefined || !descriptor.configurable) return;
  const what = `${holder.constructor?.name ?? holder.name}.${String(name)}`;
  const patched = (original) =>
    typeof original !== "function" ? original : {
      patched(...args) {
        if (isHostWasm()) {
          remember(`call ${what}`);
          throw new NativeError(`${what} is patched`);
        }
        return apply(original, this, args);
      },
    }.patched;
  if (descriptor.get !== undefined) descriptor.get = patched(descriptor.get);
  else if (typeof descriptor.value === "function" && name !== "constructor") descriptor.value = patched(descriptor.value);
  defineProperty(holder, name, descriptor);
}

export function makeHostile(names) {
  for (const name of names) pollute(Object.prototype, name, 0);
  pollute(Object.prototype, "toJSON", () => "evil");
  for (let i = 0; i < 20; i++) {
    pollute(Array.prototype, i, "evil");
    pollute(Object.prototype, i, "evil");
  }
  for (const [holder, names] of [
    [Array.prototype, ["concat", "forEach", "map", "pop", "push", "slice", "sort", "splice", Symbol.iterator]],
    [Function.prototype, ["apply", "bind", "call"]],
    [JSON, ["parse", "stringify"]],
    [Map.prototype, ["get", "has", "set", Symbol.iterator]],
    [Object, ["defineProperty", "freeze", "keys"]],
    [Promise.prototype, ["catch", "finally", "then"]],
    [Reflect, ["apply", "construct"]],
    [Set.prototype, ["add", "has", Symbol.iterator]],
    [WeakMap.prototype, ["get", "has", "set"]],
  ]) {
    for (const name of names) patch(holder, name);
  }
  for (const holder of [Array, ArrayBuffer, Map, Promise, Set]) patch(holder, Symbol.species);
}
