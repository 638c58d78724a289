//! Objects are freed when they are dropped or collected, and not before.

use ext_wasm::WasmCapabilities;
use serde_json::json;

use crate::support::js::Js;

#[test]
fn a_dropped_instance_is_gone_and_others_are_not() {
    let result = Js::new().run(
        r#"
        const { op_wasm_live_instances: live } = Deno.core.ops;
        const module = await compile(text(fixtures.memory));
        const a = await instantiate(module);
        const b = await instantiate(module);
        const before = live();
        a.drop();
        a.drop();
        const codes = [];
        for (const use of [() => a.call("size"), () => a.func("size"), () => a.memory(),
            () => a.readMemory(0, 1), () => a.fuel, () => a.namespace, () => a.getExport("size")]) {
            codes.push(await codeOf(use));
        }
        module[Symbol.dispose]();
        const { op_wasm_get_export: lookUp } = Deno.core.ops;
        const c = await fixture("memory", {}, { store: b.store });
        c.drop();
        return [before, live(), codes.every((code) => code === 5002), b.call("size"),
            await codeOf(() => instantiate(module)), await codeOf(() => lookUp(a.id, "size")),
            typeof lookUp(b.id, "size"), await codeOf(() => lookUp(c.id, "size"))];
        "#,
    );
    assert_eq!(result, json!([2, 2, true, 1, 5001, 5002, "number", 5002]));
}

#[test]
fn a_store_is_freed_as_a_whole() {
    let result = Js::new().run(
        r#"
        const { op_wasm_live_instances: live } = Deno.core.ops;
        const store = new WasmStore();
        const a = await fixture("memory", {}, { store });
        const b = await fixture("memory", {}, { store });
        const results = [live()];
        a.drop();
        results.push(live(), b.call("size"));
        store.drop();
        results.push(live(), await codeOf(() => b.call("size")));
        results.push(await codeOf(() => fixture("memory", {}, { store })));
        return results;
        "#,
    );
    assert_eq!(result, json!([2, 2, 1, 0, 5002, 5002]));
}

#[test]
fn an_instance_that_others_import_from_stays() {
    let result = Js::new().run(
        r#"
        const env = await fixture("env");
        const user = await fixture("imports", { env: env.namespace });
        const joined = user.store === env.store;
        env.drop();
        return [joined, user.call("run"), user.call("count")];
        "#,
    );
    assert_eq!(result, json!([true, 84, 1]));
}

#[test]
fn an_instance_dropped_from_inside_its_own_import_lives_until_the_call_returns() {
    let result = Js::new().run(
        r#"
        const results = [];
        const instance = await fixture("callback", { env: { twice(x) {
            const view = new Uint8Array(instance.memory().buffer);
            instance.drop();
            results.push(view.length, errorCode(() => instance.readMemory(0, 1)));
            return 2 * x;
        } } });
        function errorCode(f) {
            try { f() } catch (error) { return error.code }
        }
        results.push(instance.call("run", [5]));
        results.push(await codeOf(() => instance.call("run", [5])));
        results.push(Deno.core.ops.op_wasm_live_instances());
        return results;
        "#,
    );
    assert_eq!(result, json!([0, 5002, 15, 5002, 0]));
}

#[test]
fn the_collector_takes_instances_also_when_their_imports_refer_to_them() {
    let result = Js::new().run(
        r#"
        const { op_wasm_live_instances: live } = Deno.core.ops;
        const module = await compile(text(fixtures.callback));
        const make = async () => {
            const instance = await instantiate(module, { env: { twice: (x) => instance.id + x } });
            instance.call("run", [1]);
            new Uint8Array(instance.memory().buffer)[0] = 1;
        };
        for (let i = 0; i < 50; i++) await make();
        await collect();
        return live() <= 2;
        "#,
    );
    assert_eq!(result, json!(true));
}

#[test]
fn the_collector_keeps_reachable_objects() {
    let result = Js::new().run(
        r#"
        const add = (await fixture("add")).func("add");
        const buffer = (await fixture("memory")).memory().buffer;
        const element = (await fixture("tables")).table("table").get(1);
        await collect();
        return [add(1, 2), new Uint8Array(buffer)[16], element(5)];
        "#,
    );
    assert_eq!(result, json!([3, 104, -5]));
}

#[test]
fn the_collector_frees_unreachable_instances() {
    let result = Js::new().run(
        r#"
        const module = await compile(text(fixtures.memory));
        for (let i = 0; i < 12_000; i++) (await instantiate(module)).call("size");
        return Deno.core.ops.op_wasm_live_instances() < 10_000;
        "#,
    );
    assert_eq!(result, json!(true));
}

#[test]
fn the_collector_makes_room_where_the_cap_is_reached() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.max_instances = 20;
    let result = Js::with(capabilities).run(
        r#"
        const module = await compile(text(fixtures.memory));
        const circle = async () => {
            const circle = { instance: await instantiate(module) };
            circle.circle = circle;
        };
        for (let i = 0; i < 100; i++) await circle();
        const held = [];
        const code = await codeOf(async () => {
            while (held.length < 50) held.push(await instantiate(module));
        });
        return [code, held.length];
        "#,
    );
    assert_eq!(result, json!([5001, 20]));
}

#[test]
fn the_collector_frees_unreachable_modules() {
    let result = Js::new().run(
        r#"
        const empty = text("(module)");
        for (let i = 0; i < 3_000; i++) await compile(empty);
        return Deno.core.ops.op_wasm_live_modules() < 2_000;
        "#,
    );
    assert_eq!(result, json!(true));
}

#[test]
fn a_failed_instantiation_leaves_nothing() {
    let result = Js::new().run(
        r#"
        const { op_wasm_live_instances: live } = Deno.core.ops;
        for (let i = 0; i < 20; i++) {
            await codeOf(() => load("(module (func $f unreachable) (start $f))"));
            await codeOf(() => fixture("callback", {}));
        }
        return live();
        "#,
    );
    assert_eq!(result, json!(0));
}

#[test]
fn a_store_that_its_start_function_drops_is_freed() {
    let result = Js::new().run(
        r#"
        const { op_wasm_live_instances: live } = Deno.core.ops;
        const store = new WasmStore();
        const start = '(module (import "a" "f" (func $f)) (start $f))';
        const code = await codeOf(() => load(start, { a: { f: () => store.drop() } }, { store }));
        return [code, live()];
        "#,
    );
    assert_eq!(result, json!([5002, 0]));
}

#[test]
fn the_event_loop_runs_while_cached_modules_are_compiled() {
    let result = Js::new().run(
        "const bytes = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
         const kept = await compile(bytes);
         let turned = false;
         Deno.core.ops.op_wasm_yield_now().then(() => turned = true);
         for (let i = 0; i < 100; i++) (await compile(bytes)).drop();
         return [turned, kept.id];",
    );
    assert_eq!(result[0], true);
}
