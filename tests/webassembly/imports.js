// Imports are what the app put there, never what JavaScript's own prototypes have.
const importing = (name, type = "(func)") => module(`(module (import "env" "${name}" ${type}))`);
const names = new Set();
for (const holder of [{}, () => {}, [], "", 0, new Map(), new Set(), new WeakMap(), new WeakRef({}), Promise.resolve(), new Error(), /a/,
  new Uint8Array(), new Date(), Symbol(), new SharedArrayBuffer(1), [].values(), (function* () {})(), async () => {}]) {
  for (let p = Object.getPrototypeOf(holder); p !== null; p = Object.getPrototypeOf(p)) {
    for (const name of Object.getOwnPropertyNames(p)) names.add(name);
  }
}
const containers = {
  object: {},
  array: [],
  map: new Map(),
  promise: Promise.resolve(),
  typed: new Uint8Array(1),
  shared: new SharedArrayBuffer(1),
  date: new Date(0),
  pattern: /a/,
  iterator: [].values(),
  generator: (function* () {})(),
  generators: function* () {},
  asynchronous: async () => {},
  weak: new WeakRef({}),
  instance: new (class Empty {})(),
  proxy: new Proxy({}, {}),
  forwarding: new Proxy({}, { get: (target, name) => target[name] }),
};
for (const name of names) {
  if (/[^a-zA-Z_0-9]/.test(name)) continue;
  for (const kind in containers) {
    const env = containers[kind];
    if (Object.hasOwn(env, name)) continue;
    throws(W.LinkError, () => new W.Instance(importing(name), { env }), `${kind}.${name}`);
    // A global that holds any value holds `undefined`.
    const { g } = exportsOf(`(module (import "env" "${name}" (global $g (ref extern))) (export "g" (global $g)))`, { env });
    identical(g.value, undefined, `${kind}.${name}`);
    // The same for the name of the import module.
    throws(TypeError, () => new W.Instance(module(`(module (import "${name}" "call" (func)))`), env), `${kind}: ${name}`);
  }
}

// Own properties, inherited ones of the app's, and those of a proxy's handler.
class Env { f() {} }
new W.Instance(importing("f"), { env: new Env() });
new W.Instance(importing("f"), { env: Object.create({ f() {} }) });
new W.Instance(importing("f"), { env: new Proxy({}, { get: (_, name) => name === "f" ? () => {} : undefined }) });
new W.Instance(importing("constructor"), { env: { constructor() {} } });
throws(W.LinkError, () => new W.Instance(importing("constructor"), { env: new Env() }));

// Getters run in the order of the imports, and once each.
const order = [];
const traced = (name, value) => ({ get [name]() { order.push(name); return value; } });
new W.Instance(module(`(module (import "a" "x" (func)) (import "b" "y" (func)))`), {
  get a() { order.push("a"); return traced("x", () => {}); },
  get b() { order.push("b"); return traced("y", () => {}); },
});
same(order, ["a", "x", "b", "y"]);
