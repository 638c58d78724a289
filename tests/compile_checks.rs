//! Code is compiled once, with the checks that its stores need.

use ext_wasm::{StoreOptions, WasmCapabilities, WasmState, WasmValue};
use serde_json::{Value, json};

use crate::support::js::Js;

/// Compiles a module and a component for each kind of options, and says for which kinds of stores their code is missing.
const MISSING: &str = r#"
    const { ops } = Deno.core;
    const NOT_COMPILED = 1;
    const stores = [{}, { fuel: 5 }, { timeoutMs: 1000 }, { interruptible: true }, { fuel: 5, timeoutMs: 1000 }];
    const open = ({ fuel = -1, timeoutMs = -1, interruptible = false }, component) =>
        ops.op_wasm_new_store(fuel, -1, timeoutMs, interruptible, "", new Uint8Array(), component ? 1 : 0, 0);
    const missing = [];
    for (const options of [undefined, {}, ...[undefined, { maxMemoryBytes: 5 }, ...stores].map((store) => ({ for: store }))]) {
        // Equal binaries share their code.
        const source = (kind) => text(`(${kind} (@custom "number" "${missing.length}"))`);
        const module = await compile(source("module"), options);
        const component = await compileComponent(source("component"), options);
        missing.push(stores.map((store) => {
            const steps = [
                ops.op_wasm_preparation(module.id, open(store, false)),
                ops.op_wasm_component_preparation(component.id, open(store, true)),
            ];
            return steps.map((step) => step === NOT_COMPILED ? 1 : 0).join("");
        }).join(" "));
    }
    return missing;
"#;

fn missing(capabilities: WasmCapabilities) -> Value {
    Js::with(capabilities).run(MISSING)
}

#[test]
fn code_is_compiled_for_the_stores_that_the_app_names() {
    let none = "00 11 11 11 11";
    let interrupt = "11 11 00 00 11";
    assert_eq!(
        missing(WasmCapabilities::default()),
        json!([
            none,
            none,
            none,
            none,
            none,
            "11 00 11 11 11",
            interrupt,
            interrupt,
            "11 11 11 11 00"
        ]),
    );
    // The host's caps need checks of their own.
    let mut capabilities = WasmCapabilities::default();
    capabilities.max_timeout_ms = Some(1000);
    let interrupt = "00 11 00 00 11";
    let both = "11 00 11 11 00";
    assert_eq!(
        missing(capabilities),
        json!([
            interrupt, interrupt, interrupt, interrupt, interrupt, both, interrupt, interrupt, both
        ]),
    );
}

#[test]
fn unusable_options_of_stores_are_refused_before_anything_is_compiled() {
    let result = Js::new().run(
        r#"
        const unusable = [null, 1, "fuel", { fuel: -1 }, { fuel: 1.5 }, { timeoutMs: "1" }, { interruptible: 1 },
            Object.create({ fuel: 1 })];
        const module = text("(module)");
        const component = text("(component)");
        const told = new Set();
        for (const options of unusable) {
            for (const f of [compile, compileComponent]) {
                const source = f === compile ? module : component;
                told.add((await caught(() => f(source, { for: options }))).message);
            }
        }
        const inherited = await caught(() => compile(module, Object.create({ for: {} })));
        return [[...told], inherited.code, inherited.message];
        "#,
    );
    assert_eq!(
        result,
        json!([
            [
                "for must be an object, got null",
                "for must be an object, got 1",
                "for must be an object, got a string",
                "fuel must be an integer from 0 to 2^53 - 1, got -1",
                "fuel must be an integer from 0 to 2^53 - 1, got 1.5",
                "timeoutMs must be an integer from 0 to 2^53 - 1, got a string",
                "interruptible must be a boolean, got 1",
                "the option fuel is inherited; options must be own properties"
            ],
            5005,
            "the option for is inherited; options must be own properties"
        ]),
    );
}

#[test]
fn files_are_compiled_for_stores_too() {
    let folder = std::env::temp_dir().join(format!("ext_wasm-{}-checks", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut capabilities = WasmCapabilities::default();
    capabilities.allow_file_compile = true;
    capabilities.compile_paths = vec![folder.clone()];
    let mut result = Vec::new();
    for kind in ["module", "component"] {
        let source = format!("({kind} (@custom \"number\" \"file\"))");
        std::fs::write(folder.join(kind), source).unwrap();
    }
    let mut js = Js::with(capabilities);
    for (kind, compile, preparation) in [
        ("module", "compileFile", "op_wasm_preparation"),
        (
            "component",
            "compileComponentFile",
            "op_wasm_component_preparation",
        ),
    ] {
        let path = json!(folder.join(kind)).to_string();
        result.push(js.run(&format!(
            r#"
            const code = await {compile}({path}, {{ for: {{ fuel: 1 }} }});
            const component = {compile} === compileComponentFile;
            const {{ ops }} = Deno.core;
            const open = (fuel) => ops.op_wasm_new_store(fuel, -1, -1, false, "", new Uint8Array(), component ? 1 : 0, 0);
            return [-1, 1].map((fuel) => ops.{preparation}(code.id, open(fuel)));
            "#
        )));
    }
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(result, [json!([1, 0]), json!([1, 0])]);
}

#[test]
fn in_rust_too() {
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let options = StoreOptions::default().with_fuel(100);
    let source = br#"(module (func (export "f") (result i32) (i32.const 7)))"#;
    let module = state.compile_for(source, options.clone()).unwrap();
    let (store, _) = state.new_store(options).unwrap();
    let instance = state.instantiate(module.id, store, Vec::new()).unwrap();
    let instance = instance.returned().unwrap();
    assert_eq!(instance.call("f", &[]).unwrap(), [WasmValue::I32(7)]);
}
