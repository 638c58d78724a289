//! Debugging a guest: the frames of errors, and the statistics of stores.

use std::fs;
use std::path::Path;

use ext_wasm::{CallOptions, Import, StoreOptions, WasmCapabilities, WasmError, WasmState};
use serde_json::json;

use crate::support::js::Js;

/// A guest with debug information, made by `debugging/make.sh`.
fn guest(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/debugging");
    fs::read(folder.join(name)).unwrap()
}

/// The error of a call of `f` with 0.
fn failure(wasm: &[u8]) -> WasmError {
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let module = state.compile(wasm).unwrap();
    let (store, _) = state.new_store(StoreOptions::default()).unwrap();
    let instance = state.instantiate(module.id, store, Vec::new()).unwrap();
    let instance = instance.returned().unwrap();
    instance.call("f", &[0.into()]).unwrap_err()
}

#[test]
fn frames_name_the_lines_of_c_and_rust() {
    let mut all = String::new();
    for name in ["c_dwarf4.wasm", "c_dwarf5.wasm", "rust.wasm"] {
        let error = failure(&guest(name));
        let stack = error.wasm_stack().unwrap();
        let frames = serde_json::to_string_pretty(&error.frames).unwrap();
        all += &format!("{name}: {error}\n{stack}\n{frames}\n");
    }
    crate::support::snapshots(|| insta::assert_snapshot!("frames", all));
}

#[test]
fn scripts_see_the_same_frames() {
    let wasm = guest("c_dwarf5.wasm");
    let error = failure(&wasm);
    let seen = Js::new().run(&format!(
        "const module = await compile(new Uint8Array({}));
         const instance = await instantiate(module);
         const errors = [await caught(() => instance.call('f', [0])), await caught(() => instance.callAsync('f', [0]))];
         return errors.map(({{ frames, wasmStack }}) => [frames, wasmStack]);",
        json!(wasm)
    ));
    let same = json!([error.frames, error.wasm_stack()]);
    assert_eq!(seen, json!([same, same]));
}

#[test]
fn frames_without_names_have_numbers_and_the_offset_of_the_instruction() {
    let text = "(module (func unreachable) (func (export \"f\") (param i32) (call 0)))";
    let wasm = wat::parse_str(text).unwrap();
    let seen = Js::new().run(&format!(
        "const module = await compile(new Uint8Array({}));
         const instance = await instantiate(module);
         return [module.id, (await caught(() => instance.call('f', [0]))).frames];",
        json!(wasm)
    ));
    let [id, frames] = seen.as_array().unwrap().as_slice() else {
        panic!("{seen}")
    };
    let module = format!("<module {id}>");
    let [inner, outer] = frames.as_array().unwrap().as_slice() else {
        panic!("{frames}")
    };
    let (unreachable, call) = (0x00, 0x10);
    for (frame, index, opcode) in [(inner, 0, unreachable), (outer, 1, call)] {
        let offset = frame["offset"].as_u64().unwrap() as usize;
        let func = format!("<function {index}>");
        let expected = json!({ "func": func, "module": module, "offset": offset });
        assert_eq!((frame, wasm[offset]), (&expected, opcode));
    }
}

