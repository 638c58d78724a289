//! Stores of one group have their limits together.

use std::sync::{Arc, Mutex};

use ext_wasm::runtime::{
    Outcome, Progress, RunningCall, StoreOptions, WasmError, WasmInstance, WasmState,
};
use ext_wasm::{CallOptions, Import, WasmCapabilities, WasmErrorCode, WasmFunc, WasmValue};
use serde_json::json;

use crate::support::js::Js;

/// Functions that count down, loop for ever, or call an import first, and a memory and a table that grow.
const GUEST: &str = r#"(module
    (import "env" "back" (func $back))
    (memory (export "memory") 1 100)
    (table (export "table") 10 funcref)
    (func (export "count") (param $n i32)
        (loop $again
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "spin") (loop $again (br $again)))
    (func (export "call") (call $back))
    (func (export "call_and_count") (param $n i32)
        (call $back)
        (loop $again
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "grow_table") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))"#;

fn state() -> WasmState {
    WasmState::new(WasmCapabilities::default()).unwrap()
}

/// An instance in a store of its own in the group. Its import calls `back`. Returns the store's handle too.
fn guest(
    state: &WasmState,
    group: u32,
    back: impl Fn() + Send + Sync + 'static,
) -> (u32, WasmInstance) {
    let module = state.compile(GUEST.as_bytes()).unwrap();
    let (store, _) = state.new_grouped_store(group, None).unwrap();
    let back = Import::func(move |_, _| {
        back();
        Ok(vec![])
    });
    let made = state.instantiate(module.id, store, vec![back]);
    (store, made.unwrap().returned().unwrap())
}

fn code(called: Result<Vec<WasmValue>, WasmError>) -> Option<WasmErrorCode> {
    called.err().map(|error| error.code)
}

/// Passes functions to an import that runs in another store. Tests run on one thread.
struct OnThread<T>(T);

// SAFETY: a test uses the value on the thread that made it only: a host function runs on the thread of its store.
unsafe impl<T> Send for OnThread<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for OnThread<T> {}

impl OnThread<WasmFunc> {
    fn call(&self, args: &[WasmValue]) -> Result<Outcome<Vec<WasmValue>>, WasmError> {
        self.0.call(args)
    }
}

#[test]
fn stores_of_a_group_use_one_budget_of_fuel() {
    let state = state();
    let group = state
        .new_group(StoreOptions::default().with_fuel(10_000))
        .unwrap();
    let (id, one) = guest(&state, group, || ());
    let (_, two) = guest(&state, group, || ());
    let left = || state.group_fuel(group).unwrap().unwrap();
    let before = left();
    one.call("count", &[100.into()]).unwrap();
    let cost = before - left();
    assert!((100..1000).contains(&cost), "{cost}");
    two.call("count", &[100.into()]).unwrap();
    assert_eq!(left(), before - 2 * cost);
    assert_eq!(state.store(id).unwrap().fuel(), Ok(left()));
    let used = one.store().stats().unwrap().fuel_used.unwrap();
    assert!((cost..cost + 50).contains(&used), "{used}");

    assert_eq!(
        code(two.call("spin", &[])),
        Some(WasmErrorCode::FuelExhausted)
    );
    assert_eq!(left(), 0);
    assert_eq!(
        code(one.call("count", &[1.into()])),
        Some(WasmErrorCode::FuelExhausted)
    );
    state.set_fuel(id, 500).unwrap();
    assert_eq!(left(), 500);
    two.call("count", &[10.into()]).unwrap();
    assert!(left() < 500);
}

