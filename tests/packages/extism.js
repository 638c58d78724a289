// Plugins of Extism with host functions, in the foreground. A plugin that never returns is stopped by its fuel or its
// deadline.

import { createWebAssembly } from "host:wasm";

const letters = wat("extism_letters");
const plugin = wat("extism_plugin");
const manifest = { wasm: [{ data: plugin, name: "main" }, { data: letters, name: "letters" }] };

/** A host function: it reads a block of the plugin, and returns a new one. */
function greet(context, block) {
  return context.store(`Hello, ${context.read(block).text()}!`);
}

const caught = (action) => action().then(() => "nothing", (error) => error);
const fetch = () => Promise.reject(new TypeError("there is no network"));
const usual = { timeoutMs: 60_000, maxMemoryBytes: 16 << 20 };

globalThis.WebAssembly = createWebAssembly(usual);
// The package looks at `WebAssembly` when it is loaded.
const { newPlugin } = await import("@extism/extism");
const open = async (func) =>
  await newPlugin(manifest, { fetch, functions: { "extism:host/user": { greet: func } } });

const first = await open(greet);
const shouted = (await first.call("shout", "world ✓")).text();
const failure = (await caught(() => first.call("fail", "went wrong"))).message;
const throwing = await open(() => {
  throw new RangeError("of the host");
});
const thrown = await caught(() => throwing.call("shout", "x"));

// With JavaScript Promise Integration, the plugin waits for the promise of a host function.
let waited;
if (WebAssembly.promising !== undefined) {
  const waiting = await open(async (context, block) => {
    await null;
    return greet(context, block);
  });
  waited = (await waiting.call("shout", "later")).text();
}

/** The results of calls of a plugin before, in and after a call that never returns. */
async function runaway(options) {
  globalThis.WebAssembly = createWebAssembly(options);
  const plugin = await open(greet);
  const call = (name) =>
    plugin.call(name, "a").then((result) => result.text(), ({ name, code }) => [name, code]);
  return [await call("shout"), await call("spin"), await call("shout")];
}
// Node has no fence.
const isFenced = typeof process === "undefined";

export default {
  shouted,
  failure,
  thrown: `${thrown.name}: ${thrown.message}`,
  waited,
  fuel: isFenced ? await runaway({ ...usual, fuel: 1_000_000 }) : undefined,
  deadline: isFenced ? await runaway({ ...usual, timeoutMs: 1500 }) : undefined,
};
