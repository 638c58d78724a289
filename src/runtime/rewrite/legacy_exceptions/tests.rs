//! Tests of the rewritten modules themselves. `spec-tests/legacy-exceptions.wast` and `tests/legacy_exceptions.rs` run
//! such modules.

use std::collections::HashMap;
use std::fmt::Write as _;

use wasmparser::{Parser, Payload, Validator, WasmFeatures};

use super::{StandardModule, standard_exceptions, validate_legacy};

/// Rewrites a module and checks the result: it is valid without legacy exceptions, and each of its instructions has the
/// offset of the instruction that it was copied from, or of a legacy one in the same function.
fn rewritten(text: &str) -> (Vec<u8>, StandardModule) {
    let wasm = wat::parse_str(text).unwrap();
    validate_legacy(&wasm).unwrap();
    let standard = standard_exceptions(&wasm).unwrap();
    Validator::new_with_features(WasmFeatures::WASM3)
        .validate_all(&standard.wasm)
        .unwrap();
    let original: HashMap<_, _> = instructions(&wasm).into_iter().collect();
    let added = [
        "Block", "End", "Br", "TryTable", "LocalSet", "LocalGet", "ThrowRef", "Return",
    ];
    for (offset, (function, name)) in instructions(&standard.wasm) {
        let from = standard.offsets.original(offset);
        let (same_function, same_name) = &original[&from];
        assert_eq!(function, *same_function, "{offset:#x}");
        assert!(
            name == *same_name || added.contains(&name.as_str()),
            "{offset:#x}: {name} at {from:#x}, which is {same_name}"
        );
    }
    (wasm, standard)
}

/// The offset, the function and the name of each instruction.
fn instructions(wasm: &[u8]) -> Vec<(usize, (usize, String))> {
    let payloads = Parser::new(0).parse_all(wasm).map(Result::unwrap);
    let bodies = payloads.filter_map(|payload| match payload {
        Payload::CodeSectionEntry(body) => Some(body),
        _ => None,
    });
    let mut all = Vec::new();
    for (function, body) in bodies.enumerate() {
        let mut operators = body.get_operators_reader().unwrap();
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset().unwrap();
            let shown = format!("{operator:?}");
            let name = shown.split([' ', '{']).next().unwrap_or_default();
            all.push((offset, (function, name.to_owned())));
        }
    }
    all
}

/// Counts the instructions of a name.
fn count(wasm: &[u8], name: &str) -> usize {
    let instructions = instructions(wasm).into_iter();
    instructions.filter(|(_, (_, this))| this == name).count()
}

#[test]
fn each_instruction_has_the_offset_that_it_had() {
    let (_, standard) = rewritten(
        r#"(module
            (tag $e (param i32)) (tag $pair (param i32 i64)) (tag $none)
            (func $plain (param i32) (result i32) local.get 0)
            (func (param i32) (result i32) (local i64 f32 f32)
                try $a (result i32)
                    local.get 0
                    call $plain
                    (br_if 1 (i32.const 1) (i32.const 2))
                    try (result i32)
                        try (result i32) (throw $e (i32.const 1)) delegate $a
                    catch_all
                        unreachable
                    end
                    i32.add
                    i32.add
                catch $e
                    (br_table $a 1 $a (local.get 0))
                catch $pair
                    drop
                    rethrow $a
                catch_all
                    try rethrow 1 catch_all rethrow 0 end
                    i32.const 5
                end)
            (func unreachable)
            (func
                try
                    try
                        try (call $plain (i32.const 0)) drop delegate 2
                    catch_all
                    end
                catch $none
                end
                unreachable)
            (func (result i32)
                (block $l (result i32) (try_table (catch $e $l) (throw $none)) (i32.const 0))))"#,
    );
    assert_eq!(count(&standard.wasm, "Try"), 0);
    assert_eq!(count(&standard.wasm, "Rethrow"), 0);
}

#[test]
fn functions_without_legacy_exceptions_are_copied() {
    let plain = "(func (export \"f\") (result i32) i32.const 1) (func br 0)";
    let (wasm, standard) = rewritten(&format!("(module (func try catch_all end) {plain})"));
    let tail = &wasm[wasm.len() - 8..];
    assert_eq!(&standard.wasm[standard.wasm.len() - 8..], tail);
    // Without any, so is the module.
    let (wasm, standard) = rewritten(&format!("(module {plain})"));
    assert_eq!(standard.wasm, wasm);
}

#[test]
fn a_delegate_that_changes_nothing_is_a_block() {
    let (_, standard) = rewritten(
        "(module (func
            try $a
                try try nop delegate $a delegate 0
            catch_all
            end
            try nop delegate 0
            try nop end))",
    );
    assert_eq!(count(&standard.wasm, "TryTable"), 1);
    assert_eq!(count(&standard.wasm, "ThrowRef"), 0);
}

