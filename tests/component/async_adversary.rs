//! Attacks on the host by asynchronous components and by scripts that use them: calls and tasks without number, endless
//! waits, streams that nothing reads.

use ext_wasm::WasmCapabilities;
use serde_json::json;

use crate::support::js::Js;

/// A component with functions that wait, go on after they have returned, and call imports without waiting for them.
pub(super) const GUEST: &str = r#"(component
  (core module $libc (memory (export "memory") 1))
  (core instance $libc (instantiate $libc))
  (import "load" (func $load async (param "id" u32) (result u32)))
  (type $numbers (stream u32))
  (core func $load-sync (canon lower (func $load)))
  (core func $load-async (canon lower (func $load) async (memory (core memory $libc "memory"))))
  (core func $return (canon task.return (result u32)))
  (core func $return-none (canon task.return))
  (canon thread.yield (core func $yield))
  (core func $return-numbers (canon task.return (result $numbers)))
  (core func $new (canon stream.new $numbers))
  (core func $write (canon stream.write $numbers (memory (core memory $libc "memory"))))
  (core func $close (canon stream.drop-writable $numbers))
  (core func $drop (canon stream.drop-readable $numbers))
  (core module $m
    (import "" "load-sync" (func $load-sync (param i32) (result i32)))
    (import "" "load-async" (func $load-async (param i32 i32) (result i32)))
    (import "" "return" (func $return (param i32)))
    (import "" "return-none" (func $return-none))
    (import "" "yield" (func $yield (result i32)))
    (import "" "return-numbers" (func $return-numbers (param i32)))
    (import "" "new" (func $new (result i64)))
    (import "" "write" (func $write (param i32 i32 i32) (result i32)))
    (import "" "close" (func $close (param i32)))
    (import "" "drop" (func $drop (param i32)))
    (global $stopped (mut i32) (i32.const 0))
    (func (export "run") (param i32) (call $return (call $load-sync (local.get 0))))
    ;; Calls the import for ever, without waiting for a result.
    (func (export "flood") (loop (drop (call $load-async (i32.const 0) (i32.const 16))) (br 0)))
    ;; Returns, and goes on for ever.
    (func (export "linger") (call $return-none) (loop (drop (call $yield)) (br 0)))
    ;; Returns a stream with one number, and waits for its reader.
    (func (export "one") (local $ends i64) (local $writable i32)
      (local.set $ends (call $new))
      (local.set $writable (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))
      (call $return-numbers (i32.wrap_i64 (local.get $ends)))
      (drop (call $write (local.get $writable) (i32.const 16) (i32.const 1)))
      (call $close (local.get $writable)))
    (func (export "ignore") (param i32) (call $drop (local.get 0)) (call $return-none))
    (func (export "sync") (result i32) (i32.const 7)))
  (core instance $i (instantiate $m (with "" (instance
    (export "load-sync" (func $load-sync)) (export "load-async" (func $load-async))
    (export "return" (func $return)) (export "return-none" (func $return-none)) (export "yield" (func $yield))
    (export "return-numbers" (func $return-numbers))
    (export "new" (func $new)) (export "write" (func $write)) (export "close" (func $close))
    (export "drop" (func $drop))))))
  (func (export "run") async (param "id" u32) (result u32) (canon lift (core func $i "run") async))
  (func (export "flood") async (canon lift (core func $i "flood") async))
  (func (export "linger") async (canon lift (core func $i "linger") async))
  (func (export "one") async (result $numbers) (canon lift (core func $i "one") async))
  (func (export "ignore") async (param "numbers" $numbers) (canon lift (core func $i "ignore") async))
  (func (export "sync") (result u32) (canon lift (core func $i "sync"))))"#;

fn guest(capabilities: WasmCapabilities) -> Js {
    let mut js = Js::with(capabilities);
    let source = serde_json::to_string(GUEST).unwrap();
    js.run(&format!(
        "globalThis.compiled = await compileComponent(text({source}));
         globalThis.component = (load, options) => instantiateComponent(compiled, {{ load }}, options);
         globalThis.turn = () => Deno.core.ops.op_wasm_yield_now();"
    ));
    js
}

