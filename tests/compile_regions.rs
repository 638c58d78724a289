//! Regions of memory that the compiler tells apart in one function: globals, types and references. The compiler
//! numbers them and panics if there are too many, so their number has a cap of its own, whatever time and memory a
//! module may take.

use ext_wasm::{ModuleLimits, WasmCapabilities, WasmError, WasmErrorCode, WasmState};

fn compile(limits: &ModuleLimits, module: &str) -> Result<(), WasmError> {
    let mut capabilities = WasmCapabilities::default();
    capabilities.module_limits = limits.clone();
    WasmState::new(capabilities)?
        .compile(module.as_bytes())
        .map(drop)
}

/// Limits without caps on estimates, so that only counts can be exceeded.
fn without_estimates() -> ModuleLimits {
    let mut limits = ModuleLimits::default();
    limits.max_text_bytes = 1 << 30;
    limits.max_compile_ms = u64::MAX / 1_000_000;
    limits.max_compile_bytes = u64::MAX;
    limits
}

fn repeat(n: usize, each: impl Fn(usize) -> String) -> String {
    (0..n).map(each).collect()
}

/// A name, and a function that makes a module with this number of regions.
type Kind = (&'static str, fn(usize) -> String);

const KINDS: &[Kind] = &[
    ("globals", |n| {
        let globals = "(global (mut i32) (i32.const 0))".repeat(n);
        let gets = repeat(n, |i| format!("(drop (global.get {i}))"));
        format!("(module {globals} (func {gets}))")
    }),
    ("types of objects", |n| {
        let types = "(type (struct))".repeat(n);
        let news = repeat(n, |i| format!("(drop (struct.new_default {i}))"));
        format!("(module (rec {types}) (func {news}))")
    }),
    ("types of casts", |n| {
        let types = "(type (struct))".repeat(n);
        let tests = repeat(n - 2, |i| {
            format!("(drop (ref.test (ref {i}) (local.get 0)))")
        });
        // The parameter, and a copy of it, are references too.
        format!("(module (rec {types}) (func (param anyref) {tests}))")
    }),
    ("types of indirect calls", |n| {
        let types = repeat(n, |i| {
            let params = (0..10).map(|bit| if i >> bit & 1 == 0 { "i32 " } else { "i64 " });
            format!("(type (func (param {})))", params.collect::<String>())
        });
        let calls = repeat(n - 1, |i| {
            format!("(call_indirect (type {i}) (i32.const 0))")
        });
        // The table counts too.
        format!("(module {types} (table 1 funcref) (func unreachable {calls}))")
    }),
    ("references across a call", |n| {
        let (gets, sets) = (
            "global.get $g ".repeat(n - 1),
            "global.set $g ".repeat(n - 1),
        );
        // The global counts too.
        format!(
            "(module (global $g (mut externref) (ref.null extern)) (func $f)
                (func {gets} call $f {sets}))"
        )
    }),
    ("objects in globals", |n| {
        // Each global is a region, its type is another, and one object at a time is a reference.
        let types = "(type (struct))".repeat((n - 1) / 2);
        let globals = repeat((n - 1) / 2, |i| {
            format!("(global (ref {i}) (struct.new_default {i}))")
        });
        let more = "(global (ref 0) (struct.new_default 0))".repeat((n - 1) % 2);
        format!("(module (rec {types}) {globals} {more})")
    }),
];

#[test]
fn each_kind_is_counted() {
    const CAP: usize = 100;
    let mut limits = without_estimates();
    limits.max_function_regions = CAP as u64;
    for (kind, module) in KINDS {
        let at = compile(&limits, &module(CAP));
        assert!(at.is_ok(), "{kind}: {at:?}");
        let error = compile(&limits, &module(CAP + 1)).expect_err(kind);
        assert_eq!(error.code, WasmErrorCode::CompileError, "{kind}: {error}");
        let named = error
            .message
            .contains("exceeds the cap of 100 (max_function_regions)");
        assert!(named, "{kind}: {error}");
    }
}

#[test]
fn more_than_the_compiler_can_number_is_refused() {
    let limits = without_estimates();
    for (kind, module) in KINDS {
        // Other caps are lower for globals and for function types.
        if !matches!(*kind, "globals" | "types of indirect calls") {
            let error = compile(&limits, &module(66_000)).expect_err(kind);
            let named = error.message.contains("(max_function_regions)");
            assert!(named, "{kind}: {error}");
        }
    }
}

#[test]
fn a_call_forgets_earlier_writes_to_globals() {
    // A relocatable module of DuckDB begins in this form: it sets thousands of globals, then copies its data.
    let globals = "(global (mut i32) (i32.const 0))".repeat(3_000);
    let sets = repeat(3_000, |i| format!("(global.set {i} (i32.const {i}))"));
    let copies = |fill: &str| {
        format!("{fill} (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 200))").repeat(500)
    };
    let module = |fill| {
        let data = "x".repeat(1 << 20);
        format!(
            "(module (memory 1) {globals} (data \"{data}\") (func {sets} {}))",
            copies(fill)
        )
    };
    let limits = ModuleLimits::default();
    compile(
        &limits,
        &module("(memory.fill (i32.const 0) (i32.const 0) (i32.const 9))"),
    )
    .unwrap();
    let error = compile(&limits, &module("")).unwrap_err();
    assert!(error.message.contains("max_compile_ms"), "{error}");
}