#[test]
fn frames_come_with_each_error_that_ends_a_guest() {
    let seen = Js::new().run(
        "const source = `(module $m (import \"\" \"f\" (func $f (result i32)))
             (func $spin (loop (br_if 0 (call $f))) unreachable) (func $start (call $spin)) (start $start))`;
         const module = await compile(text(source));
         const fails = async (f, options) => {
             const error = await caught(() => instantiate(module, { '': { f } }, options));
             return [error.code, error.frames?.map(({ func, module }) => `${module}.${func}`) ?? null];
         };
         return [
             await fails(() => 0),
             await fails(() => 1, { fuel: 100 }),
             await fails(() => { throw new Error('not of a guest'); }),
             (await caught(() => compile(text('(module')))).frames ?? null,
         ];",
    );
    let frames = json!(["m.spin", "m.start"]);
    assert_eq!(
        seen,
        json!([[5002, frames], [5006, frames], [5002, null], null])
    );
}

/// The code of a dropped module leaves its address to the next one.
#[test]
fn frames_never_name_a_module_that_got_no_instance() {
    let capabilities = WasmCapabilities::builder()
        .max_memory_bytes(1 << 20)
        .build();
    let state = WasmState::new(capabilities).unwrap();
    let (store, _) = state.new_store(StoreOptions::default()).unwrap();
    let compile = |number: u32, memory: &str| {
        let text = format!(
            r#"(module {memory} (func (export "f") (drop (i32.const {number})) unreachable))"#
        );
        state.compile(text.as_bytes()).unwrap().id
    };
    for number in 0..20 {
        let refused = compile(number, "(memory 1 1000 shared)");
        let error = state.instantiate(refused, store, Vec::new());
        let error = error.err().expect("the memory exceeds the cap");
        assert!(error.message.contains("shared memories"), "{error}");
        assert!(state.drop_module(refused));

        let module = compile(number, "");
        let instance = state.instantiate(module, store, Vec::new()).unwrap();
        let error = instance.returned().unwrap().call("f", &[]).unwrap_err();
        assert_eq!(error.frames[0].module, format!("<module {module}>"));
        assert!(state.drop_module(module));
    }
}

#[test]
fn demangling_a_long_name_does_not_exhaust_the_stack() {
    let name = format!("_RNvMC1a{}h1f", "R".repeat(480));
    let text = format!(
        r#"(module (import "" "again" (func $again)) (func (@name "{name}") (export "f") (call $again) unreachable))"#
    );
    let mut shown = Vec::new();
    for kib in [512, 1024, 2048, 8192] {
        let text = text.clone();
        let thread = std::thread::Builder::new().stack_size(kib << 10);
        let thread = thread.spawn(move || {
            let state = WasmState::new(WasmCapabilities::default()).unwrap();
            let module = state.compile(text.as_bytes()).unwrap();
            let (id, _) = state.new_store(StoreOptions::default()).unwrap();
            // Each level calls the next one, until the stack is exhausted. Then a guest traps at each level.
            let again = Import::func(|store, _| {
                let f = store.func(0).unwrap();
                let deeper = f.call(&[]);
                assert!(deeper.is_err());
                Ok(Vec::new())
            });
            let instance = state.instantiate(module.id, id, vec![again]).unwrap();
            let instance = instance.returned().unwrap();
            assert_eq!(instance.export("f").unwrap().1, 0);
            let error = instance.call("f", &[]).unwrap_err();
            assert_eq!(error.trap, Some("unreachable"));
            error.frames[0].func.clone()
        });
        shown.push(thread.unwrap().join().unwrap());
    }
    // A thread with too little stack left shows the name as it is in the module.
    assert_eq!(shown[0], format!("{}…", &name[..100]));
    assert_eq!(shown[3], format!("<{}…", "&".repeat(99)));
}

#[test]
fn stores_count_the_resources_that_they_use() {
    let seen = Js::new().run(
        "const module = await compile(text(`(module
             (memory (export \"memory\") 1) (table (export \"table\") 10 externref) (global (export \"global\") i32 (i32.const 1))
             (func (export \"set\") (param externref) (table.set (i32.const 0) (local.get 0)))
             (func (export \"run\") (loop (br_if 0 (i32.const 0)))))`));
         const store = new WasmStore({ fuel: 1000 });
         const steps = [store.stats()];
         const instance = await instantiate(module, {}, { store });
         steps.push(store.stats());
         instance.memory().grow(2);
         instance.table('table').grow(5, null);
         instance.call('set', [{}]);
         instance.global('global');
         steps.push(store.stats());
         const { fuelUsed } = store.stats();
         store.setFuel(500);
         const unchanged = store.stats().fuelUsed === fuelUsed;
         instance.call('run');
         const used = [store.stats().fuelUsed - fuelUsed === 500 - store.fuel, store.fuel < 500];
         instance.drop();
         steps.push(store.stats().instances);
         const unmetered = new WasmStore().stats();
         store.drop();
         return { steps, unchanged, used, unmetered, dropped: tell(await caught(() => store.stats())) };",
    );
    crate::support::snapshots(|| insta::assert_snapshot!("store_stats", format!("{seen:#}")));
}

#[test]
fn a_busy_store_counts_for_its_runtime() {
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let source = "(module (memory 3) (table 7 funcref) (func (export \"spin\") (loop (br 0))))";
    let module = state.compile(source.as_bytes()).unwrap();
    let options = StoreOptions::default().with_interrupts();
    let (id, store) = state.new_store(options).unwrap();
    let instance = state.instantiate(module.id, id, Vec::new()).unwrap();
    let (_, spin) = instance.returned().unwrap().export("spin").unwrap();
    let call = state.start_call(id, spin, Vec::new(), CallOptions::default());
    let call = call.unwrap();
    assert!(store.stats().unwrap_err().message.contains("busy"));
    let stats = state.stats();
    assert_eq!(
        (
            stats.modules,
            stats.stores,
            stats.instances,
            stats.running_calls
        ),
        (1, 1, 1, 1)
    );
    assert_eq!((stats.memory_bytes, stats.table_elements), (3 << 16, 7));
    drop(call);
    state.drop_store(id);
    assert_eq!(state.stats().stores, 0);
}