#[test]
fn thousands_of_calls_wait_at_a_time() {
    let mut js = guest(WasmCapabilities::default());
    let got = js.run(
        "const answers = [];
         const instance = await component(() => new Promise((resolve) => answers.push(resolve)));
         const calls = Array.from({ length: 2000 }, (_, i) => instance.exports.run(i));
         while (answers.length < 2000) await turn();
         for (let i = answers.length - 1; i >= 0; i--) answers[i](i);
         const results = await Promise.all(calls);
         return [results.every((result, i) => result === i), instance.exports.sync()];",
    );
    assert_eq!(got, json!([true, 7]));
}

#[test]
fn the_calls_of_an_instance_are_capped() {
    let mut js = guest(WasmCapabilities::builder().max_component_calls(5).build());
    let got = js.run(
        "const answers = [];
         const instance = await component(() => new Promise((resolve) => answers.push(resolve)));
         const calls = Array.from({ length: 5 }, (_, i) => instance.exports.run(i));
         const refused = tell(await caught(() => instance.exports.run(6)));
         while (answers.length < 5) await turn();
         for (const answer of answers) answer(1);
         const results = await Promise.all(calls);
         return [refused, results, instance.ended];",
    );
    assert_eq!(
        got,
        json!([
            {
                "code": 5002,
                "kind": "RuntimeError",
                "message": "too many calls of the component have not ended: the cap is 5 (max_component_calls)",
            },
            [1, 1, 1, 1, 1],
            false,
        ])
    );
}

#[test]
fn imports_that_are_called_without_end_end_the_instance() {
    let mut js = guest(WasmCapabilities::builder().max_component_calls(100).build());
    let got = js.run(
        "const instance = await component(() => new Promise(() => {}));
         return [tell(await caught(() => instance.exports.flood())), instance.ended];",
    );
    assert_eq!(got[0]["code"], 5002);
    let message = "too many calls of imports have not ended: the cap is 100 (max_component_calls)";
    assert_eq!(got, json!([got[0], true]));
    assert_eq!(got[0]["message"], message);
}

#[test]
fn a_task_that_goes_on_after_its_call_ends_at_the_deadline() {
    let mut js = guest(WasmCapabilities::default());
    let got = js.run(
        "const instance = await component(() => 1, { timeoutMs: 30 });
         // Under load, the deadline may pass before the call returns.
         await caught(() => instance.exports.linger());
         while (!instance.ended) await turn();
         const other = await component(() => 1, { interruptible: true });
         await caught(() => other.callAsync('linger', [], { timeoutMs: 30 }));
         while (!other.ended) await turn();
         const metered = await component(() => 1, { fuel: 100_000 });
         await metered.exports.linger();
         while (!metered.ended) await turn();
         const codes = [];
         for (const { exports } of [instance, other, metered]) codes.push(await codeOf(() => exports.sync()));
         return codes;",
    );
    assert_eq!(got, json!([5002, 5002, 5002]));
}

#[test]
fn a_task_that_goes_on_after_its_call_pauses_for_a_synchronous_call() {
    let mut js = guest(WasmCapabilities::default());
    let got = js.run(
        "const instance = await component(() => 1, { fuel: 1e9 });
         await instance.exports.linger();
         const before = instance.fuel;
         const value = instance.exports.sync();
         while (instance.fuel === before) await turn();
         const { ended } = instance;
         instance.drop();
         return [value, ended];",
    );
    assert_eq!(got, json!([7, false]));
}

#[test]
fn an_instance_is_dropped_while_a_task_goes_on() {
    let mut js = guest(WasmCapabilities::default());
    let got = js.run(
        "const instance = await component(() => 1, { interruptible: true });
         await instance.exports.linger();
         const waiting = caught(() => instance.exports.run(1));
         instance.drop();
         return tell(await waiting);",
    );
    assert_eq!(got["message"], "the component instance was dropped");
}

#[test]
fn open_streams_are_capped() {
    let mut js = guest(
        WasmCapabilities::builder()
            .max_component_streams(10)
            .build(),
    );
    let got = js.run(
        "const instance = await component(() => 1);
         const streams = [];
         const error = tell(await caught(async () => {
             while (true) streams.push(await instance.exports.one());
         }));
         return [streams.length, error.code, error.message, instance.ended];",
    );
    let message = "too many streams and futures are open: the cap is 10 (max_component_streams)";
    assert_eq!(got, json!([10, 5002, message, true]));
}

