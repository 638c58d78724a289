//! The fence: fuel, deadlines, aborts, memory, and the end of an instance.

use serde_json::json;

use super::{snapshot, with_source};
use crate::support::js::Js;

const GUEST: &str = r#"(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "spin") (loop (br 0)))
    (func (export "trap") unreachable)
    (func (export "divide") (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func $deep (export "deep") (call $deep)))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add")))
  (func (export "spin") (canon lift (core func $i "spin")))
  (func (export "trap") (canon lift (core func $i "trap")))
  (func (export "divide") (param "by" u32) (result u32) (canon lift (core func $i "divide")))
  (func (export "grow") (param "pages" u32) (result u32) (canon lift (core func $i "grow")))
  (func (export "deep") (canon lift (core func $i "deep"))))"#;

/// Makes an instance with options, and calls it. Returns the error, whether the instance has ended, and the error of a
/// later call.
fn ended_by(js: &mut Js, options: &str, call: &str) -> serde_json::Value {
    js.run(&format!(
        "const instance = await component({{}}, {options});
         const error = tell(await caught(async () => await instance.{call}));
         return [error, instance.ended, tell(await caught(() => instance.exports.add(1, 2)))];"
    ))
}

#[test]
fn a_call_that_does_not_return_ends_the_instance() {
    let mut js = with_source(GUEST);
    let mut errors = String::new();
    for (options, call) in [
        ("{}", "exports.trap()"),
        ("{}", "exports.divide(0)"),
        ("{}", "exports.deep()"),
        ("{ fuel: 10_000 }", "exports.spin()"),
        ("{ timeoutMs: 20 }", "exports.spin()"),
        ("{ timeoutMs: 20 }", "callAsync('spin')"),
        ("{ interruptible: true }", "callAsync('spin', [], { timeoutMs: 20 })"),
        (
            "{ interruptible: true }",
            "callAsync('spin', [], { signal: { aborted: false, reason: 'enough', removeEventListener() {},
                 addEventListener(_, abort) { abort(); } } })",
        ),
    ] {
        let got = ended_by(&mut js, options, call);
        assert_eq!(got[1], true, "{options} {call}: {got:#}");
        assert_eq!(got[2]["code"], 5002, "{options} {call}: {got:#}");
        errors += &format!("{options} {call}\n{:#}\nthen {}\n", got[0], got[2]["message"]);
    }
    snapshot("component_ends", &errors);
}

#[test]
fn refusals_before_the_component_is_entered_leave_it_alive() {
    let mut js = with_source(GUEST);
    let mut errors = String::new();
    for call in [
        "exports.add(1)",
        "exports.add(1, 2, 3)",
        "exports.add(1, -2)",
        "call('add', 5)",
        "call('sub', [])",
        "call('add#add', [])",
        "call(Symbol.iterator, [])",
        "callAsync('add', [1])",
        "callAsync('add', [1, 2], { timeoutMs: 5 })",
    ] {
        let got = js.run(&format!(
            "const instance = await component();
             return [tell(await caught(async () => await instance.{call})), instance.ended,
                     instance.exports.add(1, 2), await instance.callAsync('add', [4, 5])];"
        ));
        assert_eq!(
            (&got[1], &got[2], &got[3]),
            (&json!(false), &json!(3), &json!(9)),
            "{call}"
        );
        errors += &format!("{call}\n    {} {}\n", got[0]["code"], got[0]["message"]);
    }
    snapshot("component_refusals", &errors);
}

#[test]
fn the_memory_cap_holds_for_all_memories_together() {
    let mut js = with_source(GUEST);
    let grown = js.run(
        "const instance = await component({}, { maxMemoryBytes: 3 * 65536 });
         return [instance.exports.grow(2), instance.exports.grow(1), instance.ended];",
    );
    assert_eq!(grown, json!([1, u32::MAX, false]));
    let refused =
        js.run("return tell(await caught(() => component({}, { maxMemoryBytes: 65535 })))");
    assert_eq!(refused["code"], 5001);
    assert_eq!(
        refused["message"],
        "cannot instantiate: 65536 bytes of memory exceed the cap of 65535 bytes"
    );
}

#[test]
fn fuel_is_read_and_set() {
    let mut js = with_source(GUEST);
    let got = js.run(
        "const instance = await component({}, { fuel: 1000 });
         instance.exports.add(1, 2);
         const used = 1000 - instance.fuel;
         instance.setFuel(5000);
         return [used > 0 && used < 50, instance.fuel, (await component()).fuel ?? 'none'];",
    );
    assert_eq!(got, json!([true, 5000, "none"]));
}

#[test]
fn a_dropped_instance_cannot_be_called() {
    let mut js = with_source(GUEST);
    let got = js.run(
        "const instance = await component();
         const { add } = instance.exports;
         const running = instance.callAsync('spin');
         instance.drop();
         instance.drop();
         const errors = [];
         for (const f of [() => add(1, 2), () => instance.call('add', [1, 2]), () => running,
                          () => instance.fuel, () => instance.setFuel(1)]) {
             errors.push(tell(await caught(f)));
         }
         return [instance.ended, errors.map(({ code, message }) => `${code} ${message}`)];",
    );
    assert_eq!(got[0], true);
    assert_eq!(
        got[1],
        json!([
            "5002 the component instance was dropped",
            "5002 the component instance was dropped",
            "5002 the call was given up: its store was dropped",
            "5002 the component instance was dropped",
            "5002 the component instance was dropped",
        ])
    );
}

#[test]
fn instances_of_a_component_share_its_code_and_nothing_else() {
    let mut js = with_source(GUEST);
    let got = js.run(
        "const compiled = await compileComponent(text(source));
         const [one, other] = [await instantiateComponent(compiled), await instantiateComponent(compiled)];
         compiled.drop();
         await caught(() => one.exports.trap());
         return [one.ended, other.ended, other.exports.add(2, 3),
                 tell(await caught(() => instantiateComponent(compiled)))];",
    );
    assert_eq!(
        (&got[0], &got[1], &got[2]),
        (&json!(true), &json!(false), &json!(5))
    );
    assert_eq!(got[3]["code"], 5001);
    let state = js.state();
    let one = state.compile_component(GUEST.as_bytes()).unwrap();
    let other = state
        .compile_component(&wat::parse_str(GUEST).unwrap())
        .unwrap();
    assert!(one.shares_code_with(&other));
}
