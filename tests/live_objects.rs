//! Functions, memories, globals and tables that an app holds and uses.

use serde_json::json;

use crate::support::js::Js;

#[test]
fn a_second_lookup_returns_the_identical_object() {
    let result = Js::new().run(
        r#"
        const env = await fixture("env");
        const user = await load(`(module (import "env" "memory" (memory 1))
            (import "env" "counter" (global (mut i32))) (import "env" "table" (table 4 funcref))
            (import "env" "error" (tag (param i32)))
            (export "m" (memory 0)) (export "g" (global 0)) (export "t" (table 0))
            (export "e" (tag 0)))`, { env: env.namespace });
        return [
            env.func("log") === env.func("log"),
            env.namespace === env.namespace,
            user.memory() === env.memory(),
            user.global("g") === env.global("counter"),
            user.table("t") === env.table("table"),
            user.namespace.e === env.namespace.error,
            env.namespace.memory === env.memory("memory"),
        ];
        "#,
    );
    assert_eq!(result, json!(vec![true; 7]));
}

#[test]
fn globals_are_read_and_set() {
    let result = Js::new().run(
        r#"
        const instance = await fixture("globals");
        const results = instance.exports.filter(({ kind }) => kind === "global")
            .map(({ name }) => instance.global(name).value)
            .map((value) => typeof value === "function" ? value() : value)
            .map((value) => ArrayBuffer.isView(value) ? Array.from(value).join("") : value);
        instance.global("mut_i32").value = -5;
        instance.global("mut_i64").value = 6;
        instance.global("mut_externref").value = "kept";
        results.push(instance.call("get"), instance.global("mut_i64").value,
            instance.global("mut_externref").value, instance.global("mut_f64").type);
        results.push(await codeOf(() => instance.global("mut_i32").value = 0.5));
        results.push(Object.is(instance.global("f64").value, -0));
        return results;
        "#,
    );
    assert_eq!(
        result,
        json!([
            -1, "-9223372036854775808n", 0.5, 0, "1000000020000000", null, 7, 7, "7n", 7, null,
            -5, "6n", "kept", { "value": "f64", "mutable": true }, 5005, true
        ])
    );
}

#[test]
fn tables_are_read_set_and_grown() {
    let result = Js::new().run(
        r#"
        const instance = await fixture("tables");
        const table = instance.table("table");
        const results = [table.length, table.get(2), table.get(0)(21)];
        table.set(2, instance.func("negate"));
        results.push(instance.call("call", [2, 5]), table.grow(1, instance.func("double")));
        results.push(table.length, instance.call("call", [3, 5]), table.type);
        results.push(await codeOf(() => table.grow(2)), await codeOf(() => table.set(4, null)));
        results.push(await codeOf(() => table.set(0, () => 1)), await codeOf(() => table.get(-1)));
        results.push(await codeOf(() => table.set(0, undefined)));
        return results;
        "#,
    );
    assert_eq!(
        result,
        json!([
            3, null, 42, -5, 3, 4, 10,
            { "element": "funcref", "minimum": 4, "maximum": 5, "address": "i32" },
            5003, 5003, 5005, 5003, 5005
        ])
    );
}

#[test]
fn sixty_four_bit_memories_and_tables() {
    let result = Js::new().run(
        r#"
        const memory = await fixture("memory64");
        memory.call("store", [8n, -1n]);
        const table = await fixture("table64");
        table.table("table").set(1, "x");
        return [
            memory.call("load", [8]), memory.call("grow", [1n]), memory.memory().type,
            await codeOf(() => memory.call("load", [2n ** 63n])),
            memory.readMemory(65536, 2).length,
            table.call("get", [1n]), table.call("size"), table.table("table").type,
            new WasmMemory(new WasmStore(), { minimum: 1, address: "i64" }).type,
            new WasmTable(new WasmStore(), { element: "externref", minimum: 1, address: "i64" }, 5)
                .get(0),
        ];
        "#,
    );
    assert_eq!(
        result,
        json!([
            "-1n", "1n", { "minimum": 2, "maximum": 8, "shared": false, "address": "i64" },
            5002, 2, "x", "2n",
            { "element": "externref", "minimum": 2, "maximum": 4, "address": "i64" },
            { "minimum": 1, "shared": false, "address": "i64" }, 5
        ])
    );
}

