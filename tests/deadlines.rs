//! Deadlines: no call takes longer than its store allows.

use ext_wasm::WasmCapabilities;
use serde_json::{Value, json};

use crate::support::js::Js;

/// Functions that loop for ever, loop a given number of times, or call an import first.
const LOOPS: &str = r#"(module
    (import "env" "back" (func $back))
    (memory (export "memory") 1)
    (func (export "spin") (loop $again (br $again)))
    (func (export "count") (param $n i32)
        (loop $again
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "back_and_spin") (call $back) (loop $again (br $again)))
    (func (export "back_and_count") (param $n i32)
        (call $back)
        (loop $again
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "store_and_spin") (i32.store (i32.const 0) (i32.const 7)) (loop $again (br $again)))
    (func (export "catch") (result i32)
        (block $caught
            (try_table (catch_all $caught) (call $back))
            (return (i32.const 0)))
        (i32.const 1)))"#;

fn run(capabilities: WasmCapabilities, body: &str) -> Value {
    Js::with(capabilities).run(&format!(
        "const loops = (options, back = () => {{}}) => load({}, {{ env: {{ back }} }}, options);\n{body}",
        json!(LOOPS)
    ))
}

fn passed(timeout: u64) -> Value {
    json!({
        "code": 5002, "kind": "RuntimeError", "trap": "interrupt",
        "message": format!("the deadline passed: a call may take {timeout} ms"),
    })
}

#[test]
fn a_deadline_ends_an_endless_loop() {
    let result = run(
        WasmCapabilities::default(),
        "const guest = await loops({ timeoutMs: 10 });
         const errors = [];
         for (const name of ['spin', 'store_and_spin', 'spin']) errors.push(tell(await caught(() => guest.call(name))));
         guest.call('count', [1000]);
         return [errors, guest.readMemory(0, 1)[0], (await caught(() => guest.call('spin'))).wasmStack !== undefined];",
    );
    let ten = passed(10);
    assert_eq!(result, json!([[ten, ten, ten], 7, true]));
}

#[test]
fn a_start_function_has_a_deadline() {
    let result = run(
        WasmCapabilities::default(),
        "return tell(await caught(() => load('(module (func $f (loop $l (br $l))) (start $f))', {}, { timeoutMs: 5 })));",
    );
    assert_eq!(result, passed(5));
}

#[test]
fn the_time_of_imports_and_inner_calls_counts() {
    let result = run(
        WasmCapabilities::default(),
        "const wait = () => { const until = Date.now() + 30; while (Date.now() < until); };
         const waits = await loops({ timeoutMs: 20 }, wait);
         const late = await codeOf(() => waits.call('back_and_count', [100]));
         const nests = await loops({ timeoutMs: 20 }, () => { wait(); nests.call('count', [100]); });
         const inner = await caught(() => nests.call('back_and_spin'));
         return [late, inner.code, inner.cause?.trap ?? inner.trap];",
    );
    assert_eq!(result, json!([5002, 5002, "interrupt"]));
}

#[test]
fn each_store_has_its_own_deadline() {
    let result = run(
        WasmCapabilities::default(),
        "const short = await loops({ timeoutMs: 5 });
         let inner;
         const long = await loops({ timeoutMs: 1e9 }, () => {
             try { short.call('spin'); } catch (error) { inner = error.trap; }
         });
         long.call('back_and_count', [1000]);
         const none = await loops({}, () => {
             try { short.call('spin'); } catch (error) { inner += error.trap; }
         });
         none.call('back_and_count', [1000]);
         return inner;",
    );
    assert_eq!(result, "interruptinterrupt");
}

#[test]
fn an_early_deadline_does_not_wait_for_a_later_one() {
    let result = run(
        WasmCapabilities::default(),
        "const long = await loops({ timeoutMs: 1e9 });
         const short = await loops({ timeoutMs: 5 });
         const waits = long.callAsync('count', [1e8]);
         const results = [];
         for (let i = 0; i < 3; i++) results.push((await caught(() => short.call('spin'))).trap);
         await waits;
         return results;",
    );
    assert_eq!(result, json!(["interrupt", "interrupt", "interrupt"]));
}