#[test]
fn exceptions_are_kept_in_one_local_for_each_depth() {
    let locals = |text: &str| {
        let (_, standard) = rewritten(text);
        let payloads = Parser::new(0).parse_all(&standard.wasm);
        let mut bodies = payloads.filter_map(|payload| match payload.unwrap() {
            Payload::CodeSectionEntry(body) => Some(body),
            _ => None,
        });
        let locals = bodies.next().unwrap().get_locals_reader().unwrap();
        locals
            .into_iter()
            .map(|group| group.unwrap().0)
            .sum::<u32>()
    };
    let rethrows = "try catch_all rethrow 0 end ";
    assert_eq!(
        locals(&format!("(module (func (local i32 i64) {rethrows}))")),
        3
    );
    assert_eq!(
        locals(&format!("(module (func {}))", rethrows.repeat(100))),
        1
    );
    let (open, close) = ("try catch_all ".repeat(100), "end ".repeat(100));
    assert_eq!(
        locals(&format!("(module (func {open} rethrow 99 {close}))")),
        1
    );
    assert_eq!(locals(&format!("(module (func {open} {close}))")), 0);
    let all: String = (0..100).fold(String::new(), |mut all, depth| {
        let _ = write!(
            all,
            "try catch_all block (br_if 0 (i32.const {depth})) rethrow 1 end "
        );
        all
    });
    assert_eq!(locals(&format!("(module (func {all} {close}))")), 100);
}

/// Hostile shapes: each is rewritten to a module that is larger by a small factor.
#[test]
fn the_size_is_linear() {
    let (n, ends) = (2_000, "end ".repeat(2_000));
    let deep = |inner: &str| {
        let labels: String = (0..n).map(|depth| format!("{depth} ")).collect();
        let open = "try ".repeat(n);
        let catches = "catch $e catch_all end ".repeat(n);
        format!("{open} {} {catches}", inner.replace("LABELS", &labels))
    };
    let bodies = [
        "try catch_all end ".repeat(n),
        format!("try {} catch_all end", "catch $e ".repeat(n)),
        deep("(br_table LABELS (i32.const 0))"),
        deep(&"try nop delegate 1999 ".repeat(n)),
        format!("{} {}", "try ".repeat(n), "delegate 0 ".repeat(n)),
        format!("{} rethrow 1999 {ends}", "try catch_all ".repeat(n)),
        format!(
            "{} {}",
            "try try ".repeat(n / 2),
            "delegate 1 catch_all end ".repeat(n / 2)
        ),
        format!("{} {ends}", "block (br_if 0 (i32.const 0)) ".repeat(n)),
    ];
    for body in bodies {
        let (wasm, standard) = rewritten(&format!("(module (tag $e) (func {body}))"));
        assert!(
            standard.wasm.len() < 6 * wasm.len() + 1_000,
            "{} to {}: {}",
            wasm.len(),
            standard.wasm.len(),
            &body[..60]
        );
        let map = standard.offsets.bytes();
        assert!(map < 6 * wasm.len() + 1_000, "{map} of {}", wasm.len());
    }
}

/// Each pair of a block type with parameters and a tag is a type of its own.
#[test]
fn types_that_grow_with_the_square_of_the_module_are_refused() {
    let module = |count: usize| {
        let mut text = "(module ".to_owned();
        for number in 0..count {
            let (block, tag) = ("i32 ".repeat(number + 1), "i64 ".repeat(number + 1));
            let _ = write!(
                text,
                "(type $b{number} (func (param {block})))(tag $t{number} (param {tag}))"
            );
        }
        text += "(func ";
        for block in 0..count {
            for tag in 0..count {
                let _ = write!(
                    text,
                    "unreachable try (type $b{block}) unreachable catch $t{tag} unreachable end "
                );
            }
        }
        text + "))"
    };
    rewritten(&module(20));
    let wasm = wat::parse_str(module(150)).unwrap();
    let error = standard_exceptions(&wasm).err().unwrap();
    assert!(error.message.contains("types"), "{error}");
}

#[test]
fn validation_is_that_of_the_original() {
    let refused = |text: &str| {
        let wasm = wat::parse_str(text).unwrap();
        let error = validate_legacy(&wasm).unwrap_err();
        (error.offset(), error.message().to_owned())
    };
    let mismatch = refused(
        "(module (func (result i32) try (result i32) i64.const 0 catch_all i32.const 0 end))",
    );
    let expected = "type mismatch: expected i32, found i64";
    assert_eq!(mismatch, (28, expected.to_owned()));
    let (_, message) = refused("(module (func try rethrow 0 catch_all end))");
    assert!(message.contains("invalid rethrow label"), "{message}");
}

#[test]
fn sections_that_speak_of_offsets_in_the_code_are_left_out() {
    let (_, standard) = rewritten(
        r#"(module (func $f try catch_all end)
            (@custom ".debug_line" "x") (@custom "metadata.code.branch_hint" "x") (@custom "other" "x"))"#,
    );
    let names: Vec<_> = Parser::new(0)
        .parse_all(&standard.wasm)
        .filter_map(|payload| match payload.unwrap() {
            Payload::CustomSection(section) => Some(section.name().to_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(names, ["other", "name"]);
}
