//! Guests get only what the app passes itself: nothing inherited, and nothing from polluted prototypes.

use serde_json::json;

use super::{Attack, attacks};

/// `names` has the name of every property of JavaScript's own prototypes. `kinds` has import objects of many kinds,
/// without own properties of these names.
const INHERITED: &str = r#"
    const prototypes = new Set();
    const add = (prototype) => {
        for (; prototype != null && !prototypes.has(prototype); prototype = Object.getPrototypeOf(prototype)) {
            prototypes.add(prototype);
        }
    };
    for (const name of Object.getOwnPropertyNames(globalThis)) {
        const value = globalThis[name];
        if (typeof value === "function") {
            add(value);
            add(value.prototype);
        }
    }
    for (const value of [function () {}, () => {}, async () => {}, function* () {}, async function* () {}, [], {},
        (function* () {})(), (async function* () {})(), [][Symbol.iterator](), new Map()[Symbol.iterator](),
        new Set()[Symbol.iterator](), ""[Symbol.iterator](), /x/[Symbol.matchAll](""), Promise.resolve(), Math, JSON,
        Reflect]) {
        add(Object.getPrototypeOf(value));
    }
    const names = new Set();
    for (const prototype of prototypes) {
        for (const name of Object.getOwnPropertyNames(prototype)) names.add(name);
    }
    names.add("__proto__");
    class Imports { method() {} }
    const kinds = [{}, [], () => {}, new Imports(), wasm, new Proxy({}, {}), Object.create({ own() {} }), new Map(),
        Promise.resolve(), new Error("x"), new Uint8Array(4), Object.create(null)];
"#;

