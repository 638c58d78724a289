//! Instances in a pool behave as those outside of it.

use ext_wasm::{Import, InstancePool, Outcome, StoreOptions, WasmCapabilities, WasmState};
use serde_json::json;

use crate::support::child::{self, Child, this_test};
use crate::support::js::Js;

/// A module that fits into a pool.
const SMALL: &str = r#"(module
    (memory (export "memory") 1)
    (table (export "table") 2 funcref)
    (global (export "global") (mut i32) (i32.const 7))
    (elem (i32.const 0) $one)
    (data (i32.const 8) "data")
    (func $one (export "one") (result i32) (i32.const 1))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "growTable") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))"#;

fn capabilities(instances: u32) -> WasmCapabilities {
    WasmCapabilities::builder()
        .instance_pool(InstancePool::of(instances))
        .build()
}

/// Returns a runtime with a pool of its own size, so that other tests use other pools.
fn js(instances: u32) -> Js {
    Js::with(capabilities(instances))
}

fn pooled(js: &Js) -> u32 {
    js.state().stats().pooled_instances
}

#[test]
fn instances_are_in_the_pool_until_it_is_full() {
    let mut js = js(3);
    let script = format!(
        "globalThis.small = await compile(text(`{SMALL}`));
         globalThis.all = [];
         for (let i = 0; i < 5; i++) all[i] = await instantiate(small);
         return all.map((instance) => instance.call('one'));"
    );
    assert_eq!(js.run(&script), json!([1, 1, 1, 1, 1]));
    let stats = js.state().stats();
    assert_eq!((stats.instances, stats.pooled_instances), (5, 3));
    // A place is free when its instance is dropped.
    js.run("all[1].drop(); return null");
    assert_eq!(pooled(&js), 2);
    js.run("all[1] = await instantiate(small); return null");
    assert_eq!(pooled(&js), 3);
    js.run("for (const instance of all) instance.drop(); return null");
    assert_eq!(pooled(&js), 0);
}

#[test]
fn nothing_of_an_instance_is_left_for_the_next_one() {
    let mut js = js(1);
    let script = format!(
        "const small = await compile(text(`{SMALL}`));
         const other = await compile(text(`(module (memory (export \"memory\") 3) (table (export \"table\") 5 externref))`));
         for (let i = 0; i < 20; i++) {{
             const instance = await instantiate(i % 3 === 2 ? other : small, {{}}, i % 2 ? {{ fuel: 100_000 }} : {{}});
             const memory = instance.memory('memory');
             memory.grow(4);
             const bytes = new Uint8Array(memory.buffer);
             const data = bytes.slice(8, 12).join();
             if (data !== (i % 3 === 2 ? '0,0,0,0' : '100,97,116,97')) return data;
             for (let at = 12; at < bytes.length; at++) if (bytes[at] !== 0) return [i, at, bytes[at]];
             bytes.fill(255);
             const table = instance.table('table');
             const start = i % 3 === 2 ? 0 : 1;
             for (let at = start; at < table.length; at++) {{
                 const element = table.get(at);
                 if (element !== null && element !== undefined) return [i, at, 'an element'];
                 table.set(at, i % 3 === 2 ? {{}} : instance.func('one'));
             }}
             if (i % 3 !== 2) {{
                 if (instance.global('global').value !== 7) return 'a global';
                 instance.global('global').value = i;
             }}
             instance.drop();
             if (bytes.length !== 0) return 'a view';
         }}
         return 'nothing';"
    );
    assert_eq!(js.run(&script), json!("nothing"));
}

#[test]
fn memories_and_tables_grow_as_far_as_outside_of_the_pool() {
    let script = format!(
        "const instance = await instantiate(await compile(text(`{SMALL}`)));
         return [
             instance.call('grow', [65_535]), instance.call('grow', [1]),
             instance.call('growTable', [9_999_998]), instance.call('growTable', [1]),
             instance.memory('memory').byteLength, instance.table('table').length,
         ];"
    );
    let mut inside = js(2);
    let grown = inside.run(&script);
    assert_eq!(pooled(&inside), 1);
    assert_eq!(grown, json!([1, -1, 2, -1, 4_294_967_296_u64, 10_000_000]));
    assert_eq!(grown, Js::new().run(&script));
}

#[test]
fn what_does_not_fit_is_made_outside_of_the_pool() {
    let mut js = js(4);
    for (module, fits) in [
        ("(module)", true),
        (
            "(module (memory 1) (table 1 funcref) (table 1 externref))",
            true,
        ),
        ("(module (memory 1) (memory 1))", false),
        (
            "(module (table 1 funcref) (table 1 funcref) (table 1 funcref))",
            false,
        ),
        ("(module (memory 1 1 shared))", false),
        ("(module (memory i64 65536))", true),
        ("(module (memory i64 65537))", false),
        (
            "(module (type $a (array i32)) (func (export \"f\") (drop (array.new_default $a (i32.const 9)))))",
            true,
        ),
    ] {
        let before = pooled(&js);
        let script = format!(
            "globalThis.last = await instantiate(await compile(text(`{module}`))); return null"
        );
        js.run(&script);
        assert_eq!(pooled(&js) - before, u32::from(fits), "{module}");
        js.run("last.drop(); return null");
    }
    // A module with more functions that can be referred to than a place has room for.
    let functions = "(func (export \"\") (result i32) (i32.const 1))";
    let many: String = (0..3000)
        .map(|i| functions.replace("\"\"", &format!("\"{i}\"")))
        .collect();
    let mut capabilities = capabilities(5);
    capabilities
        .instance_pool
        .as_mut()
        .unwrap()
        .max_instance_bytes = 16 << 10;
    let mut js = Js::with(capabilities);
    let script = format!(
        "globalThis.last = await instantiate(await compile(text(`(module {many})`))); return last.call('7')"
    );
    assert_eq!((js.run(&script), pooled(&js)), (json!(1), 0));
}