/// With low caps, a stream, handle or call that is not freed ends the loop.
#[test]
fn twenty_thousand_streams_and_calls_leave_nothing() {
    let mut js = guest(
        WasmCapabilities::builder()
            .max_component_streams(4)
            .max_component_calls(4)
            .max_references(200)
            .build(),
    );
    let got = js.run(
        "const instance = await component(async (id) => id);
         const { exports } = instance;
         let read = 0, cancelled = 0, ignored = 0, called = 0;
         for (let i = 0; i < 5000; i++) {
             for await (const chunk of await exports.one()) read += chunk.length;
             const stream = await exports.one();
             await stream.return();
             cancelled++;
             await exports.ignore([[1]]);
             ignored++;
             called += await exports.run(1);
         }
         return [read, cancelled, ignored, called, instance.ended];",
    );
    assert_eq!(got, json!([5000, 5000, 5000, 5000, false]));
}

#[test]
fn ops_with_made_up_numbers_fail_or_do_nothing() {
    let mut js = guest(WasmCapabilities::default());
    let got = js.run(
        "const { ops } = Deno.core;
         const instance = await component(() => 1);
         const failed = [];
         for (const [name, ...args] of [
             ['op_wasm_start_concurrent_call', 999, 0, new Uint8Array(4), -1, false],
             ['op_wasm_next_component_event', 999], ['op_wasm_component_active', 999],
             ['op_wasm_settle_component', 999, true], ['op_wasm_put_elements', 999, 0, new Uint8Array(4)],
             ['op_wasm_want_elements', 999, 0], ['op_wasm_cancel_sink', 999, 0], ['op_wasm_close_source', 999, 0],
             ['op_wasm_answer_component_import', 999, 0, 0, 0, new Uint8Array()],
         ]) {
             try { ops[name](...args); failed.push(name); } catch { /* as it should */ }
         }
         ops.op_wasm_abort_component(999);
         // Of this instance's store: numbers of stores count up.
         for (let store = 0; store < 20; store++) {
             for (const attempt of [
                 () => ops.op_wasm_put_elements(store, 7, new Uint8Array(4)),
                 () => ops.op_wasm_put_elements(store, 7, new Uint8Array([1, 0, 0, 0])),
                 () => ops.op_wasm_want_elements(store, 7), () => ops.op_wasm_cancel_sink(store, 7),
                 () => ops.op_wasm_close_source(store, 7),
                 () => ops.op_wasm_answer_component_import(store, 7, 0, 0, new Uint8Array(4)),
                 () => ops.op_wasm_answer_component_import(store, 7, 12345, 0, new Uint8Array(4)),
                 () => ops.op_wasm_start_concurrent_call(store, 12345, new Uint8Array(), -1, false),
                 () => ops.op_wasm_start_concurrent_call(store, 0, new Uint8Array(3), -1, false),
                 () => ops.op_wasm_start_component_call(store, 0, new Uint8Array(4), -1, false),
             ]) try { attempt(); } catch { /* it may fail */ }
         }
         return [failed, instance.ended, await instance.exports.run(1)];",
    );
    assert_eq!(got, json!([[], false, 1]));
}

/// wasmtime's synchronous calls panic in such a component.
#[test]
fn an_asynchronous_component_handles_no_requests_of_wasi_02() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.allow_wasi = true;
    let got = Js::with(capabilities).run(
        "const handler = Deno.core.ops.op_host_network_guest('handler');
         // The type of an asynchronous function, which is enough.
         const component = await compileComponent(new Uint8Array([...handler, 7, 5, 1, 0x43, 0, 1, 0]));
         const instance = await instantiateComponent(component, {}, { wasi: {} });
         const refused = await caught(() => instance.handle({ url: 'http://a.example/' }));
         return [tell(refused), instance.ended];",
    );
    let message = "the component handles no requests: it does not export wasi:http/handler@0.3, or has no WASI";
    assert_eq!(
        got,
        json!([{ "code": 5004, "kind": "FunctionNotFound", "message": message }, false])
    );
}