#[test]
fn a_run_nested_in_a_run_of_another_store_uses_the_same_budget() {
    let state = state();
    let budget = 100_000;
    let group = state
        .new_group(StoreOptions::default().with_fuel(budget))
        .unwrap();
    let (_, inner) = guest(&state, group, || ());
    let left = || state.group_fuel(group).unwrap().unwrap();
    let start = left();
    inner.call("count", &[1000.into()]).unwrap();
    let cost = start - left();
    let count = OnThread(inner.func("count").unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let results = seen.clone();
    let (id, outer) = guest(&state, group, move || {
        let called = count.call(&[1000.into()]);
        results
            .lock()
            .unwrap()
            .push(called.map(|_| ()).map_err(|error| error.code));
    });
    let before = left();
    outer.call("call_and_count", &[1000.into()]).unwrap();
    let both = before - left();
    // The import and the two loops.
    assert!((2 * cost..2 * cost + 50).contains(&both), "{both} {cost}");

    state.set_fuel(id, cost + cost / 2).unwrap();
    let ended = outer.call("call_and_count", &[1000.into()]);
    assert_eq!(code(ended), Some(WasmErrorCode::FuelExhausted));
    state.set_fuel(id, cost / 2).unwrap();
    let ended = outer.call("call_and_count", &[1.into()]);
    assert_eq!(code(ended), Some(WasmErrorCode::FuelExhausted));
    let exhausted = Err(WasmErrorCode::FuelExhausted);
    assert_eq!(*seen.lock().unwrap(), [Ok(()), Ok(()), exhausted]);
    assert_eq!(left(), 0);
}

#[test]
fn an_asynchronous_run_takes_half_of_the_budget() {
    let state = state();
    let group = state
        .new_group(StoreOptions::default().with_fuel(1_000_000))
        .unwrap();
    let (waiting_id, waiting) = guest(&state, group, || ());
    let (_, other) = guest(&state, group, || ());
    state.set_fuel(waiting_id, 100_000).unwrap();
    let spin = waiting.func("spin").unwrap().handle();
    let call = state.start_call(waiting_id, spin, vec![], CallOptions::default());
    let error = end(&call.unwrap()).unwrap_err();
    assert_eq!(error.code, WasmErrorCode::FuelExhausted);
    assert_eq!(state.group_fuel(group), Ok(Some(50_000)));
    other.call("count", &[100.into()]).unwrap();

    state.set_fuel(waiting_id, 100_000).unwrap();
    let back = waiting.func("call").unwrap().handle();
    let call = state.start_call(waiting_id, back, vec![], CallOptions::default());
    end(&call.unwrap()).unwrap();
    let left = state.group_fuel(group).unwrap().unwrap();
    assert!((99_900..100_000).contains(&left), "{left}");
}

/// Runs the host functions of an asynchronous call until it has ended.
fn end(call: &RunningCall) -> Result<(), WasmError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    loop {
        runtime.block_on(call.ready())?;
        if let Progress::Ended(_) = call.advance()? {
            return Ok(());
        }
    }
}

#[test]
fn stores_of_a_group_share_a_cap_on_memory_and_give_it_back() {
    const PAGE: u64 = 65_536;
    let state = state();
    let options = StoreOptions::default().with_max_memory_bytes(10 * PAGE);
    let group = state.new_group(options).unwrap();
    let (one_id, one) = guest(&state, group, || ());
    let (_, two) = guest(&state, group, || ());
    let grow = |instance: &WasmInstance, pages: i32| instance.call("grow", &[pages.into()]);
    let refused = Ok(vec![WasmValue::I32(-1)]);
    assert_eq!(grow(&one, 7), Ok(vec![1.into()]));
    assert_eq!(grow(&two, 2), refused);
    assert_eq!(grow(&two, 1), Ok(vec![1.into()]));
    let module = state.compile(b"(module (memory 1))").unwrap();
    let (full, _) = state.new_grouped_store(group, None).unwrap();
    let error = state.instantiate(module.id, full, vec![]).err().unwrap();
    assert_eq!(error.code, WasmErrorCode::InstantiateError);
    assert!(
        error.message.contains("exceed the cap of 655360 bytes"),
        "{error}"
    );
    // A shared memory counts with the size that it may grow to.
    let shared = state
        .store(full)
        .unwrap()
        .new_memory(ext_wasm::wasmtime::MemoryType::shared(0, 1));
    assert_eq!(
        shared.err().map(|error| error.code),
        Some(WasmErrorCode::InstantiateError)
    );

    drop(one);
    assert!(state.drop_store(one_id));
    assert_eq!(grow(&two, 8), Ok(vec![2.into()]));
    assert_eq!(grow(&two, 1), refused);
    state.drop_store(full);
}

#[test]
fn stores_of_a_group_share_a_cap_on_table_elements() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.max_table_elements = 50;
    let state = WasmState::new(capabilities).unwrap();
    let group = state.new_group(StoreOptions::default()).unwrap();
    let (one_id, one) = guest(&state, group, || ());
    let (_, two) = guest(&state, group, || ());
    let grow = |instance: &WasmInstance, by: i32| instance.call("grow_table", &[by.into()]);
    let refused = Ok(vec![WasmValue::I32(-1)]);
    assert_eq!(grow(&one, 25), Ok(vec![10.into()]));
    assert_eq!(grow(&two, 6), refused);
    assert_eq!(grow(&two, 5), Ok(vec![10.into()]));
    drop(one);
    state.drop_store(one_id);
    assert_eq!(grow(&two, 35), Ok(vec![15.into()]));
    assert_eq!(grow(&two, 1), refused);
}

