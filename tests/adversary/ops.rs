//! Ops, which scripts can call with any values.

use serde_json::json;

use super::{Attack, attacks};

/// The ops, and values that run code when an op reads them.
const OPS: &str = r#"
    const { ops } = Deno.core;
    // The ops for streaming are deno_core's.
    const names = Object.keys(ops).filter((name) => name.startsWith("op_wasm_") && !name.includes("streaming")).sort();
    let ran = [];
    let running;
    const trap = (name) => (...args) => { ran.push(`${running}: ${name}`); return undefined; };
    const handlers = Object.fromEntries(["get", "set", "has", "ownKeys", "getOwnPropertyDescriptor", "getPrototypeOf",
        "defineProperty", "deleteProperty", "apply", "construct", "isExtensible"].map((name) => [name, (...args) => {
            ran.push(`${running}: proxy ${name}`);
            return Reflect[name](...args);
        }]));
    const accessors = () => {
        const object = {};
        for (const name of ["length", "0", "1", "bytes", "args", "env", "minimum", "maximum", "element", "params", "then", "constructor",
            "byteLength", "byteOffset", "buffer", "toJSON", "valueOf", "toString"]) {
            Object.defineProperty(object, name, { get: trap(name), set: trap(name) });
        }
        return object;
    };
    const hostile = {
        accessors,
        valueOf: () => ({ valueOf: trap("valueOf"), toString: trap("toString"), [Symbol.toPrimitive]: trap("toPrimitive"), toJSON: trap("toJSON") }),
        proxy: () => new Proxy({}, handlers),
        "proxy of an array": () => new Proxy([1, 2, 3], handlers),
        "proxy of a function": () => new Proxy(() => {}, handlers),
        "proxy of bytes": () => new Proxy(new Uint8Array(4), handlers),
        array: () => Object.defineProperty([], 0, { get: trap("element") }),
        bytes: () => Object.defineProperties(new (class extends Uint8Array { get length() { trap("length")(); return 4; } })(4), { buffer: { get: trap("buffer") } }),
    };
"#;

