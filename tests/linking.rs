//! Imports of every kind and from every source.

use serde_json::json;

use crate::support::js::Js;

#[test]
fn the_namespace_of_an_instance_is_an_import_of_another() {
    let result = Js::new().run(
        r#"
        const env = await fixture("env");
        const user = await fixture("imports", { env: env.namespace });
        const counts = [user.call("count"), user.call("count"), env.global("counter").value];
        return [
            user.call("run"),
            counts,
            Deno.core.decode(env.readMemory(0, 8)),
            env.table("table").get(0)(4),
            (await caught(() => user.call("fail"))).message,
        ];
        "#,
    );
    assert_eq!(
        result,
        json!([
            84,
            [1, 2, 2],
            "imported",
            8,
            "uncaught WebAssembly exception"
        ])
    );
}

#[test]
fn each_instance_calls_its_own_imports() {
    let result = Js::new().run(
        r#"
        const module = await compile(text(`(module
            (import "env" "f" (func $f (param i32) (result i32)))
            (import "env" "g" (func $g (result i32)))
            (export "f" (func $f))
            (func (export "sum") (param i32) (result i32)
                (i32.add (call $f (local.get 0)) (call $g))))`));
        const env = (n) => ({ env: { f: (x) => x * n, g: () => n } });
        const store = new WasmStore();
        const [one, two, three, four] = [
            await instantiate(module, env(1)),
            await instantiate(module, env(10)),
            await instantiate(module, env(100), { store }),
            await instantiate(module, env(1000), { store }),
        ];
        const five = await instantiate(module, { env: { f: four.func("f"), g: () => 7 } });
        const sums = () => [one, two, three, four, five].map((i) => [i.call("sum", [2]), i.call("f", [3])]);
        return [sums(), sums(), three.func("f") === four.func("f")];
        "#,
    );
    let sums = json!([[3, 3], [30, 30], [300, 300], [3000, 3000], [2007, 3000]]);
    assert_eq!(result, json!([sums, sums, false]));
}

#[test]
fn imports_of_the_same_name_may_have_different_types() {
    let result = Js::new().run(
        r#"
        const got = [];
        const f = (...args) => { got.push(args); return args[0]; };
        const guest = await load(`(module
            (import "env" "f" (func $i (param i32) (result i32)))
            (import "env" "f" (func $f (param f64 f64) (result f64)))
            (func (export "both") (result f64)
                (f64.add (f64.convert_i32_s (call $i (i32.const 1))) (call $f (f64.const 0.5) (f64.const 2)))))`,
            { env: { f } });
        return [guest.call("both"), got];
        "#,
    );
    assert_eq!(result, json!([1.5, [[1], [0.5, 2]]]));
}

#[test]
fn an_apps_own_objects_are_imports() {
    let result = Js::new().run(
        r#"
        const store = new WasmStore();
        const env = {
            memory: new WasmMemory(store, { minimum: 1, maximum: 4 }),
            table: new WasmTable(store, { element: "funcref", minimum: 4, maximum: 8 }),
            answer: new WasmGlobal(store, { value: "i32" }, 21),
            counter: new WasmGlobal(store, { value: "i32", mutable: true }, 10),
            error: new WasmTag(store, { params: ["i32"] }),
            twice: (x) => 2 * x,
        };
        const user = await fixture("imports", { env });
        return [
            user.store === store,
            user.call("run"),
            user.call("count"),
            env.counter.value,
            Deno.core.decode(env.memory.read(0, 8)),
            env.table.get(0)(4),
        ];
        "#,
    );
    assert_eq!(result, json!([true, 42, 11, 11, "imported", 8]));
}

#[test]
fn numbers_and_bigints_are_immutable_globals() {
    let result = Js::new().run(
        r#"
        const globals = { i32: -1, i64: 2n ** 63n, f32: 0.1, f64: 0.1, ref: "x", none: null };
        const instance = await load(`(module
            (import "g" "i32" (global $i32 i32)) (import "g" "i64" (global $i64 i64))
            (import "g" "f32" (global $f32 f32)) (import "g" "f64" (global $f64 f64))
            (import "g" "ref" (global $ref externref)) (import "g" "none" (global $none funcref))
            (func (export "all") (result i32 i64 f32 f64 externref funcref)
                (global.get $i32) (global.get $i64) (global.get $f32) (global.get $f64)
                (global.get $ref) (global.get $none)))`, { g: globals });
        const all = instance.call("all");
        return [...all, all[2] === Math.fround(0.1)];
        "#,
    );
    assert_eq!(
        result,
        json!([
            -1,
            "-9223372036854775808n",
            0.10000000149011612,
            0.1,
            "x",
            null,
            true
        ])
    );
}

#[test]
fn a_function_of_the_same_store_is_linked_directly() {
    let result = Js::new().run(
        r#"
        const add = await fixture("add");
        const user = await load(`(module
            (import "m" "add" (func $add (param i32 i32) (result i32)))
            (export "again" (func $add))
            (func (export "six") (result i32) (call $add (i32.const 2) (i32.const 4))))`,
            { m: { add: add.func("add") } });
        return [user.store === add.store, user.call("six"), user.call("again", [1, 1])];
        "#,
    );
    assert_eq!(result, json!([true, 6, 2]));
}

#[test]
fn a_module_describes_its_imports_exports_and_custom_sections() {
    let result = Js::new().run(
        r#"
        const module = await compile(text(fixtures.imports));
        const custom = await compile(text(fixtures.custom));
        return [
            module.imports,
            module.exports,
            custom.customSections("greeting").map((bytes) => Deno.core.decode(bytes)),
            custom.customSections("none"),
            Object.isFrozen(module.exports) && Object.isFrozen(module.exports[0]),
        ];
        "#,
    );
    assert_eq!(
        result,
        json!([
            [
                { "module": "env", "name": "memory", "kind": "memory", "minimum": 1,
                  "maximum": 4, "shared": false, "address": "i32" },
                { "module": "env", "name": "table", "kind": "table", "element": "funcref",
                  "minimum": 4, "maximum": 8, "address": "i32" },
                { "module": "env", "name": "answer", "kind": "global", "value": "i32",
                  "mutable": false },
                { "module": "env", "name": "counter", "kind": "global", "value": "i32",
                  "mutable": true },
                { "module": "env", "name": "error", "kind": "tag", "params": ["i32"] },
                { "module": "env", "name": "twice", "kind": "function", "params": ["i32"],
                  "results": ["i32"] },
            ],
            [
                { "name": "count", "kind": "function", "params": [], "results": ["i32"] },
                { "name": "run", "kind": "function", "params": [], "results": ["i32"] },
                { "name": "fail", "kind": "function", "params": [], "results": [] },
            ],
            ["hello", "world"],
            [],
            true,
        ])
    );
}

#[test]
fn text_and_binary_validate() {
    let result = Js::new().run(
        r#"
        const empty = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
        return [validate(empty), validate(empty.buffer), validate(text("(module)")),
            validate(text("(module (func (result i32)))")), validate(new Uint8Array([1])),
            validate(new Uint8Array()), (await compile(empty)).exports.length];
        "#,
    );
    assert_eq!(result, json!([true, true, true, false, false, false, 0]));
}

#[test]
fn compiling_does_not_block_the_event_loop() {
    let result = Js::new().run(
        r#"
        let turns = 0;
        const module = compile(text(fixtures.add));
        let done = false;
        module.then(() => done = true);
        while (!done) {
            await Deno.core.ops.op_wasm_yield_now();
            turns++;
        }
        return turns > 0;
        "#,
    );
    assert_eq!(result, json!(true));
}
