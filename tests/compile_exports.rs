//! Modules with many exports: they compile as fast as others, and JavaScript sees no difference.

use std::fmt::Write as _;

use ext_wasm::{StoreOptions, WasmCapabilities, WasmState};
use serde_json::json;
use wasmparser::{Operator, Parser, Payload};

use crate::support::js::Js;

/// The number of exported functions of [`many_exports`].
const FUNCTIONS: usize = 3_000;

/// A module whose exports the compiler compares so often that they are put in another order. Its memory, its table and
/// one of its globals are not exported.
fn many_exports() -> String {
    let mut module = r#"(module
        (memory 1) (table 1 funcref) (global $hidden (mut i32) (i32.const 0))
        (global $shown (mut i32) (i32.const 7)) (global (export "constant") i32 (i32.const 9))
        (func $same (export "same") (result i32) (i32.const 5))
        (func $fails (export "fails") (drop (i32.load (i32.const -1))))"#
        .to_owned();
    for i in 0..FUNCTIONS {
        write!(
            module,
            "(func (export \"function number {i}\") (result i32) (i32.const {i}))"
        )
        .unwrap();
    }
    let accesses = "(drop (i32.load (global.get $hidden)))".repeat(4_000);
    write!(
        module,
        r#"(export "shown" (global $shown)) (export "same again" (func $same))
            (elem (i32.const 0) $same)
            (func (export "set") (param i32) (i32.store (i32.const 4) (local.get 0))
                (global.set $hidden (local.get 0)) (global.set $shown (local.get 0)))
            (func (export "get") (result i32 i32 i32)
                (i32.load (i32.const 4)) (global.get $hidden) (call_indirect (result i32) (i32.const 0)))
            (func {accesses}))"#
    )
    .unwrap();
    module
}

#[test]
fn names_order_and_identity_are_the_modules_own() {
    let told = Js::new().run(&format!(
        r#"
        const module = await compile(text({module:?}));
        const names = module.exports.map(({{ name }}) => name);
        const functions = Array.from({{ length: {FUNCTIONS} }}, (_, i) => `function number ${{i}}`);
        const expected = ["constant", "same", "fails", ...functions, "shown", "same again", "set", "get"];
        const instance = await instantiate(module);
        const same = (list) =>
            list.length === expected.length && list.every((name, i) => name === expected[i]);
        const told = [
            same(names), same(instance.exports.map(({{ name }}) => name)), same(Object.keys(instance.namespace)),
            module.exports.filter(({{ kind }}) => kind !== "function").map(({{ name, kind }}) => name + kind),
        ];
        let wrong = 0;
        for (let i = 0; i < {FUNCTIONS}; i++) {{
            if (instance.call(`function number ${{i}}`, []) !== i) wrong += 1;
        }}
        instance.call("set", [42]);
        told.push(wrong, instance.call("get", []), instance.global("shown").value);
        told.push(instance.func("same") === instance.func("same again"));
        told.push(await codeOf(() => instance.memory()), await codeOf(() => instance.call("get2", [])));
        return told;
        "#,
        module = many_exports()
    ));
    assert_eq!(
        told,
        json!([
            true,
            true,
            true,
            ["constantglobal", "shownglobal"],
            0,
            [42, 42, 5],
            42,
            true,
            5003,
            5004
        ])
    );
}

/// The compiled module has exports for its memory, its table and its global, with names that begin with a character
/// which no other name begins with.
#[test]
fn nothing_else_is_exported() {
    let found = Js::new().run(&format!(
        r#"
        const instance = await instantiate(await compile(text({module:?})));
        const find = (name) => Deno.core.ops.op_wasm_get_export(instance.id, name);
        const found = [typeof find("shown")];
        const characters = Array.from({{ length: 128 }}, (_, code) => String.fromCharCode(code));
        for (const first of characters) {{
            for (const second of ["", ...characters]) {{
                const code = await codeOf(() => find(first + second));
                if (code !== 5004) found.push(first + second, code);
            }}
        }}
        return found;
        "#,
        module = many_exports()
    ));
    assert_eq!(found, json!(["number"]));
}

#[test]
fn offsets_in_stack_traces_are_those_of_the_binary() {
    let wasm = wat::parse_str(many_exports()).unwrap();
    let load = Parser::new(0)
        .parse_all(&wasm)
        .filter_map(|payload| match payload.unwrap() {
            Payload::CodeSectionEntry(body) => Some(body),
            _ => None,
        })
        .nth(1)
        .and_then(|fails| {
            let operators = fails
                .get_operators_reader()
                .unwrap()
                .into_iter_with_offsets();
            let mut operators = operators.map(Result::unwrap);
            operators.find(|(operator, _)| matches!(operator, Operator::I32Load { .. }))
        });
    let (_, offset) = load.unwrap();
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let module = state.compile(&wasm).unwrap();
    let (store, _) = state.new_store(StoreOptions::default()).unwrap();
    let instance = state.instantiate(module.id, store, Vec::new()).unwrap();
    let instance = instance.returned().unwrap();
    let error = instance.call("fails", &[]).unwrap_err();
    assert_eq!(error.wasm_stack(), Some(format!("fails (@{offset:#x})")));
}

/// A module with so many exports of one function, none of its memory, and accesses to it.
fn bomb(exports: usize) -> String {
    let mut module = "(module (memory 1) (func $f)".to_owned();
    for i in 0..exports {
        write!(module, "(export \"{i:04x}\" (func $f))").unwrap();
    }
    let accesses = "(drop (i32.load (i32.const 0)))".repeat(1_000);
    module.push_str(&format!("(func {accesses})").repeat(20));
    module.push(')');
    module
}

#[test]
fn exports_do_not_count_for_each_access() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.module_limits.max_compile_ms = 400;
    capabilities.module_limits.max_compile_ns_per_byte = 0;
    let state = WasmState::new(capabilities).unwrap();
    state.compile(bomb(1).as_bytes()).unwrap();
    // 50,000 exports alone would take 2 s here, at each access.
    state.compile(bomb(50_000).as_bytes()).unwrap();
}
