//! Imports that call back into the guest that called them.

use serde_json::json;

use crate::support::js::Js;

#[test]
fn an_import_calls_the_same_instance_to_any_depth() {
    let result = Js::new().run(
        r#"
        let deepest = 0;
        let depth = 0;
        const instance = await fixture("callback", { env: { twice(x) {
            deepest = Math.max(deepest, ++depth);
            const result = x === 0 ? 0 : instance.call("run", [x - 1]);
            depth--;
            return result;
        } } });
        return [instance.call("run", [0]), instance.call("run", [20]), deepest];
        "#,
    );
    // Each level adds the value that the innermost level left in memory, which is 0.
    assert_eq!(result, json!([0, 0, 21]));
}

#[test]
fn arguments_and_results_of_nested_calls_do_not_mix() {
    let result = Js::new().run(
        r#"
        const add = await fixture("add");
        const wide = await load(`(module
            (import "env" "f" (func $f (param i32 i64 f32 f64) (result f64 f32 i64 i32)))
            (func (export "f") (param i32 i64 f32 f64) (result f64 f32 i64 i32)
                (call $f (local.get 0) (local.get 1) (local.get 2) (local.get 3))))`,
            { env: { f: (a, b, c, d) => {
                if (a > 0) wide.call("f", [a - 1, b + 1n, c + 1, d + 1]);
                add.call("add", [1, 2]);
                return [d, c, b, a];
            } } });
        return wide.call("f", [3, 4n, 5.5, 6.25]);
        "#,
    );
    assert_eq!(result, json!([6.25, 5.5, "4n", 3]));
}

#[test]
fn a_guest_ends_with_the_javascript_that_called_it() {
    let mut js = Js::new();
    js.run(
        r#"
        globalThis.terminates = true;
        globalThis.ran = 0;
        globalThis.instance = await fixture("callback", { env: { twice(x) {
            ran++;
            if (terminates) Deno.core.ops.op_host_terminate();
            for (;;) if (!terminates) return 2 * x;
        } } });
        "#,
    );
    js.terminated("instance.call('run', [1])");
    let result = js.run("terminates = false; return [instance.call('run', [1]), ran];");
    assert_eq!(result, json!([3, 2]));
}

#[test]
fn recursion_through_javascript_ends_in_an_error_and_leaves_everything_usable() {
    let result = Js::new().run(
        r#"
        let endless = true;
        const instance = await fixture("callback", { env: {
            twice: (x) => endless ? instance.call("run", [x]) : 2 * x,
        } });
        const error = await caught(() => instance.call("run", [1]));
        endless = false;
        return [error.code, instance.call("run", [1])];
        "#,
    );
    assert_eq!(result, json!([5002, 3]));
}

#[test]
fn memory_is_reached_and_grown_from_inside_an_import() {
    let result = Js::new().run(
        r#"
        const results = [];
        const instance = await fixture("callback", { env: { twice(x) {
            const before = instance.memory().buffer;
            results.push(new Uint32Array(before)[0]);
            instance.memory().grow(1);
            results.push(before.byteLength, instance.memory().byteLength);
            instance.writeMemory(0, new Uint8Array([100, 0, 0, 0]));
            return 2 * x;
        } } });
        results.push(instance.call("run", [7]));
        return results;
        "#,
    );
    assert_eq!(result, json!([7, 0, 131072, 114]));
}

#[test]
fn two_stores_call_each_other() {
    let result = Js::new().run(
        r#"
        const ping = await fixture("callback", { env: { twice: (x) =>
            x === 0 ? 0 : pong.call("run", [x - 1]) } });
        const pong = await fixture("callback", { env: { twice: (x) =>
            x === 0 ? 0 : ping.call("run", [x - 1]) } });
        return [ping.store !== pong.store, ping.call("run", [10])];
        "#,
    );
    // Each of the five calls of `pong` adds the value that the innermost call left in its memory, which is 1.
    assert_eq!(result, json!([true, 5]));
}

#[test]
fn an_import_instantiates_and_drops_others() {
    let result = Js::new().run(
        r#"
        const promises = [];
        const instance = await fixture("callback", { env: { twice(x) {
            const store = new WasmStore();
            const memory = new WasmMemory(store, { minimum: 1 });
            store.drop();
            promises.push(fixture("add"));
            return 2 * x;
        } } });
        const result = instance.call("run", [4]);
        const added = await promises[0];
        return [result, added.call("add", [1, 1])];
        "#,
    );
    assert_eq!(result, json!([12, 2]));
}

#[test]
fn a_guest_calls_its_imports_again_and_again() {
    let result = Js::new().run(
        r#"
        const source = `(module
            (import "env" "next" (func $next (param i32) (result i32)))
            (func (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
            (func (export "sum") (param $n i32) (result i32)
                (local $sum i32)
                (loop $again
                    (local.set $sum (i32.add (local.get $sum) (call $next (local.get $n))))
                    (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                (local.get $sum)))`;
        const depths = [];
        const next = (n) => {
            if (n % 10 === 0) depths.push(guest.call("sum", [n / 10]));
            return guest.call("double", [n]);
        };
        const guest = await load(source, { env: { next } });
        const other = await load(source, { env: { next: (n) => guest.call("sum", [n]) } });
        return [guest.call("sum", [100]), depths, other.call("sum", [3]), guest.call("sum", [2])];
        "#,
    );
    let double = |n: u32| n * (n + 1);
    // The import calls back for each multiple of ten. The nested call for 100 has one more multiple of ten: ten.
    let mut depths: Vec<u32> = (1..=9).rev().map(double).collect();
    depths.splice(0..0, [double(1), double(10)]);
    assert_eq!(
        result,
        json!([
            double(100),
            depths,
            double(1) + double(2) + double(3),
            double(2)
        ])
    );
}
