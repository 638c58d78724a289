//! Exceptions on their way through guests and JavaScript.

use serde_json::json;

use crate::js::Js;

#[test]
fn what_an_import_throws_arrives_as_the_cause_unchanged() {
    let told = Js::new().run(
        r#"
        const values = [new RangeError("x"), {}, "text", 5, undefined, null, Symbol("s"), NaN,
            () => {}, new Proxy({}, { getPrototypeOf() { throw 1 }, get() { throw 2 } })];
        let thrown;
        const instance = await fixture("callback", { env: { twice() { throw thrown } } });
        const told = [];
        for (thrown of values) {
            const error = await caught(() => instance.call("run", [1]));
            told.push(error.code === 5002 && "cause" in error && Object.is(error.cause, thrown));
        }
        return told;
        "#,
    );
    assert_eq!(told, json!(vec![true; 10]));
}

#[test]
fn a_guest_may_catch_what_an_import_throws() {
    let told = Js::new().run(
        r#"
        const instance = await fixture("callback", { env: { twice() { throw new Error("x") } } });
        return [instance.call("catch", [1]), instance.call("catch", [2])];
        "#,
    );
    assert_eq!(told, json!([-1, -1]));
}

#[test]
fn what_a_guest_throws_again_is_the_identical_value() {
    let told = Js::new().run(
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
    assert_eq!(told, json!(true));
}

#[test]
fn a_guest_cannot_catch_what_stopped_another() {
    let told = Js::new().run(
        r#"
        const traps = await fixture("traps");
        const spin = await fixture("spin", {}, { fuel: 1000 });
        let stop;
        const instance = await fixture("callback", { env: { twice: () => stop() } });
        const told = [];
        for (stop of [() => traps.call("divide"), () => spin.call("forever")]) {
            const { code, cause } = await caught(() => instance.call("catch", [1]));
            told.push([code, cause.code, cause.trap ?? null]);
        }
        return told;
        "#,
    );
    assert_eq!(
        told,
        json!([[5002, 5002, "integer divide by zero"], [5002, 5006, null]])
    );
}

#[test]
fn a_guest_cannot_catch_an_unusable_result() {
    let told = Js::new().run(
        r#"
        const instance = await fixture("callback", { env: { twice: () => "x" } });
        return await codeOf(() => instance.call("catch", [1]));
        "#,
    );
    assert_eq!(told, json!(5005));
}

#[test]
fn a_guests_exception_passes_javascript_and_is_caught_by_its_tag() {
    let told = Js::new().run(
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
    assert_eq!(told, json!([42, 5002, "uncaught WebAssembly exception"]));
}

#[test]
fn a_thousand_exceptions_are_not_kept() {
    let told = Js::new().run(
        r#"
        const instance = await fixture("callback", { env: { twice() { throw new Error("x") } } });
        for (let i = 0; i < 20_000; i++) instance.call("catch", [1]);
        return instance.call("catch", [1]);
        "#,
    );
    assert_eq!(told, json!(-1));
}
