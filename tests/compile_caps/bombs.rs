//! Modules that are much harder to compile than their size suggests.

use std::fmt::Write as _;

use ext_wasm::{ModuleLimits, WasmErrorCode};

use super::compile;

fn repeat(n: u64, each: impl Fn(u64) -> String) -> String {
    (0..n).map(each).collect()
}

/// Modules of some kilobytes, each of which costs the compiler seconds or gigabytes, or makes it panic.
fn bombs() -> Vec<(&'static str, String)> {
    let wide = "i64 ".repeat(999);
    let many = |n: u64, each: &str| each.repeat(n as usize);
    let gets = |n: u64| repeat(n, |i| format!("local.get {i} drop "));
    let mut globals = "(module (import \"a\" \"b\" (global $g i32)) ".to_owned();
    globals.push_str(&many(70_000, "(global i32 (global.get $g))"));
    globals.push(')');
    let mut exports = "(module (memory 1) ".to_owned();
    for i in 0..90_000 {
        write!(exports, "(export \"{i}\" (memory 0))").unwrap();
    }
    let accesses = many(200_000, "(drop (i32.load (i32.const 0)))");
    write!(exports, "(func {accesses}))").unwrap();
    vec![
        (
            "wide calls",
            format!(
                "(module (func $f (param {wide}) (result {wide}) unreachable)
                    (func (result {wide}) {} {}))",
                many(999, "i64.const 0 "),
                many(2_000, "call $f ")
            ),
        ),
        ("functions", format!("(module {})", many(100_000, "(func)"))),
        ("globals initialised from imports", globals),
        ("exports of an accessed memory", exports),
        (
            "calls",
            format!(
                "(module (import \"a\" \"b\" (func)) (func {}))",
                many(100_000, "call 0 ")
            ),
        ),
        (
            "loops",
            format!("(module (func {}))", many(30_000, "loop end ")),
        ),
        (
            "nested loops",
            format!(
                "(module (func {} {}))",
                many(9_000, "loop "),
                many(9_000, "end ")
            ),
        ),
        (
            "locals across loops",
            format!(
                "(module (func (local {}) {} {}))",
                many(9_000, "i32 "),
                many(9_000, "loop end "),
                gets(9_000)
            ),
        ),
        (
            "branch tables over many results",
            format!(
                "(module (type $t (func (result {wide}))) (func (param i32) (block (type $t) {}) {}))",
                many(
                    10,
                    &format!("unreachable local.get 0 br_table {}", many(60_000, "0 "))
                ),
                many(999, "drop ")
            ),
        ),
        (
            "handlers around calls",
            format!(
                "(module (tag $t) (func (block $b {} {} {})))",
                many(1_000, "try_table (catch $t $b) "),
                many(1_000, "call 0 "),
                many(1_000, "end ")
            ),
        ),
        (
            "elements of an imported table",
            format!(
                "(module (import \"a\" \"b\" (table 1 funcref)) (func $f)
                    (elem (i32.const 0) func {}))",
                many(100_000, "$f ")
            ),
        ),
        (
            "copies of arrays",
            format!(
                "(module (type $a (array (mut i32))) (func (param (ref $a)) {}))",
                many(
                    5_000,
                    "(array.copy $a $a (local.get 0) (i32.const 0) (local.get 0) (i32.const 0)
                        (i32.const 1))"
                )
            ),
        ),
        (
            "segments that make no image",
            format!(
                "(module (memory 100) {})",
                repeat(20_000, |i| format!(
                    "(data (i32.const {}) \"a\")",
                    i % 100 * 65_536
                ))
            ),
        ),
    ]
}

#[test]
fn bombs_are_refused_before_they_are_compiled() {
    let limits = ModuleLimits::default();
    for (kind, module) in bombs() {
        let binary = wat::parse_str(&module).unwrap();
        let error = compile(&limits, &binary).expect_err(kind);
        assert_eq!(error.code, WasmErrorCode::CompileError, "{kind}: {error}");
        let names_cap =
            error.message.contains("exceeds the cap of ") && error.message.contains("(max_");
        assert!(names_cap, "{kind}: {error}");
    }
}

#[test]
fn sparse_images_of_many_memories_cost_little() {
    let mut module = "(module ".to_owned();
    for i in 0..100 {
        write!(
            module,
            "(memory 257) (data (memory {i}) (i32.const 0) \"a\")
            (data (memory {i}) (i32.const 16777000) \"b\")"
        )
        .unwrap();
    }
    module.push(')');
    compile(&ModuleLimits::default(), module.as_bytes()).unwrap();
}
