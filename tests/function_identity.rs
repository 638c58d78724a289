//! A function has one handle in its store, whichever instance exports it.

use ext_wasm::runtime::{HostFunction, HostImports, ImportInfo, Stop, WasmState};
use ext_wasm::wasmtime::ValRaw;
use ext_wasm::{Import, RefHandle, StoreOptions, WasmCapabilities, WasmInstance, WasmStore};
use serde_json::json;

use crate::support::js::Js;

/// Imports a function, exports it again under two names, and puts it into a table.
const PASSES_ON: &str = r#"(module
    (import "a" "f" (func $f (result i32)))
    (func $own (result i32) (i32.const 7))
    (table (export "table") funcref (elem $f $own))
    (export "g" (func $f)) (export "own" (func $own)) (export "h" (func $f)))"#;

#[test]
fn a_function_that_is_exported_again_is_the_identical_one() {
    let result = Js::new().run(&format!(
        r#"
        const source = `{PASSES_ON}`;
        const {{ f }} = (await load(`(module (func (export "f") (result i32) (i32.const 5)))`)).namespace;
        const once = await load(source, {{ a: {{ f }} }});
        const twice = await load(source, {{ a: {{ f: once.func("h") }} }});
        const functions = [once.func("g"), once.func("h"), once.table("table").get(0), twice.func("g"),
            twice.table("table").get(0)];
        const js = () => 6;
        const host = await load(source, {{ a: {{ f: js }} }});
        const user = await load(source, {{ a: {{ f: host.func("h") }} }});
        const wrapped = [host.func("h"), host.table("table").get(0), user.func("g"), user.table("table").get(0)];
        return [
            functions.map((g) => g === f), once.func("own") === once.table("table").get(1), once.func("own") === f,
            wrapped.map((g) => g === host.func("g") && g !== js), functions.map((g) => g()), wrapped.map((g) => g()),
        ];
        "#
    ));
    assert_eq!(
        result,
        json!([
            [true, true, true, true, true],
            true,
            false,
            [true, true, true, true],
            [5, 5, 5, 5, 5],
            [6, 6, 6, 6]
        ])
    );
}

/// A host function with a number.
struct Numbered(u32);

impl HostFunction for Numbered {
    fn call(&self, _: &WasmStore, frame: &mut [ValRaw]) -> Result<(), Stop> {
        frame[0] = ValRaw::u32(self.0);
        Ok(())
    }

    fn number(&self) -> Option<u32> {
        Some(self.0)
    }
}

impl HostImports for Numbered {
    fn function(number: usize, _: &ImportInfo) -> Box<dyn HostFunction> {
        Box::new(Numbered(number as u32 + 30))
    }
}

fn handle_of(instance: &WasmInstance, name: &str) -> u32 {
    instance.export(name).unwrap().1
}

#[test]
fn a_host_function_is_known_by_its_number() {
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let module = state.compile(PASSES_ON.as_bytes()).unwrap();
    let store = || state.new_store(StoreOptions::default()).unwrap().0;
    let numbers = |instance: &WasmInstance| {
        let first = instance.export("table").unwrap().1;
        let first = instance.store().table(first).unwrap().get(0).unwrap();
        let Some(RefHandle::Func(first)) = RefHandle::from_bits(first.get_u64()) else {
            panic!("the table has no function");
        };
        let handles = [
            first,
            handle_of(instance, "h"),
            handle_of(instance, "g"),
            handle_of(instance, "own"),
        ];
        assert_eq!([handles[0], handles[1]], [handles[2]; 2]);
        handles.map(|handle| instance.store().host_func_number(handle).unwrap())
    };
    let one = store();
    let import = vec![Import::Host(Box::new(Numbered(3)))];
    let imported = state.instantiate(module.id, one, import).unwrap();
    let imported = imported.returned().unwrap();
    assert_eq!(numbers(&imported), [Some(3), Some(3), Some(3), None]);
    // The module is linked once with its host functions for all stores.
    for _ in 0..2 {
        let linked = state.instantiate_hosted::<Numbered>(module.id, store());
        let linked = linked.unwrap().returned().unwrap();
        assert_eq!(numbers(&linked), [Some(30), Some(30), Some(30), None]);
        assert_eq!(linked.call("g", &[]), Ok(vec![30.into()]));
    }
    let again = vec![Import::Func(handle_of(&imported, "h"))];
    let again = state.instantiate(module.id, one, again).unwrap();
    let again = again.returned().unwrap();
    assert_eq!(numbers(&again), [Some(3), Some(3), Some(3), None]);
    assert_eq!(handle_of(&again, "g"), handle_of(&imported, "g"));
    // A function without a number.
    let plain = vec![Import::func(|_, _| Ok(vec![1.into()]))];
    let plain = state.instantiate(module.id, store(), plain).unwrap();
    assert_eq!(numbers(&plain.returned().unwrap()), [None; 4]);
    let missing = imported.store().host_func_number(99).unwrap_err();
    assert_eq!(missing.code, ext_wasm::WasmErrorCode::FunctionNotFound);
}

#[test]
fn javascript_knows_its_own_functions_among_exports() {
    let result = Js::new().run(&format!(
        r#"
        const {{ op_wasm_func_import, op_wasm_get_export }} = Deno.core.ops;
        const instance = await load(`{PASSES_ON}`, {{ a: {{ f: () => 6 }} }});
        const index = (name) => op_wasm_func_import(1, op_wasm_get_export(instance.id, name));
        return [index("g"), index("h"), index("own"), await codeOf(() => op_wasm_func_import(1, 99))];
        "#
    ));
    assert_eq!(result, json!([1, 1, -1, 5004]));
}
