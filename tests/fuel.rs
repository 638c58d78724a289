//! Fuel runs out at the right instruction, and the state of the guest is kept.

use std::cell::RefCell;

use ext_wasm::runtime::{Outcome, StoreOptions, WasmValue};
use ext_wasm::{WasmCapabilities, WasmErrorCode, WasmState};
use proptest::prelude::*;
use serde_json::json;

use crate::marshalling::runner;
use crate::support::js::Js;

#[test]
fn an_endless_loop_ends_and_its_writes_are_kept() {
    let result = Js::new().run(
        r#"
        const instance = await fixture("spin", {}, { fuel: 1_000_000 });
        const results = [await codeOf(() => instance.call("forever")), instance.fuel];
        results.push(await codeOf(() => instance.call("count", [1])));
        instance.setFuel(10_000);
        results.push(await codeOf(() => instance.call("count", [1_000_000])));
        results.push(new Uint32Array(instance.memory().buffer)[0] > 100);
        instance.setFuel(1000);
        results.push(instance.call("count", [3]), instance.fuel < 1000);
        return results;
        "#,
    );
    assert_eq!(result, json!([5006, 0, 5006, 5006, true, 3, true]));
}

#[test]
fn the_same_call_costs_the_same_each_time() {
    let result = Js::new().run(
        r#"
        const costs = [];
        for (let i = 0; i < 3; i++) {
            const instance = await fixture("spin", {}, { fuel: 100_000 });
            instance.call("count", [1000]);
            costs.push(100_000 - instance.fuel);
        }
        const enough = async (fuel) => {
            const instance = await fixture("spin", {}, { fuel });
            return await codeOf(() => instance.call("count", [1000])) !== 5006;
        };
        let [less, least] = [0, costs[0]];
        while (less + 1 < least) {
            const middle = Math.floor((less + least) / 2);
            if (await enough(middle)) least = middle;
            else less = middle;
        }
        return [
            costs.every((cost) => cost === costs[0]),
            await enough(least), await enough(least), await enough(least - 1),
            // Fuel is checked where code may loop. The code after the last check may use a little more than is left.
            costs[0] - least < 20,
        ];
        "#,
    );
    assert_eq!(result, json!([true, true, true, false, true]));
}

#[test]
fn instances_of_one_store_share_its_budget() {
    let result = Js::new().run(
        r#"
        const store = new WasmStore({ fuel: 10_000 });
        const a = await fixture("spin", {}, { store });
        const b = await fixture("spin", {}, { store });
        const code = await codeOf(() => a.call("forever"));
        return [code, b.fuel, store.fuel, await codeOf(() => b.call("count", [1]))];
        "#,
    );
    assert_eq!(result, json!([5006, 0, 0, 5006]));
}

#[test]
fn a_module_runs_with_and_without_fuel() {
    let result = Js::new().run(
        r#"
        const module = await compile(text(fixtures.add));
        const plain = await instantiate(module);
        const metered = await instantiate(module, {}, { fuel: 100 });
        return [plain.fuel ?? null, metered.fuel, plain.call("add", [1, 2]),
            metered.call("add", [3, 4])];
        "#,
    );
    assert_eq!(result, json!([null, 100, 3, 7]));
}

/// A guest that records its progress in memory: in a loop, in functions that call each other, in calls through a
/// table, and in a bulk operation.
const WORK: &str = r#"(module
    (memory (export "memory") 1)
    (table 2 funcref)
    (elem (i32.const 0) $even $odd)
    (type $step (func (param i32)))
    (func $mark (param i32)
        (i32.store (i32.const 0) (local.get 0))
        (i32.store (i32.const 4) (i32.add (i32.load (i32.const 4)) (i32.const 1))))
    (func $even (type $step) (call $mark (local.get 0)))
    (func $odd (type $step)
        (memory.fill (i32.const 64) (local.get 0) (i32.const 100))
        (call $mark (local.get 0)))
    (func $down (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then
                (call_indirect (type $step) (local.get 0) (i32.and (local.get 0) (i32.const 1)))
                (call $down (i32.sub (local.get 0) (i32.const 1))))
            (else (i32.load (i32.const 4)))))
    (func (export "work") (param $n i32) (result i32)
        (local $i i32)
        (loop $again
            (call $mark (local.get $i))
            (drop (call $down (i32.rem_u (local.get $i) (i32.const 5))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (local.get $n))))
        (i32.load (i32.const 4))))"#;

/// The end of a run: the result if the function returned, the progress that the guest recorded, and the fuel that is
/// left.
type Stopped = (Option<i32>, [u32; 2], u64);

/// Runs the guest from TypeScript.
fn in_typescript(js: &RefCell<Js>, n: i32, fuel: u64) -> Stopped {
    let end = js.borrow_mut().wait(&format!("run({n}, {fuel})"));
    let mark = |i: usize| end["marks"][i].as_u64().unwrap() as u32;
    let result = end["result"].as_i64().map(|result| result as i32);
    assert!(result.is_some() || end["code"] == 5006, "{end}");
    (result, [mark(0), mark(1)], end["fuel"].as_u64().unwrap())
}

