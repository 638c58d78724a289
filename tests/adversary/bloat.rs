//! Everything that scripts and guests can make is capped, and operations that fail leave nothing behind.

use serde_json::json;

use super::{Attack, attacks};

attacks! {
    fn what_nothing_refers_to_is_freed_without_a_turn_of_the_event_loop() {
        // In a process of its own: it uses most of the mappings that the guests of a process may have.
        Attack::new(format!("{}\n{}\nreturn true;", include_str!("../webassembly/prelude.js"), include_str!("flat.js")))
            => json!(true)
    }

    fn refused_values_are_freed() {
        Attack::new(r#"
            const { op_wasm_yield_now: turn } = Deno.core.ops;
            const store = new WasmStore();
            const global = new WasmGlobal(store, { value: "externref" }, 1);
            const table = new WasmTable(store, { element: "externref", minimum: 1, maximum: 1 });
            const instance = await load(`(module (import "e" "f" (func $f (param externref) (result externref)))
                (func (export "two") (param externref i32)) (func (export "trap") (param externref) unreachable)
                (func (export "f") (param externref) (result externref) (call $f (local.get 0))))`, { e: { f: (x) => {
                // QuickJS leaks memory for each thrown value that is not an error.
                throw Object.assign(new Error("mine"), { x }); } } });
            const gone = await load(`(module (func (export "f") (param externref)))`);
            const f = gone.func("f");
            gone.drop();
            const dropped = new WasmStore();
            const of = new WasmGlobal(dropped, { value: "externref", mutable: true }, 1);
            dropped.drop();
            const value = () => ({ bytes: new Uint8Array(200) });
            const fails = [
                () => { global.value = value(); },
                () => table.set(5, value()),
                () => table.grow(5, value()),
                () => new WasmGlobal(store, { value: "(ref $extern)" }, value()),
                () => new WasmGlobal(store, { value: "nonsense" }, value()),
                () => new WasmTable(store, { element: "externref", minimum: 1e12 }, value()),
                () => instance.call("two", [value(), "x"]),
                () => instance.call("trap", [value()]),
                () => instance.call("f", [value()]),
                () => f(value()),
                () => { of.value = value(); },
            ];
            const results = [];
            for (const fail of fails) {
                let failed = 0;
                for (let i = 0; i < many; i++) {
                    try { fail(); } catch { failed++; }
                    if (i % 1000 === 0) await turn();
                }
                results.push(failed === many);
            }
            return results.every(Boolean);"#).mebibytes(200)
            => json!(true)
    }

    fn instances_that_fail_leave_nothing() {
        Attack::new(r#"
            const { op_wasm_yield_now: turn, op_wasm_live_instances: live } = Deno.core.ops;
            const store = new WasmStore({ maxMemoryBytes: 1 << 20 });
            const module = await compile(text(`(module (import "e" "f" (func)) (import "e" "g" (global i32)) (import "e" "m" (memory 1)))`));
            const table = new WasmTable(store, { element: "funcref", minimum: 1 });
            const small = new WasmMemory(store, { minimum: 0 });
            const large = await compile(text(`(module (memory 100))`));
            const fails = [() => instantiate(module, { e: { f() {}, g: 1, m: table } }), () => instantiate(module, { e: { f() {}, g: "x", m: small } }),
                () => instantiate(module, { e: { f() {} } }, { store }), () => instantiate(module, { e: { f() {}, g: 1, m: small } }, { store }),
                () => instantiate(large, {}, { store }), () => instantiate(large, {}, { maxMemoryBytes: 1 })];
            const results = [];
            for (const fail of fails) {
                for (let i = 0; i < many / 10; i++) {
                    const code = await codeOf(fail);
                    if (code !== 5001) results.push(code);
                    if (i % 1000 === 0) await turn();
                }
            }
            return [results.slice(0, 3), live()];"#).mebibytes(250)
            => json!([[], 0])
    }

    fn memory_of_instances_that_fail_is_given_back() {
        Attack::new(r#"
            const options = { maxMemoryBytes: 100 * 65536 };
            const modules = [
                "(module (memory 60) (memory 60))", "(module (memory 60) (table 1 funcref) (table 20000000 funcref))",
                `(module (import "e" "t" (table 5 funcref)) (memory 60))`, `(module (import "e" "t" (table 5 funcref)) (memory 1 90 shared))`,
                "(module (memory 1 90 shared) (memory 60))", "(module (global (ref extern) (ref.null extern)) (memory 60))",
                "(module (type $a (array i8)) (global (ref $a) (array.new_default $a (i32.const 1))) (memory 60) (memory 60))",
            ];
            const results = [];
            for (const source of modules) {
                const module = await compile(text(source)).catch(() => undefined);
                if (module === undefined) continue;
                const store = new WasmStore(options);
                const t = new WasmTable(store, { element: "funcref", minimum: 1 });
                const messages = new Set();
                for (let i = 0; i < many / 10; i++) {
                    const error = await caught(() => instantiate(module, { e: { t } }, { store }));
                    messages.add(`${error.code} ${error.message}`);
                }
                // The store has as much room as before, and a mapping for a memory of this size.
                const memory = new WasmMemory(store, { minimum: 95 });
                results.push([messages.size, memory.byteLength / 65536]);
                store.drop();
            }
            const store = new WasmStore(options);
            for (let i = 0; i < 1000; i++) await caught(() => new WasmMemory(store, { minimum: 5, maximum: 4, shared: true }));
            return [results, new WasmMemory(store, { minimum: 1, maximum: 100, shared: true }).byteLength];"#)
            => json!([[[1, 95], [1, 95], [1, 95], [1, 95], [1, 95], [1, 95]], 65536])
    }

    /// An instance whose start function traps stays in its store, and counts under the caps.
    fn instances_that_fail_when_they_start_count() {
        Attack::new(r#"
            const module = await compile(text(`(module (memory 60) (func $start unreachable) (start $start))`));
            const large = await compile(text(`(module (memory 1) (data (i32.const 65536) "a"))`));
            const store = new WasmStore({ maxMemoryBytes: 100 * 65536 });
            const results = [];
            for (const tried of [module, large]) {
                const ends = new Map();
                for (let i = 0; i < 200; i++) {
                    const { code, trap } = await caught(() => instantiate(tried, {}, { store }));
                    const end = `${code} ${trap}`;
                    ends.set(end, (ends.get(end) ?? 0) + 1);
                }
                results.push([...ends]);
            }
            return results;"#)
            => json!([[["5002 unreachable", 1], ["5001 undefined", 199]], [["5002 out of bounds memory access", 40], ["5001 undefined", 160]]])
    }

    fn modules_that_fail_leave_nothing() {
        Attack::new(r#"
            const { op_wasm_live_modules: live } = Deno.core.ops;
            const sources = [new Uint8Array(100), text("(module (func (result i32)))"), text("(nonsense"), new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 9])];
            const results = [];
            for (let i = 0; i < many / 10; i++) {
                const code = await codeOf(() => compile(sources[i % sources.length]));
                if (code !== 5000) results.push(code);
            }
            return [results.slice(0, 3), live()];"#).mebibytes(250)
            => json!([[], 0])
    }

    fn collecting_more_values_than_can_exist_is_refused() {
        Attack::new(r#"
            const { op_wasm_new_store: newStore, op_wasm_collect: collect } = Deno.core.ops;
            const store = newStore(-1, -1, -1, false, "", new Uint8Array(), 0, 0);
            return [await codeOf(() => collect(store, 2 ** 32 - 1)), collect(store, 8).length];"#)
            => json!([5002, 32])
    }

    fn growths_that_are_refused_take_no_mappings() {
        Attack::new(r#"
            const grows = (limits) => `(module (memory ${limits}) (func (export "grow") (param $n i32)
                (loop (drop (memory.grow (i32.const 1))) (br_if 0 (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))`;
            const bounded = await load(grows("0 0"));
            bounded.call("grow", [100_000]);
            const capped = await load(grows("0"), {}, { maxMemoryBytes: 0 });
            capped.call("grow", [100_000]);
            return new WasmMemory(new WasmStore(), { minimum: 1 }).byteLength;"#)
            => json!(65536)
    }

    fn references_that_one_call_passes_are_counted() {
        Attack::new(r#"
            const passes = `(module (type $s (struct (field i32))) (import "e" "f" (func $f (param anyref)))
                (func (export "run") (loop (call $f (struct.new $s (i32.const 1))) (br 0))))`;
            const returns = `(module (import "e" "f" (func $f (result externref))) (table $t 1000000 externref)
                (func (export "run") (local i32) (loop (table.set $t (local.get 0) (call $f)) (local.set 0 (i32.add (local.get 0) (i32.const 1))) (br 0))))`;
            const results = [];
            for (const source of [passes, returns]) {
                let calls = 0;
                const instance = await load(source, { e: { f: () => { calls++; return { calls }; } } });
                const error = await caught(() => instance.call("run"));
                results.push(error.code, error.message.includes("the cap is 5000"), calls);
                instance.drop();
            }
            return results;"#).capabilities(|capabilities| capabilities.max_references = 5000)
            => json!([5002, true, 5000, 5002, true, 5001])
    }

    fn objects_that_a_script_makes_are_capped() {
        Attack::new(r#"
            const results = [];
            const until = async (make) => {
                const kept = [];
                for (let i = 0; i < 1000; i++) {
                    const error = await caught(async () => { kept.push(await make(i)); });
                    if (error.code) return [kept.length, error.code, /the cap is \d+$/.test(error.message)];
                }
            };
            results.push(await until(() => new WasmStore()));
            await collect();
            const store = new WasmStore();
            results.push(await until(() => new WasmGlobal(store, { value: "i32" }, 1)));
            results.push(await until(() => new WasmTag(store, { params: [] })));
            results.push(await until((i) => compile(text(`(module (func (result i32) (i32.const ${i})))`))));
            return results;"#).capabilities(|capabilities| {
                capabilities.max_stores = 10;
                capabilities.max_references = 20;
                capabilities.max_modules = 30;
            })
            => json!([[10, 5001, true], [20, 5001, true], [20, 5001, true], [30, 5000, true]])
    }

    fn memories_are_refused_before_the_process_has_no_more_mappings() {
        Attack::new(r#"
            const module = await compile(text(`(module ${Array.from({ length: 100 }, (_, k) => `(memory 2) (data (memory ${k}) (i32.const 0) "a")`).join("")})`));
            const keep = [];
            let error;
            try { for (;;) keep.push(await instantiate(module)); } catch (refused) { error = refused; }
            const works = [];
            for (let n = 1; n < 20; n++) works.push((await compile(text(`(module ${`(func (result i32) (i32.const ${n}))`.repeat(200)})`))).exports.length);
            const few = keep.length > 50;
            while (keep.length > 0) keep.pop().drop();
            return [few, error.code, /the guests of this process use \d+ mappings of the \d+ that they may/.test(error.message), works.length,
                (await instantiate(module)).exports.length];"#).mebibytes(1200)
            => json!([true, 5001, true, 19, 0])
    }

    fn many_instantiations_at_once_succeed() {
        Attack::new(r#"
            const module = await compile(text(`(module (func (export "f") (result i32) (i32.const 1)))`));
            const all = await Promise.all(Array.from({ length: 5000 }, () => instantiate(module)));
            return all.reduce((sum, instance) => sum + instance.call("f"), 0);"#)
            => json!(5000)
    }
}
