//! Exceptions that pass through guests and JavaScript.

use serde_json::json;

use crate::support::js::Js;

#[test]
fn the_cause_is_the_value_that_an_import_threw() {
    let result = Js::new().run(
        r#"
        const values = [new RangeError("x"), {}, "text", 5, undefined, null, Symbol("s"), NaN,
            () => {}, new Proxy({}, { getPrototypeOf() { throw 1 }, get() { throw 2 } })];
        let thrown;
        const instance = await fixture("callback", { env: { twice() { throw thrown } } });
        const results = [];
        for (thrown of values) {
            const error = await caught(() => instance.call("run", [1]));
            results.push(error.code === 5002 && "cause" in error && Object.is(error.cause, thrown));
        }
        return results;
        "#,
    );
    assert_eq!(result, json!(vec![true; 10]));
}

#[test]
fn a_guest_may_catch_an_exception_of_an_import() {
    let result = Js::new().run(
        r#"
        const instance = await fixture("callback", { env: { twice() { throw new Error("x") } } });
        return [instance.call("catch", [1]), instance.call("catch", [2])];
        "#,
    );
    assert_eq!(result, json!([-1, -1]));
}

#[test]
fn a_value_that_a_guest_rethrows_is_identical() {
    let result = Js::new().run(
        r#"
        const thrown = { mine: true };
        const instance = await load(`(module
            (import "env" "f" (func $f))
            (func (export "again")
                (block $caught (result exnref)
                    (try_table (catch_all_ref $caught) (call $f))
                    (return))
                (throw_ref)))`, { env: { f() { throw thrown } } });
        return (await caught(() => instance.call("again"))).cause === thrown;
        "#,
    );
    assert_eq!(result, json!(true));
}

#[test]
fn a_guest_cannot_catch_a_trap_or_fuel_exhaustion_of_another() {
    let result = Js::new().run(
        r#"
        const traps = await fixture("traps");
        const spin = await fixture("spin", {}, { fuel: 1000 });
        let stop;
        const instance = await fixture("callback", { env: { twice: () => stop() } });
        const results = [];
        for (stop of [() => traps.call("divide"), () => spin.call("forever")]) {
            const { code, cause } = await caught(() => instance.call("catch", [1]));
            results.push([code, cause.code, cause.trap ?? null]);
        }
        return results;
        "#,
    );
    assert_eq!(
        result,
        json!([[5002, 5002, "integer divide by zero"], [5002, 5006, null]])
    );
}

#[test]
fn a_guest_cannot_catch_an_unusable_result() {
    let result = Js::new().run(
        r#"
        const instance = await fixture("callback", { env: { twice: () => "x" } });
        return await codeOf(() => instance.call("catch", [1]));
        "#,
    );
    assert_eq!(result, json!(5005));
}

#[test]
fn a_guests_exception_passes_javascript_and_is_caught_by_its_tag() {
    let result = Js::new().run(
        r#"
        const store = new WasmStore();
        const thrower = await fixture("exceptions", {}, { store });
        let seen;
        const env = {
            e: thrower.namespace.e,
            f: (x) => {
                try {
                    thrower.call("throw", [x]);
                } catch (error) {
                    seen = tell(error);
                    throw error;
                }
            },
        };
        const catcher = await load(`(module
            (import "env" "e" (tag $e (param i32)))
            (import "env" "f" (func $f (param i32)))
            (func (export "catch") (param i32) (result i32)
                (block $caught (result i32)
                    (try_table (catch $e $caught) (call $f (local.get 0)))
                    (i32.const 0))))`, { env });
        const value = catcher.call("catch", [42]);
        return [value, seen.code, seen.message];
        "#,
    );
    assert_eq!(result, json!([42, 5002, "uncaught WebAssembly exception"]));
}

#[test]
fn thousands_of_exceptions_are_freed() {
    let result = Js::new().run(
        r#"
        const instance = await fixture("callback", { env: { twice() { throw new Error("x") } } });
        for (let i = 0; i < 20_000; i++) instance.call("catch", [1]);
        return instance.call("catch", [1]);
        "#,
    );
    assert_eq!(result, json!(-1));
}