/// Runs the guest with the Rust API.
fn in_rust(state: &WasmState, module: u32, n: i32, fuel: u64) -> Stopped {
    let mut options = StoreOptions::default();
    options.fuel = Some(fuel);
    let (id, store) = state.new_store(options).unwrap();
    let Outcome::Returned(instance) = state.instantiate(module, id, vec![]).unwrap() else {
        panic!("no instance");
    };
    let (_, func) = instance.export("work").unwrap();
    let result = match store.func(func).unwrap().call(&[WasmValue::I32(n)]) {
        Ok(Outcome::Returned(values)) => match values[..] {
            [WasmValue::I32(value)] => Some(value),
            _ => panic!("{values:?}"),
        },
        Ok(other) => panic!("{other:?}"),
        Err(error) => {
            assert_eq!(error.code, WasmErrorCode::FuelExhausted);
            None
        }
    };
    let (_, memory) = instance.export("memory").unwrap();
    let mut bytes = [0; 8];
    store.memory(memory).unwrap().read(0, &mut bytes).unwrap();
    let stopped = (result, marks(&bytes), store.fuel().unwrap());
    state.drop_instance(instance.id);
    state.drop_store(id);
    stopped
}

/// Runs the guest with wasmtime alone.
fn in_wasmtime(module: &wasmtime::Module, n: i32, fuel: u64) -> Stopped {
    let mut store = wasmtime::Store::new(module.engine(), ());
    store.set_fuel(fuel).unwrap();
    let instance = wasmtime::Instance::new(&mut store, module, &[]).unwrap();
    let work = instance
        .get_typed_func::<i32, i32>(&mut store, "work")
        .unwrap();
    let result = work.call(&mut store, n).ok();
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    let marks = marks(&memory.data(&store)[..8]);
    (result, marks, store.get_fuel().unwrap())
}

fn marks(bytes: &[u8]) -> [u32; 2] {
    let mark = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    [mark(0), mark(4)]
}

#[test]
fn a_budget_ends_at_the_same_instruction_in_every_run_and_lane() {
    let mut js = Js::new();
    js.run(&format!(
        r#"
        const module = await compile(text({}));
        globalThis.run = async (n, fuel) => {{
            const instance = await instantiate(module, {{}}, {{ fuel }});
            const end = {{}};
            try {{
                end.result = instance.call("work", [n]);
            }} catch (error) {{
                end.code = error.code;
            }}
            end.marks = [...new Uint32Array(instance.memory().buffer, 0, 2)];
            end.fuel = instance.fuel;
            instance.drop();
            return end;
        }};
        "#,
        json!(WORK)
    ));
    let js = RefCell::new(js);
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let module = state.compile(WORK.as_bytes()).unwrap().id;
    let mut config = wasmtime::Config::new();
    config.consume_fuel(true);
    let engine = wasmtime::Engine::new(&config).unwrap();
    let alone = wasmtime::Module::new(&engine, wat::parse_str(WORK).unwrap()).unwrap();

    let ended = RefCell::new([0, 0]);
    let run = |(n, fuel): (i32, u64)| {
        let first = in_typescript(&js, n, fuel);
        ended.borrow_mut()[usize::from(first.0.is_some())] += 1;
        prop_assert_eq!(in_typescript(&js, n, fuel), first, "the second run");
        prop_assert_eq!(in_rust(&state, module, n, fuel), first, "in Rust");
        prop_assert_eq!(in_wasmtime(&alone, n, fuel), first, "in wasmtime");
        Ok(())
    };
    runner().run(&(0..40i32, 0..6_000u64), run).unwrap();
    let ended = ended.into_inner();
    assert!(ended.iter().all(|count| *count > 0), "{ended:?}");
}

#[test]
fn the_least_budget_is_exact_and_the_same_on_every_engine() {
    let result = Js::new().run(&format!(
        r#"
        const programs = {{
            work: [text({}), "work", [20]],
            count: [text(fixtures.spin), "count", [1000]],
            add: [text(fixtures.add), "add", [1, 2]],
        }};
        const results = {{}};
        for (const [name, [source, func, args]] of Object.entries(programs)) {{
            const module = await compile(source);
            const run = async (fuel) => {{
                const instance = await instantiate(module, {{}}, {{ fuel }});
                const error = await caught(() => instance.call(func, args));
                const first = instance.exports.some(({{ kind }}) => kind === "memory")
                    ? new Uint32Array(instance.memory().buffer)[0] : undefined;
                instance.drop();
                return {{ code: error.code, first }};
            }};
            let [less, least] = [0, 1_000_000];
            if ((await run(least)).code !== undefined) throw "the program does not end";
            while (less + 1 < least) {{
                const middle = Math.floor((less + least) / 2);
                if ((await run(middle)).code === undefined) least = middle;
                else less = middle;
            }}
            results[name] = {{ least, oneLess: await run(least - 1), enough: await run(least), half: await run(least >> 1) }};
        }}
        return results;
        "#,
        json!(WORK)
    ));
    crate::support::snapshots(|| insta::assert_snapshot!("fuel", format!("{result:#}")));
}
