//! WASI 0.3: the capability that allows it, and waits that end.

use ext_wasm::WasmCapabilities;
use serde_json::json;

use crate::adversary::Attack;
use crate::support::child::this_test;
use crate::support::js::Js;

/// A component that reads the clock of WASI 0.3, and waits.
const CLOCK: &str = r#"(component
  (import "wasi:clocks/monotonic-clock@0.3.0" (instance $clock
    (export "now" (func (result u64)))
    (export "wait-for" (func async (param "how-long" u64)))))
  (core func $now (canon lower (func $clock "now")))
  (core func $wait (canon lower (func $clock "wait-for")))
  (core func $return (canon task.return))
  (core module $m
    (import "" "now" (func $now (result i64)))
    (import "" "wait" (func $wait (param i64)))
    (import "" "return" (func $return))
    (func (export "now") (result i64) (call $now))
    (func (export "wait") (param i64) (call $wait (local.get 0)) (call $return)))
  (core instance $i (instantiate $m (with "" (instance
    (export "now" (func $now)) (export "wait" (func $wait)) (export "return" (func $return))))))
  (func (export "now") (result u64) (canon lift (core func $i "now")))
  (func (export "wait") async (param "nanoseconds" u64) (canon lift (core func $i "wait") async)))"#;

fn with_clock(capabilities: WasmCapabilities) -> Js {
    let mut js = Js::with(capabilities);
    let source = serde_json::to_string(CLOCK).unwrap();
    js.run(&format!(
        "globalThis.component = async (options) =>
             await instantiateComponent(await compileComponent(text({source})), {{}}, options);"
    ));
    js
}

#[test]
fn wasi_03_has_a_capability_of_its_own() {
    let mut js = with_clock(WasmCapabilities::builder().allow_wasi().build());
    let got = js.run("return tell(await caught(() => component({ wasi: {} })));");
    assert_eq!(
        got,
        json!({
            "code": 5001,
            "kind": "InstantiateError",
            "message": "the component imports WASI 0.3, which the host does not allow (allow_wasi_03)",
        })
    );
    let got = js.run("return (await caught(() => component({}))).code;");
    assert_eq!(got, 5001);
}

#[test]
fn components_wait_for_clocks() {
    let mut js = with_clock(WasmCapabilities::builder().allow_wasi_03().build());
    let got = js.run(
        "const { exports } = await component({ wasi: {} });
         const before = exports.now();
         await Promise.all([exports.wait(2_000_000), exports.wait(1_000_000n)]);
         return exports.now() - before >= 2_000_000n;",
    );
    assert_eq!(got, json!(true));
}

#[test]
fn a_wait_ends_at_the_deadline_or_with_the_instance() {
    let mut js = with_clock(WasmCapabilities::builder().allow_wasi_03().build());
    let got = js.run(
        "const hour = 3_600_000_000_000n;
         const late = await component({ wasi: {}, timeoutMs: 50 });
         const error = tell(await caught(() => late.exports.wait(hour)));
         const dropped = await component({ wasi: {} });
         const waiting = codeOf(() => dropped.exports.wait(hour));
         dropped.drop();
         return [error.code, error.message, late.ended, await waiting];",
    );
    assert_eq!(
        got,
        json!([
            5002,
            "the deadline passed: a call may take 50 ms",
            true,
            5002
        ])
    );
}

/// A component that calls a function of the host again and again, without waiting for it.
const FLOOD: &str = r#"(component
  (import "wasi:clocks/monotonic-clock@0.3.0" (instance $clock
    (export "wait-for" (func async (param "how-long" u64)))))
  (core func $wait (canon lower (func $clock "wait-for") async))
  (core func $return (canon task.return))
  (core module $m
    (import "" "wait" (func $wait (param i64) (result i32)))
    (func (export "flood") (loop (drop (call $wait (i64.const 3600000000000))) (br 0))))
  (core instance $i (instantiate $m (with "" (instance (export "wait" (func $wait))))))
  (func (export "flood") async (canon lift (core func $i "flood") async)))"#;

#[test]
fn calls_of_wasi_that_do_not_end_end_the_instance() {
    let script = format!(
        "const component = await compileComponent(text({}));
         const instance = await instantiateComponent(component, {{}}, {{ wasi: {{}}, timeoutMs: 20_000 }});
         return [tell(await caught(() => instance.exports.flood())), instance.ended];",
        serde_json::to_string(FLOOD).unwrap()
    );
    let attack = Attack::new(script).capabilities(|capabilities| {
        capabilities.allow_wasi = true;
        capabilities.allow_wasi_03 = true;
    });
    let got = attack.mebibytes(200).run(this_test!());
    let message = "too many tasks, streams and calls of WASI have not ended: max_component_calls and max_component_streams bound them";
    assert_eq!(got[0]["code"], 5002);
    assert_eq!(got[0]["message"], message);
    assert_eq!(got[1], true);
}