#[test]
fn a_nested_run_ends_at_the_deadline_around_it() {
    let state = state();
    let mut options = StoreOptions::default().with_timeout_ms(2_000);
    options.interruptible = true;
    let group = state.new_group(options).unwrap();
    let (_, inner) = guest(&state, group, || ());
    let spin = OnThread(inner.func("spin").unwrap());
    let seen = Arc::new(Mutex::new(None));
    let result = seen.clone();
    let (id, outer) = guest(&state, group, move || {
        *result.lock().unwrap() = spin.call(&[]).err();
    });
    let call = outer.func("call").unwrap().handle();
    let mut options = CallOptions::default();
    options.timeout_ms = Some(20);
    let call = state.start_call(id, call, vec![], options).unwrap();
    let passed = "the deadline passed: a call may take 20 ms";
    assert_eq!(end(&call).unwrap_err().message, passed);
    assert_eq!(seen.lock().unwrap().take().unwrap().message, passed);
}

#[test]
fn a_group_that_was_dropped_makes_no_stores_and_its_stores_live_on() {
    let state = state();
    let group = state
        .new_group(StoreOptions::default().with_fuel(1000))
        .unwrap();
    let (id, instance) = guest(&state, group, || ());
    assert!(state.drop_group(group));
    assert!(!state.drop_group(group));
    let codes = [
        state.new_grouped_store(group, None).map(drop).err(),
        state.group_fuel(group).map(drop).err(),
    ];
    assert_eq!(
        codes.map(|error| error.map(|error| error.code)),
        [Some(WasmErrorCode::RuntimeError); 2]
    );
    instance.call("count", &[10.into()]).unwrap();
    assert!(state.store(id).unwrap().fuel().unwrap() < 1000);
}

#[test]
fn capabilities_cap_groups() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.max_fuel = Some(500);
    capabilities.max_stores = 2;
    let state = WasmState::new(capabilities).unwrap();
    let group = state
        .new_group(StoreOptions::default().with_fuel(1_000_000))
        .unwrap();
    assert_eq!(state.group_fuel(group), Ok(Some(500)));
    let unlimited = state.new_group(StoreOptions::default()).unwrap();
    assert_eq!(state.group_fuel(unlimited), Ok(Some(500)));
    let error = state.new_group(StoreOptions::default()).unwrap_err();
    assert_eq!(error.message, "too many groups of stores: the cap is 2");
}

#[test]
fn a_module_compiled_for_a_group_is_ready_for_its_stores() {
    let result = Js::new().run(
        r#"
        const { ops } = Deno.core;
        const group = ops.op_wasm_new_group(1000, -1, 50, false);
        const store = ops.op_wasm_new_grouped_store(group, "", new Uint8Array());
        const binary = (value) => new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0,
            7, 9, 2, 1, 102, 0, 0, 1, 103, 0, 0, 10, 6, 1, 4, 0, 65, value, 11]);
        const now = JSON.parse(ops.op_wasm_compile_now(binary(1), group));
        const later = JSON.parse(await ops.op_wasm_compile_for(binary(2), 0, group));
        const others = JSON.parse(await ops.op_wasm_compile(binary(3), 0, false, false));
        const NOT_COMPILED = 1;
        const needs = [now, later, others].map(({ id }) => ops.op_wasm_preparation(id, store) === NOT_COMPILED);
        const failed = [];
        for (const source of [text("(module)"), new Uint8Array(), binary(1).subarray(0, 9),
            new Uint8Array([0, 97, 115, 109, 2, 0, 0, 0])]) {
            failed.push(await codeOf(() => ops.op_wasm_compile_now(source, group)));
            failed.push(await codeOf(() => ops.op_wasm_compile_for(source, 0, group)));
        }
        failed.push(await codeOf(() => ops.op_wasm_compile_now(binary(1), 77)));
        failed.push((await caught(() => ops.op_wasm_compile_now(text("(module)"), group))).message);
        const { exports } = now;
        ops.op_wasm_drop_group(group);
        return [needs, failed, exports.map(({ name }) => name), 
            await codeOf(() => ops.op_wasm_new_grouped_store(group, "", new Uint8Array()))];
        "#,
    );
    let failed = [
        &[5000; 8].map(|code| json!(code))[..],
        &[json!(5002)],
        &[json!(
            "not a WebAssembly module in the binary format: the source does not begin with `\\0asm`"
        )],
    ];
    assert_eq!(
        result,
        json!([[false, false, true], failed.concat(), ["f", "g"], 5002])
    );
}

#[test]
fn exports_have_the_indices_of_their_functions() {
    let result = Js::new().run(
        r#"
        const module = await compile(text(`(module (import "a" "b" (func $f)) (func $g) (memory $m 1)
            (export "m" (memory $m)) (export "g" (func $g)) (export "f" (func $f)) (export "g2" (func $g)))`));
        const indices = (id) => [...new Uint32Array(Deno.core.ops.op_wasm_export_indices(id).buffer)];
        const empty = await compile(text("(module)"));
        return [indices(module.id), indices(empty.id), await codeOf(() => indices(77))];
        "#,
    );
    assert_eq!(result, json!([[u32::MAX, 1, 0, 1], [], 5001]));
}
