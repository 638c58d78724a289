//! References keep their values alive, and values without references are freed.

use serde_json::json;

use crate::support::js::Js;

#[test]
fn a_guest_keeps_any_value_and_returns_the_identical_one() {
    let result = Js::new().run(
        r#"
        const instance = await fixture("reference_types");
        const values = [{}, [], () => {}, Symbol("s"), "text", 5, 5n, NaN, undefined, true,
            new Proxy({}, {}), instance];
        const kept = values.map((value) => {
            instance.call("keep", [value]);
            instance.call("set", [1, value]);
            return Object.is(instance.call("kept"), value) &&
                Object.is(instance.call("get", [1]), value) &&
                Object.is(instance.global("global").value, value) &&
                Object.is(instance.table("table").get(1), value) &&
                instance.call("is_null", [value]) === 0;
        });
        instance.call("keep", [null]);
        return [kept.every(Boolean), instance.call("kept"), instance.call("is_null", [null])];
        "#,
    );
    assert_eq!(result, json!([true, null, 1]));
}

#[test]
fn functions_keep_their_identity_and_their_store() {
    let result = Js::new().run(
        r#"
        const typed = await fixture("function_references");
        const other = await fixture("function_references");
        const identity = await fixture("identity");
        const { square } = typed.namespace;
        return [
            typed.call("get") === square,
            typed.call("apply", [square, 7]),
            await codeOf(() => typed.call("apply", [null, 7])),
            await codeOf(() => typed.call("apply", [other.func("square"), 7])),
            await codeOf(() => typed.call("apply", [typed.func("apply"), 7])),
            identity.call("funcref", [identity.func("i32")]) === identity.func("i32"),
            square.length,
        ];
        "#,
    );
    assert_eq!(result, json!([true, 49, 5005, 5005, 5005, true, 1]));
}

#[test]
fn guest_objects_are_opaque_and_come_back_unchanged() {
    let result = Js::new().run(
        r#"
        const gc = await fixture("gc");
        const other = await fixture("gc");
        const pair = gc.call("pair", [30, 12]);
        return [
            pair instanceof WasmReference,
            Object.keys(pair).length,
            gc.call("sum", [pair]),
            gc.call("length", [gc.call("ints", [9])]),
            gc.call("i31.get", [gc.call("i31", [-5])]),
            await codeOf(() => gc.call("length", [pair])),
            await codeOf(() => gc.call("sum", [null])),
            await codeOf(() => other.call("sum", [pair])),
            gc.call("externalize", [gc.call("internalize", ["x"])]),
            gc.call("sum", [pair]),
        ];
        "#,
    );
    assert_eq!(
        result,
        json!([true, 0, 42, 9, -5, 5005, 5005, 5005, "x", 42])
    );
}

#[test]
fn guest_objects_pass_as_externref_and_exceptions_as_exnref() {
    let result = Js::new().run(
        r#"
        const gc = await fixture("gc");
        const outside = gc.call("externalize", [gc.call("pair", [3, 4])]);
        const inside = gc.call("internalize", [outside]);
        const thrower = await load(`(module
            (tag $t (param i32))
            (func (export "catch") (param i32) (result exnref)
                (block $caught (result exnref)
                    (try_table (catch_all_ref $caught) (throw $t (local.get 0)))
                    (unreachable)))
            (func (export "payload") (param exnref) (result i32)
                (block $caught (result i32)
                    (try_table (catch $t $caught) (throw_ref (local.get 0)))
                    (unreachable))))`);
        const exceptions = [5, 6].map((number) => thrower.call("catch", [number]));
        return [
            typeof outside, gc.call("internalize", [null]), typeof inside,
            exceptions.map((exception) => thrower.call("payload", [exception])),
            (await caught(() => thrower.call("payload", [null]))).trap,
        ];
        "#,
    );
    assert_eq!(
        result,
        json!(["object", null, "object", [5, 6], "null reference"])
    );
}

#[test]
fn the_collector_of_a_guest_keeps_objects_that_the_app_holds() {
    let result = Js::new().run(
        r#"
        const gc = await fixture("gc");
        const kept = [];
        for (let i = 0; i < 100; i++) kept.push(gc.call("pair", [i, 1]));
        gc.call("churn", [1_000_000]);
        return kept.every((pair, i) => gc.call("sum", [pair]) === i + 1);
        "#,
    );
    assert_eq!(result, json!(true));
}

#[test]
fn values_that_no_guest_holds_are_freed() {
    let result = Js::new().run(
        r#"
        const instance = await fixture("reference_types");
        let collected = 0;
        const registry = globalThis.registry = new FinalizationRegistry(() => collected++);
        instance.call("keep", ["kept"]);
        for (let i = 0; i < 20_000; i++) {
            const value = { i };
            registry.register(value);
            instance.call("is_null", [value]);
        }
        await collect();
        return [collected > 10_000, instance.call("kept")];
        "#,
    );
    assert_eq!(result, json!([true, "kept"]));
}

#[test]
fn objects_of_unreachable_handles_are_freed() {
    let result = Js::new().run(
        r#"
        const gc = await load(`(module
            (type $big (array (mut i64)))
            (func (export "big") (result (ref $big)) (array.new_default $big (i32.const 12500))))`,
            {}, { maxMemoryBytes: 64 * 1024 * 1024 });
        // Each object has 100 kB: all together far exceed the cap.
        for (let i = 0; i < 3000; i++) {
            gc.call("big");
            if (i % 100 === 99) await collect();
        }
        return true;
        "#,
    );
    assert_eq!(result, json!(true));
}

#[test]
fn arguments_refused_half_way_do_not_pile_up() {
    let result = Js::new().run(
        r#"
        const instance = await load(`(module
            (func (export "f") (param externref i32)) (func (export "g") (param externref funcref)))`);
        const other = (await fixture("add")).func("add");
        let collected = 0;
        const registry = globalThis.registry = new FinalizationRegistry(() => collected++);
        for (let i = 0; i < 5000; i++) {
            for (const [name, bad] of [["f", "x"], ["g", other]]) {
                const value = { i };
                registry.register(value);
                try { instance.call(name, [value, bad]) } catch {}
            }
        }
        await collect();
        return collected > 9000;
        "#,
    );
    assert_eq!(result, json!(true));
}
