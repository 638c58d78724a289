//! Functions that components import: how they are found, and how they are called.

use serde_json::json;

use super::{snapshot, with_source};

/// A component that imports functions of its own and of an interface, and calls them.
const IMPORTS: &str = r#"(component
  (import "log-line" (func $log (param "line" string)))
  (import "my:pkg/math@1.2.3" (instance $math
    (export "half-of" (func (param "n" u32) (result (result u32 (error string)))))
    (export "twice" (func (param "n" u32) (result u32)))))
  (core module $memory
    (memory (export "memory") 1)
    (data (i32.const 100) "hello")
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $memory (instantiate $memory))
  (core func $log (canon lower (func $log) (memory (core memory $memory "memory"))))
  (core func $half (canon lower (func $math "half-of") (memory (core memory $memory "memory"))
    (realloc (core func $memory "realloc"))))
  (core func $twice (canon lower (func $math "twice")))
  (core module $m
    (import "host" "log" (func $log (param i32 i32)))
    (import "host" "half" (func $half (param i32 i32)))
    (import "host" "twice" (func $twice (param i32) (result i32)))
    (import "memory" "memory" (memory 1))
    (func (export "greet") (call $log (i32.const 100) (i32.const 5)))
    (func (export "halve") (param i32) (result i32)
      (call $half (local.get 0) (i32.const 200))
      (i32.const 200))
    (func (export "double") (param i32) (result i32) (call $twice (local.get 0))))
  (core instance $i (instantiate $m
    (with "host" (instance
      (export "log" (func $log)) (export "half" (func $half)) (export "twice" (func $twice))))
    (with "memory" (instance $memory))))
  (func (export "greet") (canon lift (core func $i "greet")))
  (func (export "halve") (param "n" u32) (result (result u32 (error string)))
    (canon lift (core func $i "halve") (memory (core memory $memory "memory"))
      (realloc (core func $memory "realloc"))))
  (func $double (param "n" u32) (result u32) (canon lift (core func $i "double")))
  (instance $calc (export "double-it" (func $double)))
  (export "my:pkg/some-calc@0.2.1" (instance $calc)))"#;

const FUNCTIONS: &str = r#"
    globalThis.lines = [];
    globalThis.math = {
        halfOf(n) {
            if (n % 2 === 1) throw new ComponentError(`${n} is odd`);
            return n / 2;
        },
        twice: (n) => 2 * n,
    };
    globalThis.imports = { logLine: (line) => { lines.push(line); }, "my:pkg/math@1.2.3": math };
"#;

#[test]
fn functions_and_interfaces_are_called_with_values() {
    let mut js = with_source(IMPORTS);
    js.run(FUNCTIONS);
    let got = js.run(
        r#"const instance = await component(imports);
           instance.exports.greet();
           const odd = await caught(() => instance.exports.halve(7));
           return [
               lines, instance.exports.halve(8),
               odd instanceof ComponentError, odd.payload, odd.message, odd.name,
               instance.exports.someCalc.doubleIt(4),
               instance.exports["my:pkg/some-calc@0.2.1"].doubleIt(5),
               instance.call("my:pkg/some-calc@0.2.1#double-it", [6]),
               Object.keys(instance.exports), instance.exports.halve.length, instance.ended,
           ];"#,
    );
    assert_eq!(
        got,
        json!([
            ["hello"],
            4,
            true,
            "7 is odd",
            "\"halve\" returned an error",
            "ComponentError",
            8,
            10,
            12,
            ["my:pkg/some-calc@0.2.1", "greet", "halve", "someCalc"],
            1,
            false,
        ])
    );
}

#[test]
fn an_interface_is_found_by_a_compatible_version_or_without_one() {
    let mut js = with_source(IMPORTS);
    js.run(FUNCTIONS);
    let mut found = |names: &str| {
        js.run(&format!(
            "const given = {{ logLine() {{}} }};
             for (const [i, name] of {names}.entries()) given[name] = {{ ...math, twice: () => i }};
             return (await component(given)).exports.someCalc.doubleIt(0);"
        ))
    };
    assert_eq!(
        found("['my:pkg/math', 'my:pkg/math@1.9.0', 'my:pkg/math@1.2.3']"),
        2
    );
    assert_eq!(
        found("['my:pkg/math', 'my:pkg/math@2.2.3', 'my:pkg/math@1.9.0']"),
        2
    );
    assert_eq!(
        found("['my:pkg/math@0.2.3', 'my:pkg/math@1.2.3-rc', 'my:pkg/math']"),
        2
    );
}

