//! Blocks with results. For each of them the compiler keeps a table of the blocks before it.

use ext_wasm::{WasmCapabilities, WasmError, WasmState};

fn compile(module: &str) -> Result<(), WasmError> {
    let binary = wat::parse_str(module).unwrap();
    WasmState::new(WasmCapabilities::default())?
        .compile(&binary)
        .map(drop)
}

/// Code that leaves a result. Each test repeats it in one function.
const KINDS: [(&str, &str); 3] = [
    ("blocks", "block (result i32) i32.const 0 end drop "),
    (
        "blocks with branches",
        "block (result i32) i32.const 0 local.get 0 br_if 0 drop i32.const 1 end drop ",
    ),
    (
        "conditions",
        "local.get 0 if (result i32) i32.const 0 else i32.const 1 end drop ",
    ),
];

#[test]
fn many_blocks_with_results_are_refused() {
    for (kind, code) in KINDS {
        let function = |n: usize| format!("(func (param i32) {})", code.repeat(n));
        let error = compile(&format!("(module {})", function(20_000))).expect_err(kind);
        assert!(error.message.contains("max_compile_"), "{kind}: {error}");
        // The same number in many functions does not grow such tables.
        let functions = function(20).repeat(20);
        compile(&format!("(module {functions})")).expect(kind);
    }
}