#[test]
fn no_guest_catches_a_deadline() {
    let result = run(
        WasmCapabilities::default(),
        "const short = await loops({ timeoutMs: 5 });
         const outer = await loops({}, () => short.call('spin'));
         const throws = await loops({}, () => { throw 1; });
         const furthest = await loops({}, () => outer.call('catch'));
         const far = (await caught(() => furthest.call('catch'))).cause?.cause?.trap;
         return [tell(await caught(() => outer.call('catch'))), throws.call('catch'), far];",
    );
    let message = "import \"env\".\"back\" threw";
    let outer =
        json!({ "code": 5002, "kind": "RuntimeError", "message": message, "cause": passed(5) });
    assert_eq!(result, json!([outer, 1, "interrupt"]));
}

#[test]
fn the_cap_of_the_host_wins() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.max_timeout_ms = Some(5);
    let result = run(
        capabilities,
        "return Promise.all([{}, { timeoutMs: 1e9 }, { timeoutMs: 3 }].map(async (options) =>
             tell(await caught(async () => (await loops(options)).call('spin')))));",
    );
    assert_eq!(result, json!([passed(5), passed(5), passed(3)]));
}

#[test]
fn deadlines_work_together_with_fuel_and_with_wasi() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.allow_wasi = true;
    let result = run(
        capabilities,
        "const trap = async (options) => {
             const guest = await loops(options);
             const error = await caught(() => guest.call('spin'));
             guest.call('count', [100]);
             return [error.code, error.trap];
         };
         return [await trap({ timeoutMs: 10, fuel: 1e12 }), await trap({ timeoutMs: 10, wasi: {} }),
                 await codeOf(async () => (await loops({ timeoutMs: 1e9, fuel: 1000 })).call('spin'))];",
    );
    assert_eq!(
        result,
        json!([[5002, "interrupt"], [5002, "interrupt"], 5006])
    );
}

#[test]
fn very_late_deadlines_and_invalid_ones() {
    let result = run(
        WasmCapabilities::default(),
        "const guest = await loops({ timeoutMs: Number.MAX_SAFE_INTEGER });
         for (let i = 0; i < 1000; i++) guest.call('count', [10]);
         return Promise.all([-1, 1.5, NaN, '1', null, 2 ** 53].map((timeoutMs) => codeOf(() => loops({ timeoutMs }))));",
    );
    assert_eq!(result, json!(vec![5001; 6]));
}

/// Neither fuel nor a deadline can end a wait on memory, and no other thread can wake the guest up.
#[test]
fn modules_that_wait_on_memory_are_refused_where_calls_are_limited() {
    let result = run(
        WasmCapabilities::default(),
        "const waits = (memory, wait) => `(module (memory ${memory}) (func (export \"f\") (result i32) ${wait}))`;
         const wait32 = '(memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 0))';
         const wait64 = '(memory.atomic.wait64 (i32.const 0) (i64.const 0) (i64.const 0))';
         const shared = '1 1 shared', own = '1';
         const imported = `(module (import \"m\" \"m\" (memory 1 1 shared)) (func (drop ${wait32})))`;
         const fenced = [{ fuel: 1e6 }, { timeoutMs: 1000 }, { interruptible: true }];
         const codes = [];
         for (const options of fenced) {
             codes.push(await codeOf(() => load(waits(shared, wait32), {}, options)), await codeOf(() => load(waits(shared, wait64), {}, options)));
             const store = new WasmStore(options);
             const m = new WasmMemory(store, { minimum: 1, maximum: 1, shared: true });
             codes.push(await codeOf(() => load(imported, { m: { m } }, { store })));
             // A wait on memory that is not shared traps. A module without a wait is taken.
             codes.push((await caught(async () => (await load(waits(own, wait32), {}, options)).call('f'))).trap);
             codes.push((await load(waits(shared, '(memory.atomic.notify (i32.const 0) (i32.const 1))'), {}, options)).call('f'));
         }
         return [codes, (await load(waits(shared, wait32))).call('f'), tell(await caught(() => load(waits(shared, wait32), {}, fenced[0]))).message];",
    );
    let trap = "expected shared memory";
    let fenced = json!([5001, 5001, 5001, trap, 0]);
    let fenced: Vec<_> = (0..3)
        .flat_map(|_| fenced.as_array().unwrap().clone())
        .collect();
    let message = "the module waits on shared memory (memory.atomic.wait), which neither fuel nor a \
                   deadline can end";
    assert_eq!(result, json!([fenced, 2, message]));
}
