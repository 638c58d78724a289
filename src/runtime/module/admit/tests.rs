//! The quick ways to a decision come to the same decision, with the same message.

use std::sync::Arc;

use super::*;
use crate::runtime::base::module_limits::ModuleLimits;
use crate::runtime::base::options::Checks;
use crate::runtime::engine::compile_queue::CompileQueue;
use crate::runtime::module::CodeCache;

/// Modules of several sizes: some are invalid, have legacy exceptions, or cost more than they may.
fn modules() -> Vec<(&'static str, Vec<u8>)> {
    let wat = |text: String| wat::parse_str(text).unwrap();
    let filler = |functions: usize| {
        "(func (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))".repeat(functions)
    };
    let deep = |depth: usize| format!("(func {} {})", "block ".repeat(depth), "end ".repeat(depth));
    let wide = format!("(func (param {}))", "i32 ".repeat(300));
    // The analysis ends before it has seen how deep the blocks are.
    let locals = 50_000;
    let exhausting = format!(
        "(func (local {}) {} {} {})",
        "i32 ".repeat(locals),
        "block ".repeat(1_100),
        (0..locals)
            .map(|local| format!("(drop (local.get {local}))"))
            .collect::<String>(),
        "end ".repeat(1_100),
    );
    let mut modules = vec![("exhausting", wat(format!("(module {exhausting})")))];
    // Above 64 KiB, and below.
    for functions in [1, 9_000] {
        let filler = filler(functions);
        modules.extend([
            ("plain", wat(format!("(module {filler})"))),
            ("memories", wat(format!("(module (memory 1) {filler})"))),
            (
                "type error",
                wat(format!("(module {filler} (func i32.add))")),
            ),
            ("deep", wat(format!("(module {filler} {})", deep(500)))),
            (
                "deep, with a type error",
                wat(format!("(module (func i32.add) {filler} {})", deep(500))),
            ),
            ("wide", wat(format!("(module {wide} {filler})"))),
            (
                "wide, with a type error",
                wat(format!("(module {wide} {filler} (func i32.add))")),
            ),
            (
                "legacy",
                wat(format!(
                    "(module {filler} (func try nop catch_all nop end))"
                )),
            ),
            (
                "legacy, with a type error",
                wat(format!(
                    "(module {filler} (func i32.add try nop catch_all nop end))"
                )),
            ),
            ("array", wat(format!("(module (type (array i8)) {filler})"))),
        ]);
    }
    modules
}

fn limits() -> Vec<(&'static str, ModuleLimits)> {
    let with = |change: fn(&mut ModuleLimits)| {
        let mut limits = ModuleLimits::default();
        change(&mut limits);
        limits
    };
    vec![
        ("default", with(|_| {})),
        ("memories", with(|limits| limits.max_memories = 0)),
        ("nesting", with(|limits| limits.max_nesting = 100)),
        ("params", with(|limits| limits.max_params = 0)),
        (
            "a little time",
            with(|limits| (limits.max_compile_ms, limits.max_compile_ns_per_byte) = (2, 0)),
        ),
        (
            "no time",
            with(|limits| (limits.max_compile_ms, limits.max_compile_ns_per_byte) = (0, 0)),
        ),
        (
            "no memory",
            with(|limits| (limits.max_compile_bytes, limits.max_compile_bytes_per_byte) = (0, 0)),
        ),
    ]
}

#[test]
fn quick_ways_come_to_the_same_decision() {
    let tune = Arc::new(|_: &mut wasmtime::Config| {});
    let cache = CodeCache::new(Some(tune), None, None).unwrap();
    let modules = modules();
    for (limit, limits) in limits() {
        for allow_legacy_exceptions in [true, false] {
            let compiler = Compiler::new(
                cache.clone(),
                Checks::default(),
                Arc::new(limits.clone()),
                allow_legacy_exceptions,
                CompileQueue::new(1),
            );
            for (name, wasm) in &modules {
                let what = format!("{name} of {} bytes, {limit}", wasm.len());
                let slow = compiler.admit_step_by_step(wasm);
                let slow = slow.map(|admitted| format!("{:?}", admitted.profile));
                let quick = match compiler.admit(wasm) {
                    // Its compilation is the last step of the decision.
                    Ok(admitted) if !admitted.is_validated => compiler
                        .compile(wasm)
                        .map(|code| format!("{:?}", code.profile)),
                    other => other.map(|admitted| format!("{:?}", admitted.profile)),
                };
                assert_eq!(
                    quick.map_err(|error| error.message),
                    slow.map_err(|error| error.message),
                    "{what}"
                );
            }
        }
    }
}