attacks! {
    fn no_inherited_name_is_an_import() {
        Attack::new(format!(r#"{INHERITED}
            const results = {{ names: names.size > 300, wrong: [] }};
            for (const name of names) {{
                const quoted = [...text(name)].map((byte) => `\\${{byte.toString(16).padStart(2, "0")}}`).join("");
                const [both, second] = [quoted, "m"].map((first) => compile(text(
                    `(module (import "${{first}}" "${{quoted}}" (func (result externref))))`)));
                for (const kind of kinds) {{
                    for (const [module, imports, inner] of [[await both, kind, kind], [await second, {{ m: kind }}, kind]]) {{
                        if (Object.hasOwn(inner, name)) continue;
                        const error = await caught(() => instantiate(module, imports));
                        const says = error.message?.includes("inherited; imports must be own properties");
                        if (error.code !== 5001 || says !== (name in inner)) results.wrong.push([name, `${{error}}`]);
                    }}
                }}
            }}
            return results;"#))
            => json!({ "names": true, "wrong": [] })
    }

    fn a_guest_does_not_reach_function() {
        Attack::new(r#"
            const module = await compile(text(`(module
                (import "env" "read" (func $read (result externref)))
                (import "constructor" "constructor" (func $Function (param externref) (result externref)))
                (import "constructor" "groupBy" (func $call (param externref externref)))
                (func (export "run") (call $call (call $read) (call $Function (call $read)))))`));
            const read = () => "globalThis.secret = 'stolen'";
            const results = [];
            for (const imports of [{ env: { read } }, Object.assign(() => {}, { env: { read } }),
                Object.assign([], { env: { read } })]) {
                results.push(await codeOf(() => instantiate(module, imports, { fuel: 100 })));
            }
            return [results, globalThis.secret ?? "nothing"];"#)
            => json!([[5001, 5001, 5001], "nothing"])
    }

    fn own_properties_of_every_kind_are_imports() {
        Attack::new(r#"
            const module = await compile(text(`(module (import "a" "f" (func $f (result i32)))
                (func (export "g") (result i32) (call $f)))`));
            const f = () => 7;
            const hidden = (object, name, value) => Object.defineProperty(object, name, { value, enumerable: false });
            const accessor = (object, name, value) => Object.defineProperty(object, name, { get: () => value });
            class Fields { f = f; }
            const inner = [{ f }, Object.assign([], { f }), Object.assign(() => {}, { f }), new Fields(), new Proxy({ f }, {}),
                hidden({}, "f", f), accessor({}, "f", f), { __proto__: null, f }, Object.assign(Object.create({ f: 1 }), { f })];
            const results = [];
            for (const a of inner) results.push((await instantiate(module, { a })).call("g"));
            for (const make of [hidden, accessor]) results.push((await instantiate(module, make({}, "a", { f }))).call("g"));
            return results;"#)
            => json!([7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7])
    }

    fn inherited_options_are_refused_and_polluted_ones_are_none() {
        Attack::new(r#"
            const module = await compile(text(`(module (memory (export "m") 1) (func (export "f") (result i32) (i32.const 1)))`));
            class Options { get fuel() { return 1; } }
            const results = [];
            for (const options of [Object.create({ fuel: 1 }), new Options(), Object.create({ timeoutMs: 1 }),
                Object.create({ maxMemoryBytes: 1 }), Object.create({ store: new WasmStore() }), Object.create({ wasi: {} })]) {
                const error = await caught(() => instantiate(module, {}, options));
                results.push([error.code, error.message.includes("is inherited; options must be own properties")]);
            }
            results.push(await codeOf(async () => (await instantiate(module, {}, { interruptible: true }))
                .callAsync("f", [], Object.create({ timeoutMs: 1 }))));
            const polluted = [];
            for (const [name, value] of Object.entries({ fuel: 0, timeoutMs: "soon", maxMemoryBytes: 0, interruptible: 5,
                wasi: 1, store: 1, signal: 1, minimum: 7, maximum: 0, shared: true, address: "i64", mutable: true })) {
                Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true });
                try {
                    const instance = await instantiate(module, {}, {});
                    const store = new WasmStore({});
                    const memory = new WasmMemory(store, { __proto__: null, minimum: 1 });
                    const grown = new WasmMemory(new WasmStore(), name === "minimum" ? { minimum: 1 } : { minimum: 1, maximum: undefined });
                    polluted.push(instance.fuel === undefined && instance.call("f") === 1 &&
                        await instance.callAsync("f", [], {}) === 1 && memory.grow(1) === 1 && grown.type.address === "i32" &&
                        grown.grow(2) === 1 && new WasmGlobal(store, { value: "i32" }, 1).type.mutable === false);
                } finally {
                    delete Object.prototype[name];
                }
            }
            return [results, polluted.every((held) => held === true)];"#)
            => json!([
                [[5001, true], [5001, true], [5001, true], [5001, true], [5001, true], [5001, true], 5005],
                true
            ])
    }

    fn limits_do_not_vanish_behind_accessors() {
        Attack::new(r#"
            for (const key of ["fuel", "timeoutMs", "maxMemoryBytes", "interruptible", "wasi", "minimum", "maximum"]) {
                Object.defineProperty(Object.prototype, key, { configurable: true, get() {}, set() {} });
            }
            const results = [new WasmStore({ fuel: 100 }).fuel,
                await codeOf(() => new WasmMemory(new WasmStore({ maxMemoryBytes: 65536 }), { minimum: 1 }).grow(1000)),
                (await load(`(module (func (export "f")))`, {}, { fuel: 7 })).fuel,
                await codeOf(async () => (await load(`(module (func (export "f") (loop (br 0))))`, {}, { timeoutMs: 20 })).call("f"))];
            for (const key of ["fuel", "timeoutMs", "maxMemoryBytes", "interruptible", "wasi", "minimum", "maximum"]) {
                delete Object.prototype[key];
            }
            return results;"#)
            => json!([100, 5003, 7, 5002])
    }

    fn elements_and_entries_are_own() {
        Attack::new(r#"
            const instance = await load(`(module (func (export "add") (param i32 i32) (result i32)
                (i32.add (local.get 0) (local.get 1))) (func (export "three") (param i32 i32 i32) (result i32) (local.get 0)))`);
            const environ = `(module (import "wasi_snapshot_preview1" "environ_sizes_get" (func $e (param i32 i32) (result i32)))
                (import "wasi_snapshot_preview1" "args_sizes_get" (func $a (param i32 i32) (result i32)))
                (memory (export "memory") 1)
                (func (export "env") (result i32) (drop (call $e (i32.const 0) (i32.const 4))) (i32.load (i32.const 0)))
                (func (export "args") (result i32) (drop (call $a (i32.const 0) (i32.const 4))) (i32.load (i32.const 0))))`;
            for (const [holder, key, value] of [[Array.prototype, 0, 40], [Object.prototype, 1, 2], [Object.prototype, "HOME", "/"],
                [Object.prototype, "env", { A: "b" }], [Object.prototype, "args", ["x"]], [Object.prototype, "preopens", { "/": "." }]]) {
                Object.defineProperty(holder, key, { value, configurable: true, enumerable: true, writable: true });
            }
            const results = [await codeOf(() => instance.call("add", [, ,])), await codeOf(() => instance.call("add", [1, ,])),
                await codeOf(() => instance.call("three", [, , 3])), instance.call("add", [1, 2])];
            const guest = await load(environ, {}, { wasi: {} });
            results.push(guest.call("env"), guest.call("args"));
            const given = await load(environ, {}, { wasi: { env: { A: "b" }, args: ["x", "y"] } });
            results.push(given.call("env"), given.call("args"));
            results.push(await codeOf(() => load(environ, {}, { wasi: { args: [, "y"] } })),
                await codeOf(() => new WasmTag(new WasmStore(), { params: [, "i32"] })));
            for (const key of [1, "HOME", "env", "args", "preopens"]) delete Object.prototype[key];
            delete Array.prototype[0];
            return results;"#).capabilities(|capabilities| capabilities.allow_wasi = true)
            => json!([5005, 5005, 5005, 3, 0, 0, 1, 2, 5001, 5005])
    }
}
