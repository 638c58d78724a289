//! Functions, memories, globals and tables, held and used by an app.

use serde_json::json;

use crate::js::Js;

#[test]
fn looking_something_up_twice_gives_the_identical_object() {
    let told = Js::new().run(
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
    assert_eq!(told, json!(vec![true; 7]));
}

#[test]
fn globals_are_read_and_set() {
    let told = Js::new().run(
        r#"
        const instance = await fixture("globals");
        const told = instance.exports.filter(({ kind }) => kind === "global")
            .map(({ name }) => instance.global(name).value)
            .map((value) => typeof value === "function" ? value() : value)
            .map((value) => ArrayBuffer.isView(value) ? Array.from(value).join("") : value);
        instance.global("mut_i32").value = -5;
        instance.global("mut_i64").value = 6;
        instance.global("mut_externref").value = "kept";
        told.push(instance.call("get"), instance.global("mut_i64").value,
            instance.global("mut_externref").value, instance.global("mut_f64").type);
        told.push(await codeOf(() => instance.global("mut_i32").value = 0.5));
        told.push(Object.is(instance.global("f64").value, -0));
        return told;
        "#,
    );
    assert_eq!(
        told,
        json!([
            -1, "-9223372036854775808n", 0.5, 0, "1000000020000000", null, 7, 7, "7n", 7, null,
            -5, "6n", "kept", { "value": "f64", "mutable": true }, 5005, true
        ])
    );
}

#[test]
fn tables_are_read_set_and_grown() {
    let told = Js::new().run(
        r#"
        const instance = await fixture("tables");
        const table = instance.table("table");
        const told = [table.length, table.get(2), table.get(0)(21)];
        table.set(2, instance.func("negate"));
        told.push(instance.call("call", [2, 5]), table.grow(1, instance.func("double")));
        told.push(table.length, instance.call("call", [3, 5]), table.type);
        told.push(await codeOf(() => table.grow(2)), await codeOf(() => table.set(4, null)));
        told.push(await codeOf(() => table.set(0, () => 1)), await codeOf(() => table.get(-1)));
        told.push(await codeOf(() => table.set(0, undefined)));
        return told;
        "#,
    );
    assert_eq!(
        told,
        json!([
            3, null, 42, -5, 3, 4, 10,
            { "element": "funcref", "minimum": 4, "maximum": 5, "address": "i32" },
            5003, 5003, 5005, 5003, 5005
        ])
    );
}

#[test]
fn sixty_four_bit_memories_and_tables() {
    let told = Js::new().run(
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
        told,
        json!([
            "-1n", "1n", { "minimum": 2, "maximum": 8, "shared": false, "address": "i64" },
            5002, 2, "x", "2n",
            { "element": "externref", "minimum": 2, "maximum": 4, "address": "i64" },
            { "minimum": 1, "shared": false, "address": "i64" }, 5
        ])
    );
}

#[test]
fn several_memories_are_told_apart_by_name() {
    let told = Js::new().run(
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
        told,
        json!([97, 98, 5003, { "minimum": 1, "maximum": 3, "shared": false, "address": "i32" }])
    );
}
