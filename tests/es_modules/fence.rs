//! The limits of the host hold for ES modules.

use deno_core::{ModuleSourceCode, ModuleSpecifier};
use ext_wasm::{EsModules, WasmCapabilities, WasmState};
use serde_json::json;

use super::app::App;

#[test]
fn fuel_and_memory_are_one_budget_with_the_global_object() {
    let shown = App::new(&[
        (
            "guest.wat",
            r#"(module
                (memory (export "memory") 1)
                (func (export "spin") (loop (br 0)))
                (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#,
        ),
        (
            "main.js",
            r#"
                import { grow, memory, spin } from "./guest.wasm";
                const other = new WebAssembly.Memory({ initial: 2 });
                const grown = [grow(1), grow(1)];
                const full = await caught(() => memory.grow(1));
                const spun = await caught(spin);
                // The budget of all is used up.
                const module = new WebAssembly.Module(new Uint8Array([
                    0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 4, 1, 2, 0, 11,
                ]));
                const { f } = new WebAssembly.Instance(module).exports;
                show([grown, full.name, spun, (await caught(f)).code]);
            "#,
        ),
    ])
    .granted(|granted| {
        granted.max_fuel = Some(100_000);
        granted.max_memory_bytes = Some(4 << 16);
    })
    .run();
    assert_eq!(
        shown,
        json!([[1, -1], "RangeError",
            {"name": "RuntimeError", "code": 5006, "message": "the fuel budget ran out"}, 5006])
    );
}

#[test]
fn a_start_function_has_the_deadline_of_a_call() {
    let shown = App::new(&[
        ("guest.wat", "(module (func $f (loop (br 0))) (start $f))"),
        (
            "main.js",
            r#"const { code, message } = await caught(() => import("./guest.wasm")); show([code, message]);"#,
        ),
    ])
    .granted(|granted| granted.max_timeout_ms = Some(20))
    .run();
    assert_eq!(shown, json!([5002, "interrupt"]));
}

#[test]
fn bindings_that_follow_globals_cost_fuel() {
    let globals: String = (0..100)
        .map(|i| format!(r#"(global (export "g{i}") (mut i32) (i32.const {i}))"#))
        .collect();
    let guest = format!(
        r#"(module
            (import "./host.js" "f" (func $f (param i32)))
            {globals}
            (func (export "calls") (param i32)
                (loop
                    (call $f (local.get 0))
                    (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                    (br_if 0 (local.get 0)))))"#
    );
    let shown = App::new(&[
        ("guest.wat", &guest),
        (
            "host.js",
            "export let count = 0; export const f = () => { count++; };",
        ),
        (
            "main.js",
            r#"
                import { calls } from "./guest.wasm";
                import { count } from "./host.js";
                calls(2);
                const counts = [count];
                const { code } = await caught(() => calls(1000));
                // Nothing is left for the call itself.
                show([...counts, code, count < 10, (await caught(() => calls(1))).code]);
            "#,
        ),
    ])
    .granted(|granted| granted.max_fuel = Some(80_000))
    .run();
    assert_eq!(shown, json!([2, 5006, true, 5006]));
}

#[test]
fn the_limits_hold_without_the_global_object() {
    let shown = App::new(&[
        (
            "guest.wat",
            r#"(module (memory (export "memory") 1) (func (export "spin") (loop (br 0))))"#,
        ),
        (
            "main.js",
            r#"
                import { spin } from "./guest.wasm";
                import { createWebAssembly } from "host:wasm";
                // Another object has a budget of its own.
                const { Memory } = createWebAssembly();
                new Memory({ initial: 1 });
                show((await caught(spin)).code);
            "#,
        ),
    ])
    .granted(|granted| {
        granted.webassembly_global = false;
        granted.max_fuel = Some(100_000);
        granted.max_memory_bytes = Some(1 << 16);
    })
    .run();
    assert_eq!(shown, json!(5006));
}

#[test]
fn the_caps_on_modules_hold() {
    let shown = App::new(&[
        (
            "guest.wat",
            r#"(module (func (export "a")) (func (export "b")) (func (export "c")))"#,
        ),
        (
            "main.js",
            r#"show([
                await caught(() => import("./guest.wasm")),
                (await import("./guest.wasm?module")).default instanceof WebAssembly.Module,
            ]);"#,
        ),
    ])
    .granted(|granted| granted.max_es_module_names = 2)
    .run();
    let message = "app:/guest.wasm: 3 imports and exports with names of 3 bytes exceed the cap of 2, with 256 bytes \
                   each on average (max_es_module_names)";
    assert_eq!(
        shown,
        json!([{"name": "TypeError", "message": message}, true])
    );

    let long = "x".repeat(300);
    let shown = App::new(&[
        (
            "guest.wat",
            &format!(r#"(module (func (export "{long}")))"#),
        ),
        (
            "main.js",
            r#"show((await caught(() => import("./guest.wasm"))).message);"#,
        ),
    ])
    .granted(|granted| granted.max_es_module_names = 1)
    .run();
    assert!(
        shown.as_str().unwrap().contains("names of 300 bytes"),
        "{shown}"
    );

    let shown = App::new(&[
        ("guest.wat", r#"(module (func (export "a")))"#),
        (
            "main.js",
            r#"show((await caught(() => import("./guest.wasm"))).message);"#,
        ),
    ])
    .granted(|granted| granted.module_limits.max_exports = 0)
    .run();
    assert!(shown.as_str().unwrap().contains("max_exports"), "{shown}");
}

#[test]
fn modules_that_are_never_evaluated_are_counted() {
    let shown = App::new(&[
        (
            "guest.wat",
            r#"(module (import "./host.js" "missing" (func)))"#,
        ),
        ("host.js", ""),
        (
            "main.js",
            r#"
                const names = [];
                for (let i = 0; i < 4; i++) names.push((await caught(() => import(`./guest.wasm?${i}`))).name);
                const { message } = await caught(() => import("./guest.wasm?4"));
                show([names, message]);
            "#,
        ),
    ])
    .granted(|granted| granted.max_modules = 3)
    .run();
    let message = "app:/guest.wasm?4: too many modules were loaded and not evaluated: the cap is 3 (max_modules)";
    assert_eq!(
        shown,
        json!([
            ["SyntaxError", "SyntaxError", "SyntaxError", "TypeError"],
            message
        ])
    );
}

#[test]
fn the_text_of_a_module_does_not_hold_its_code() {
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let es_modules = EsModules::new(&state);
    let data = "x".repeat(1 << 20);
    let wasm = wat::parse_str(format!(
        r#"(module (memory (export "memory") 20) (data (i32.const 0) "{data}"))"#
    ))
    .unwrap();
    let name = ModuleSpecifier::parse("app:/guest.wasm").unwrap();
    let source = es_modules.load_now(&name, &wasm).unwrap();
    let ModuleSourceCode::String(text) = source.code else {
        panic!("the source is text");
    };
    assert!(text.len() < 500, "{} bytes", text.len());
}

#[test]
fn modules_are_compiled_on_another_thread() {
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let es_modules = EsModules::new(&state);
    let functions: String = (0..2000)
        .map(|i| format!("(func (param i64) (result i64) (i64.add (local.get 0) (i64.const {i})))"))
        .collect();
    let wasm = wat::parse_str(format!("(module {functions})")).unwrap();
    let name = ModuleSpecifier::parse("app:/guest.wasm").unwrap();
    let tokio = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    tokio.block_on(async {
        let mut loading = Box::pin(es_modules.load(&name, wasm));
        let first = std::future::poll_fn(|context| {
            std::task::Poll::Ready(loading.as_mut().poll(context).is_pending())
        });
        assert!(first.await, "the first poll compiled the module");
        loading.await.unwrap();
    });
}