attacks! {
    fn no_op_runs_javascript_of_its_arguments() {
        Attack::new(format!(r#"{OPS}
            const instance = await load(`(module (memory (export "m") 1) (table (export "t") 1 funcref) (global (export "g") (mut i32) (i32.const 0))
                (func (export "f") (param i32)))`);
            const group = ops.op_wasm_new_group(100_000, 1 << 20, -1, false);
            ops.op_wasm_new_grouped_store(group, "", new Uint8Array());
            const polluted = ["bytes", "args", "minimum", "maximum", "element", "code", "kind", "trap", "wasmStack", "exitCode", "message",
                "name", "cause", "errorAdditionalPropertyKeys", "toJSON"];
            let calls = 0;
            for (const name of names) {{
                running = name;
                for (const [kind, make] of Object.entries(hostile)) {{
                    for (let count = 0; count < 8; count++) {{
                        for (let first = 0; first <= count; first++) {{
                            // The first arguments are identifiers that exist, so that the op reads the others too.
                            const args = Array.from({{ length: count }}, (_, i) => i < first ? 1 : make());
                            for (const key of polluted) Object.defineProperty(Object.prototype, key, {{ configurable: true, get: trap(`get ${{key}}`), set: trap(`set ${{key}}`) }});
                            try {{
                                const returned = ops[name](...args);
                                if (returned instanceof Promise) returned.catch(() => {{}});
                            }} catch {{}}
                            for (const key of polluted) delete Object.prototype[key];
                            calls++;
                        }}
                    }}
                }}
            }}
            for (let i = 0; i < 20; i++) await ops.op_wasm_yield_now();
            const fresh = await load(`(module (func (export "f") (result i32) (i32.const 5)))`);
            return [calls > 10_000, [...new Set(ran)], fresh.call("f")];"#)).threads(600)
            => json!([true, [], 5])
    }

    fn any_sequence_of_ops_is_at_worst_an_error() {
        Attack::new(format!(r#"{OPS}
            const run = async (seed) => {{
                const random = (n) => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0, (seed >>> 8) % n);
                const source = `(module (import "e" "f" (func $f (param i32 externref) (result externref))) (memory (export "m") 1 3)
                    (table (export "t") 2 externref) (global (export "g") (mut externref) (ref.null extern)) (tag $x (export "x"))
                    (func (export "f") (param i32 externref) (result externref) (call $f (local.get 0) (local.get 1)))
                    (type $units (array (mut i16))) (type $pair (struct (field i32)))
                    (func (export "units") (result anyref) (array.new $units (i32.const 5) (i32.const 3)))
                    (func (export "pair") (result anyref) (struct.new $pair (i32.const 5)))
                    (func (export "caught") (result exnref)
                        (block $caught (result exnref) (try_table (catch_all_ref $caught) (throw $x)) (unreachable)))
                    (func (export "spin") (param i32) (result i32) (loop (br_if 0 (i32.eqz (i32.const 0))) ) (i32.const 1))
                    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))`;
                const module = await compile(text(source));
                for (const fuel of [-1, 100_000, 5]) {{
                    const group = ops.op_wasm_new_group(fuel, 1 << 20, 200, true);
                    ops.op_wasm_new_grouped_store(group, "", new Uint8Array());
                }}
                const pending = [];
                let depth = 0;
                const op = () => {{
                    const name = names[random(names.length)];
                    // A collection of garbage is slow.
                    if (name === "op_wasm_collect_js" && random(50) !== 0) return;
                    const values = [0, 1, 2, 3, 7, -1, 2 ** 31, 2 ** 32 - 1, 2 ** 53, NaN, 0.5, 1n, -1n, 2n ** 64n, true, "m", "f", "i32", "externref", "[]",
                        "[\"i32\"]", "", undefined, null, Symbol.iterator, new Uint8Array(random(70)), new Uint32Array([5, 1, 5, 2]), new ArrayBuffer(8),
                        [], {{}}, () => 5, new Proxy([], {{}}), text(`(module (func (export "f${{random(5)}}")))`)];
                    const args = Array.from({{ length: random(8) }}, () => values[random(values.length)]);
                    if (random(3) > 0) for (let i = 0; i < args.length; i++) if (random(3) > 0) args[i] = random(4);
                    try {{
                        const returned = ops[name](...args);
                        if (returned instanceof Promise) pending.push(returned.catch(() => {{}}));
                        return returned;
                    }} catch (error) {{
                        if (!(error instanceof Error) && typeof error !== "string") throw new Error(`threw ${{typeof error}}`);
                    }}
                }};
                const imports = {{ e: {{ f: (n, x) => {{ if (depth++ < 3) for (let i = 0; i < 5; i++) op(); depth--; return x; }} }} }};
                for (let round = 0; round < 40; round++) {{
                    const instance = await caught(() => instantiate(module, imports, {{ fuel: 100_000, timeoutMs: 200, maxMemoryBytes: 1 << 20 }}));
                    await caught(async () => {{
                        const made = await instantiate(module, imports, {{ fuel: 100_000, timeoutMs: 200 }});
                        const objects = ["units", "pair", "caught"].map((name) => made.call(name));
                        pending.push(made.callAsync("spin", [1]).catch(() => {{}}));
                        for (let i = 0; i < 60; i++) op();
                        made.call("f", [1, {{}}]);
                        made.call("f", [1, objects[random(3)]]);
                        made.drop();
                    }});
                    await ops.op_wasm_yield_now();
                }}
                return pending.length;
            }};
            for (const seed of [1, 2, 3, 4]) await run(seed);
            const fresh = await caught(() => load(`(module (memory (export "m") 1) (func (export "f") (result i32) (i32.const 5)))`));
            return "alive";"#))
            .capabilities(|capabilities| capabilities.max_timeout_ms = Some(500)).mebibytes(900)
            => json!("alive")
    }
}
