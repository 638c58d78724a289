//! Asynchronous functions: several calls of one instance at a time, imports that return promises, and how calls end.

use serde_json::json;

use super::{snapshot, with_source};
use crate::support::js::Js;

/// A component with an asynchronous import and functions that call it.
const GUEST: &str = r#"(component
  (core module $memory (memory (export "memory") 1))
  (core instance $memory (instantiate $memory))
  (import "load" (func $load async (param "id" u32) (result u32)))
  (import "now" (func $now (param "id" u32) (result u32)))
  (core func $load (canon lower (func $load)))
  (core func $now (canon lower (func $now)))
  (core func $return (canon task.return (result u32)))
  (core func $return-none (canon task.return))
  (core func $new (canon waitable-set.new))
  (core func $wait (canon waitable-set.wait (memory (core memory $memory "memory"))))
  (core module $m
    (import "" "load" (func $load (param i32) (result i32)))
    (import "" "now" (func $now (param i32) (result i32)))
    (import "" "return" (func $return (param i32)))
    (import "" "return-none" (func $return-none))
    (import "" "new" (func $new (result i32)))
    (import "" "wait" (func $wait (param i32 i32) (result i32)))
    (func (export "run") (param i32)
      (call $return (i32.add (call $load (local.get 0)) (i32.const 1))))
    (func (export "twice") (param i32)
      (call $return (i32.add (call $load (local.get 0)) (call $load (i32.add (local.get 0) (i32.const 1))))))
    (func (export "sync") (param i32) (result i32) (call $now (local.get 0)))
    (func (export "at-once") (param i32) (call $return (call $now (local.get 0))))
    (func (export "trap") unreachable)
    (func (export "spin") (loop (br 0)))
    (func (export "stuck") (drop (call $wait (call $new) (i32.const 0))) (call $return-none)))
  (core instance $i (instantiate $m (with "" (instance
    (export "load" (func $load)) (export "now" (func $now))
    (export "return" (func $return)) (export "return-none" (func $return-none))
    (export "new" (func $new)) (export "wait" (func $wait))))))
  (func (export "run") async (param "id" u32) (result u32) (canon lift (core func $i "run") async))
  (func (export "twice") async (param "id" u32) (result u32) (canon lift (core func $i "twice") async))
  (func (export "sync") (param "id" u32) (result u32) (canon lift (core func $i "sync")))
  (func (export "at-once") async (param "id" u32) (result u32) (canon lift (core func $i "at-once") async))
  (func (export "trap") async (canon lift (core func $i "trap") async))
  (func (export "spin") async (canon lift (core func $i "spin") async))
  (func (export "stuck") async (canon lift (core func $i "stuck") async)))"#;

const IMPORTS: &str = r#"
    globalThis.asked = [];
    globalThis.answers = new Map();
    globalThis.imports = {
        load: (id) => {
            asked.push(id);
            return new Promise((resolve, reject) => answers.set(id, { resolve, reject }));
        },
        now: (id) => 10 * id,
    };
    globalThis.until = async (condition) => { while (!condition()) await Deno.core.ops.op_wasm_yield_now(); };
"#;

fn guest() -> Js {
    let mut js = with_source(GUEST);
    js.run(IMPORTS);
    js
}

#[test]
fn an_asynchronous_function_returns_a_promise() {
    let mut js = guest();
    let got = js.run(
        "const instance = await component({ ...imports, load: (id) => 2 * id });
         const promise = instance.exports.run(20);
         return [promise instanceof Promise, await promise, await instance.callAsync('run', [1]),
             instance.exports.sync(4), instance.call('sync', [5]), await instance.callAsync('sync', [6])];",
    );
    assert_eq!(got, json!([true, 41, 3, 40, 50, 60]));
}

#[test]
fn calls_of_one_instance_wait_beside_each_other() {
    let mut js = guest();
    let got = js.run(
        "const instance = await component(imports);
         const order = [];
         const run = (id) => instance.exports.run(id).then((value) => { order.push(id); return value; });
         const all = [run(1), run(2), instance.exports.twice(5)];
         await until(() => asked.length === 3);
         const asksAtOnce = [...asked];
         answers.get(2).resolve(200);
         await all[1];
         answers.get(5).resolve(1000);
         await until(() => asked.length === 4);
         answers.get(6).resolve(1);
         answers.get(1).resolve(100);
         return [asksAtOnce, await Promise.all(all), order, instance.ended];",
    );
    assert_eq!(got, json!([[1, 2, 5], [101, 201, 1001], [2, 1], false]));
}

#[test]
fn a_synchronous_import_may_return_a_promise_to_an_asynchronous_call() {
    let mut js = guest();
    let got = js.run(
        "const now = async (id) => { await Deno.core.ops.op_wasm_yield_now(); return 7 * id; };
         const instance = await component({ ...imports, now });
         return [await instance.exports.atOnce(3), await instance.callAsync('at-once', [4])];",
    );
    assert_eq!(got, json!([21, 28]));
}