#[test]
fn several_memories_are_distinguished_by_name() {
    let result = Js::new().run(
        r#"
        const instance = await fixture("multi_memory");
        return [
            instance.readMemory(0, 1, "a")[0], instance.readMemory(0, 1, "b")[0],
            await codeOf(() => instance.readMemory(0, 1)),
            (await fixture("memory")).memory().type,
        ];
        "#,
    );
    assert_eq!(
        result,
        json!([97, 98, 5003, { "minimum": 1, "maximum": 3, "shared": false, "address": "i32" }])
    );
}

#[test]
fn shared_memories_are_distinguished() {
    let result = Js::new().run(
        r#"
        const { namespace: { own, a, b } } = await load(`(module (memory (export "own") 1)
            (memory (export "a") 2 2 shared) (memory (export "b") 3 3 shared))`);
        return [own, a, b].map((memory) => memory.byteLength / 65536);
        "#,
    );
    assert_eq!(result, json!([1, 2, 3]));
}

#[test]
fn every_type_that_needs_no_definition_can_be_named() {
    let result = Js::new().run(
        r#"
        const store = new WasmStore();
        const zeros = { i32: 0, i64: 0n, f32: 0, f64: 0, v128: new Uint8Array(16) };
        const wrong = [];
        for (const value of ["i32", "i64", "f32", "f64", "v128", "externref", "funcref", "anyref", "eqref",
            "i31ref", "structref", "arrayref", "nullref", "nullexternref", "nullfuncref", "exnref",
            "nullexnref"]) {
            const zero = Object.hasOwn(zeros, value) ? zeros[value] : null;
            const global = new WasmGlobal(store, { value, mutable: true }, zero);
            const guest = await load(
                `(module (import "a" "g" (global (mut ${value}))) (export "g" (global 0))
                    (func (export "f") (param ${value}) (result ${value}) (local.get 0)))`,
                { a: { g: global } });
            const { params, results } = guest.getExport("f");
            const same = guest.global("g") === global && global.type.value === value &&
                guest.exports[0].value === value && `${params} ${results}` === `${value} ${value}` &&
                String(global.value) === String(zero);
            if (!same) wrong.push([value, global.type, guest.exports]);
            if (zero === null && !value.endsWith("exnref")) {
                const table = new WasmTable(store, { element: value, minimum: 2 });
                if (table.type.element !== value || table.get(1) !== zero && value !== "externref") wrong.push(table.type);
            }
        }
        wrong.push(await codeOf(() => new WasmGlobal(store, { value: "stringref", mutable: true }, null)));
        return wrong;
        "#,
    );
    assert_eq!(result, json!([5005]));
}

#[test]
fn tables_that_an_app_makes_are_distinguished() {
    let result = Js::new().run(
        r#"
        const store = new WasmStore();
        const make = (type, value) => new WasmTable(store, { element: "externref", ...type }, value);
        const first = make({ minimum: 1 }, "first");
        const second = make({ minimum: 2, maximum: 3 }, "second");
        const third = make({ minimum: 3, address: "i64" }, "third");
        const results = [first, second, third].map((table) => [table.length, table.get(0), table.type]);
        results.push(first.grow(5, "more"), first.length, await codeOf(() => second.grow(2)), second.length);
        return results;
        "#,
    );
    assert_eq!(
        result,
        json!([
            [1, "first", { "element": "externref", "minimum": 1, "address": "i32" }],
            [2, "second", { "element": "externref", "minimum": 2, "maximum": 3, "address": "i32" }],
            [3, "third", { "element": "externref", "minimum": 3, "address": "i64" }],
            1, 6, 5003, 2
        ])
    );
}