#[test]
fn a_missing_import_is_named_with_its_type() {
    let mut js = with_source(IMPORTS);
    js.run(FUNCTIONS);
    let mut messages = String::new();
    for given in [
        "undefined",
        "5",
        "{}",
        "{ logLine() {} }",
        "{ logLine() {}, 'my:pkg/math': {} }",
        "{ logLine() {}, 'my:pkg/math': { halfOf: 5 } }",
        "{ logLine() {}, 'my:pkg/math@1.2.3': Object.create(math) }",
        "{ logLine() {}, 'my:pkg/math@2.0.0': math }",
        "Object.create(imports)",
        "{ 'log-line'() {}, 'my:pkg/math@1.2.3': math }",
    ] {
        let error = js.run(&format!(
            "return tell(await caught(() => component({given})))"
        ));
        assert_eq!(error["code"], 5001, "{given}: {error:#}");
        messages += &format!("{given}\n    {}\n", error["message"].as_str().unwrap());
    }
    snapshot("component_imports", &messages);
}

#[test]
fn an_import_that_fails_ends_the_instance() {
    let mut js = with_source(IMPORTS);
    js.run(FUNCTIONS);
    let mut messages = String::new();
    for (call, twice_or_half) in [
        ("someCalc.doubleIt(1)", "twice() { throw 'a string' }"),
        (
            "someCalc.doubleIt(1)",
            "twice() { throw new ComponentError(1) }",
        ),
        ("someCalc.doubleIt(1)", "twice: () => 'one'"),
        ("someCalc.doubleIt(1)", "twice: async () => 1"),
        (
            "halve(1)",
            "halfOf() { throw new TypeError('a fault in the app') }",
        ),
        ("halve(1)", "halfOf() { throw new ComponentError(5) }"),
        ("halve(1)", "halfOf: () => -1"),
        ("halve(1)", "halfOf() { again.exports.greet() }"),
    ] {
        let got = js.run(&format!(
            "const instance = globalThis.again = await component(
                 {{ logLine() {{}}, 'my:pkg/math': {{ ...math, {twice_or_half} }} }});
             const error = await caught(() => instance.exports.{call});
             return [tell(error), String(error.cause), instance.ended,
                     tell(await caught(() => instance.exports.greet()))];"
        ));
        assert_eq!(got[2], true, "{twice_or_half}: {got:#}");
        assert_eq!(got[3]["code"], 5002, "{twice_or_half}: {got:#}");
        let (code, message) = (&got[0]["code"], got[0]["message"].as_str().unwrap());
        let (cause, after) = (
            got[1].as_str().unwrap(),
            got[3]["message"].as_str().unwrap(),
        );
        messages += &format!(
            "{twice_or_half}\n    {code} {message}\n    cause: {cause}\n    then: {after}\n"
        );
    }
    snapshot("component_imports_that_fail", &messages);
}

#[test]
fn an_instance_is_busy_while_it_waits_for_an_import() {
    let mut js = with_source(IMPORTS);
    js.run(FUNCTIONS);
    let got = js.run(
        "let inner;
         const instance = await component({ ...imports, async logLine() {}, 'my:pkg/math': {
             ...math,
             twice(n) {
                 try { instance.exports.greet(); } catch (error) { inner = error; }
                 return n;
             },
         }, 'my:pkg/math@1.2.3': undefined });
         const doubled = instance.exports.someCalc.doubleIt(3);
         return [doubled, tell(inner), instance.ended, instance.exports.someCalc.doubleIt(4)];",
    );
    assert_eq!(got[0], 3, "{got:#}");
    assert_eq!(got[1]["code"], 5002);
    assert_eq!(got[1]["message"], "busy: a call is running in the store");
    assert_eq!((&got[2], &got[3]), (&json!(false), &json!(4)));
}

#[test]
fn asynchronous_calls_wait_for_promises() {
    let mut js = with_source(IMPORTS);
    js.run(FUNCTIONS);
    let got = js.run(
        "const later = (value) => new Promise((resolve) => Deno.core.ops.op_wasm_yield_now().then(() => resolve(value)));
         const instance = await component({ logLine: (line) => later(), 'my:pkg/math': {
             halfOf: async (n) => { await later(); if (n === 1) throw new ComponentError('one'); return n / 2; },
             twice: (n) => later(2 * n),
         } });
         const odd = await caught(() => instance.callAsync('halve', [1]));
         return [
             await instance.callAsync('my:pkg/some-calc@0.2.1#double-it', [21]),
             await instance.callAsync('halve', [8]), odd.payload, await instance.callAsync('greet') ?? 'nothing',
             instance.ended,
             tell(await caught(() => instance.exports.greet())),
             instance.ended,
         ];",
    );
    assert_eq!(got[0], 42, "{got:#}");
    assert_eq!(
        (&got[1], &got[2], &got[3], &got[4]),
        (&json!(4), &json!("one"), &json!("nothing"), &json!(false))
    );
    // A function without a result takes any value of its import, a promise too.
    assert_eq!(got[5], "not a WasmError: nothing was thrown");
}