#[test]
fn instances_that_join_a_store_in_the_pool_need_places() {
    let mut js = js(3);
    let script = format!(
        "const small = await compile(text(`{SMALL}`));
         const user = await compile(text(`(module (import \"a\" \"memory\" (memory 1)) (func (export \"f\") (result i32) (i32.load8_u (i32.const 8))))`));
         const large = await compile(text(`(module (import \"a\" \"memory\" (memory 1)) (memory 1) (memory 1))`));
         const first = await instantiate(small);
         const imports = {{ a: {{ memory: first.memory('memory') }} }};
         const second = await instantiate(user, imports);
         const misfit = await caught(() => instantiate(large, imports));
         // An instantiation that fails leaves its place.
         const grown = await compile(text(`(module (import \"a\" \"memory\" (memory 2)))`));
         for (let i = 0; i < 10; i++) await caught(() => instantiate(grown, imports));
         const third = await instantiate(user, imports);
         const full = await caught(() => instantiate(user, imports));
         return [second.call('f') + third.call('f'), misfit.code, misfit.message, full.code, full.message];"
    );
    let result = js.run(&script);
    assert_eq!(
        result,
        json!([
            200,
            5001,
            "the store is in the pool of instances, into which the module does not fit: instantiate both in a new store",
            5001,
            "the store is in the pool of instances, which is full"
        ])
    );
}

#[test]
fn host_objects_of_a_store_in_the_pool_take_no_places() {
    let mut js = js(2);
    let script = format!(
        "const small = await compile(text(`{SMALL}`));
         const first = await instantiate(small);
         for (let i = 0; i < 200; i++) {{
             new WasmMemory(first.store, {{ minimum: 1 }});
             new WasmTable(first.store, {{ element: 'externref', minimum: 1 }});
         }}
         globalThis.kept = first;
         return (await instantiate(small)).call('one');"
    );
    assert_eq!((js.run(&script), pooled(&js)), (json!(1), 2));
}

#[test]
fn stores_of_an_embedder_are_in_the_pool_if_they_are_made_for_a_module() {
    let state = WasmState::new(capabilities(6)).unwrap();
    let module = state.compile(SMALL.as_bytes()).unwrap();
    let (inside, _) = state
        .new_store_for(module.id, StoreOptions::default())
        .unwrap();
    let (outside, _) = state.new_store(StoreOptions::default()).unwrap();
    assert_eq!(state.stats().pooled_instances, 1);
    for store in [inside, outside] {
        let Outcome::Returned(instance) = state
            .instantiate(module.id, store, Vec::<Import>::new())
            .unwrap()
        else {
            panic!("the module has no start function");
        };
        assert_eq!(instance.call("one", &[]).unwrap().len(), 1);
    }
    state.drop_store(inside);
    assert_eq!(state.stats().pooled_instances, 0);
}

#[test]
fn a_pool_that_the_address_space_has_no_room_for_is_not_used() {
    let mut js = js(1_000_000);
    let script = format!("return (await instantiate(await compile(text(`{SMALL}`)))).call('one')");
    assert_eq!((js.run(&script), pooled(&js)), (json!(1), 0));
}

/// Returns the physical memory of this process, in bytes.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0_u64) * 4096
}

/// In a process of its own, since the pool takes most of the address space.
#[test]
fn ten_thousand_instances_live_in_a_pool() {
    if child::is_child() {
        let state = WasmState::new(capabilities(10_000)).unwrap();
        let module = state.compile(SMALL.as_bytes()).unwrap();
        let mut rounds = Vec::new();
        for _ in 0..2 {
            let before = resident_bytes();
            let mut stores = Vec::new();
            for _ in 0..10_000 {
                let (store, _) = state
                    .new_store_for(module.id, StoreOptions::default())
                    .unwrap();
                let made = state.instantiate(module.id, store, Vec::<Import>::new());
                assert!(matches!(made, Ok(Outcome::Returned(_))));
                stores.push(store);
            }
            let bytes = resident_bytes().saturating_sub(before) / 10_000;
            rounds.push(json!([state.stats().pooled_instances, bytes]));
            for store in stores {
                state.drop_store(store);
            }
        }
        return child::answer(&json!(rounds));
    }
    let rounds = Child::new(this_test!()).run();
    for round in rounds.as_array().unwrap() {
        assert_eq!(round[0], json!(10_000), "{rounds}");
        assert!(round[1].as_u64() < Some(40_000), "{rounds}");
    }
}