#[test]
fn a_synchronous_call_of_an_asynchronous_function_is_refused() {
    let mut js = guest();
    let got = js.run(
        "const instance = await component({ ...imports, load: (id) => id });
         const refused = tell(await caught(() => instance.call('run', [1])));
         return [refused, instance.ended, await instance.exports.run(1)];",
    );
    assert_eq!(
        got,
        json!([
            {
                "code": 5002,
                "kind": "RuntimeError",
                "message": "\"run\" is asynchronous: callAsync calls it",
            },
            false,
            2
        ])
    );
}

#[test]
fn a_synchronous_call_is_refused_while_others_wait() {
    let mut js = guest();
    let got = js.run(
        "const instance = await component(imports);
         const waiting = instance.exports.run(1);
         await until(() => asked.length === 1);
         const busy = await codeOf(() => instance.exports.sync(1));
         const fuel = await codeOf(() => instance.setFuel(1));
         answers.get(1).resolve(1);
         return [busy, fuel, await waiting, instance.exports.sync(1)];",
    );
    assert_eq!(got, json!([5002, 5002, 2, 10]));
}

/// Starts a call that waits, and another one that ends the instance. Returns the errors of both.
fn ended_by(js: &mut Js, options: &str, call: &str) -> serde_json::Value {
    js.run(&format!(
        "asked.length = 0;
         const instance = await component(imports, {options});
         // Under load, a deadline may pass before the import is called.
         let hasEnded = false;
         const waiting = caught(() => instance.exports.run(1)).then((error) => {{ hasEnded = true; return error; }});
         await until(() => asked.length === 1 || hasEnded);
         const error = tell(await caught(async () => await instance.{call}));
         return [error, tell(await waiting), instance.ended, tell(await caught(() => instance.exports.sync(1)))];"
    ))
}

#[test]
fn what_ends_a_call_ends_the_instance_and_all_its_calls() {
    let mut js = guest();
    let mut errors = String::new();
    for (options, call) in [
        ("{}", "exports.trap()"),
        ("{ fuel: 10_000 }", "exports.spin()"),
        ("{ timeoutMs: 500 }", "exports.spin()"),
        ("{ timeoutMs: 500 }", "exports.run(2)"),
        ("{ interruptible: true }", "callAsync('spin', [], { timeoutMs: 20 })"),
        ("{ interruptible: true }", "callAsync('run', [2], { timeoutMs: 20 })"),
        (
            "{ interruptible: true }",
            "callAsync('spin', [], { signal: { aborted: false, reason: 'enough', removeEventListener() {},
                 addEventListener(_, abort) { abort(); } } })",
        ),
    ] {
        let got = ended_by(&mut js, options, call);
        assert_eq!(got[2], true, "{options} {call}: {got:#}");
        errors += &format!(
            "{options} {call}\n{:#}\nthe other call: {:#}\nthen {}\n",
            got[0], got[1], got[3]["message"]
        );
    }
    snapshot("async_component_ends", &errors);
}

#[test]
fn an_import_that_throws_ends_the_instance() {
    let mut js = guest();
    let got = js.run(
        "const all = [];
         for (const load of [
             () => { throw new TypeError('no'); },
             async () => { throw new RangeError('later'); },
             () => 'a string',
             async () => -1,
         ]) {
             const instance = await component({ ...imports, load });
             all.push([tell(await caught(() => instance.exports.run(1))), instance.ended]);
         }
         return all;",
    );
    snapshot("async_component_imports_throw", &format!("{got:#}"));
}

#[test]
fn a_deadlock_says_so() {
    let mut js = guest();
    let got = js.run(
        "const instance = await component(imports);
         const error = tell(await caught(() => instance.exports.stuck()));
         const other = await component(imports);
         const both = [other.exports.stuck(), other.exports.run(3)];
         const stuck = both.map((call) => caught(() => call));
         await until(() => asked.length === 1);
         answers.get(3).resolve(1);
         return [error, instance.ended, (await Promise.all(stuck)).map((error) => tell(error))];",
    );
    snapshot("async_component_deadlock", &format!("{got:#}"));
}

#[test]
fn a_call_that_waits_is_rejected_when_its_instance_is_dropped() {
    let mut js = guest();
    let got = js.run(
        "const instance = await component(imports);
         const waiting = caught(() => instance.exports.run(1));
         await until(() => asked.length === 1);
         instance.drop();
         const error = tell(await waiting);
         answers.get(1).resolve(1);
         return [error, await codeOf(() => instance.callAsync('run', [1]))];",
    );
    assert_eq!(
        got,
        json!([
            {
                "code": 5002,
                "kind": "RuntimeError",
                "message": "the component instance was dropped",
            },
            5002
        ])
    );
}
