//! Sources that are no module, or none that is supported: the message says what they are, or what is wrong where.

use std::fmt::Write as _;

use ext_wasm::{WasmCapabilities, WasmError, WasmErrorCode, WasmState};
use serde_json::json;

use crate::support::js::Js;

/// Sources of other kinds, which are named.
const OTHER_KINDS: &[(&str, &[u8])] = &[
    ("component", b"\0asm\x0d\0\x01\0"),
    ("component of a draft", b"\0asm\x0a\0\x01\0"),
    ("another version", b"\0asm\x02\0\0\0"),
    ("empty", b""),
    ("ELF", b"\x7fELF\x02\x01\x01\0"),
    ("Mach-O", b"\xcf\xfa\xed\xfe\x07\0\0\x01"),
    (
        "Mach-O of several architectures",
        b"\xca\xfe\xba\xbe\0\0\0\x02",
    ),
    ("Java class", b"\xca\xfe\xba\xbe\0\0\0\x41"),
    ("Windows program", b"MZ\x90\0"),
    ("LLVM bitcode", b"BC\xc0\xde"),
    ("archive", b"!<arch>\n"),
    ("gzip", b"\x1f\x8b\x08\0"),
    ("zstd", b"\x28\xb5\x2f\xfd"),
    ("xz", b"\xfd7zXZ\0"),
    ("bzip2", b"BZh9"),
    ("zip", b"PK\x03\x04\x14\0"),
    ("empty zip", b"PK\x05\x06\0\0"),
    ("HTML", b"\xef\xbb\xbf\n<!DOCTYPE html>\n<title>404</title>"),
    ("HTML without a type", b"<HTML>"),
    ("XML", b"<?xml version=\"1.0\"?>"),
    ("JSON", b"  {\"error\": \"not found\"}"),
    ("JSON list", b"[1]"),
    ("UTF-16", b"\xff\xfe(\0m\0"),
    ("base64", b"AGFzbQEAAAA="),
    ("Git LFS", b"version https://git-lfs.github.com/spec/v1\n"),
    ("text", b"export default 5;\n"),
    ("bytes", b"\x01\x02\xff"),
    ("zeros", b"\0\0\0\0"),
];

fn refusal(state: &WasmState, source: &[u8]) -> WasmError {
    let compiled = state.compile(source).map(drop);
    compiled.unwrap_err()
}

fn js_bytes(bytes: &[u8]) -> String {
    format!("new Uint8Array({bytes:?})")
}

#[test]
fn other_kinds_of_files_are_named() {
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let mut told = String::new();
    for (what, source) in OTHER_KINDS {
        let error = refusal(&state, source);
        assert_eq!(error.code, WasmErrorCode::CompileError, "{what}");
        writeln!(told, "{what}: {}", error.message).unwrap();
    }
    crate::support::snapshots(|| insta::assert_snapshot!("other_kinds_of_files", told.trim_end()));
}

/// Larger than the cap on text, which would be the wrong thing to say.
#[test]
fn large_files_of_other_kinds_are_named() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.module_limits.max_text_bytes = 10;
    let state = WasmState::new(capabilities).unwrap();
    let error = refusal(&state, b"<!doctype html><title>");
    assert!(error.message.contains("an HTML page"), "{error}");
}

#[test]
fn validate_says_no_to_other_kinds_of_files() {
    for (what, source) in OTHER_KINDS {
        let source = js_bytes(source);
        let told = Js::new().run(&format!(
            "return [validate({source}), await validateAsync({source}), await codeOf(() => compile({source}))]"
        ));
        assert_eq!(told, json!([false, false, 5000]), "{what}");
    }
}

#[test]
fn files_of_other_kinds_are_named() {
    let folder = std::env::temp_dir().join(format!("ext_wasm-{}-refusals", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("page.wasm"), "<!doctype html>").unwrap();
    let mut capabilities = WasmCapabilities::default();
    capabilities.allow_file_compile = true;
    capabilities.compile_paths = vec![folder.clone()];
    let path = folder.join("page.wasm");
    let told = Js::with(capabilities).run(&format!(
        "return (await caught(() => compileFile({path:?}))).message"
    ));
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(
        told,
        json!("not a WebAssembly module: the source is an HTML page")
    );
}

/// Errors in binaries, most of them in one of the functions.
fn invalid() -> Vec<(&'static str, Vec<u8>)> {
    let wat = |source: &str| wat::parse_str(source).unwrap();
    let named = "(module (import \"a\" \"b\" (func)) (memory 1) (func $first)";
    let mut cut = wat("(module (func $f (drop (i32.const 1))))");
    cut.truncate(cut.len() - 20);
    vec![
        (
            "a type error",
            wat(&format!(
                "{named} (func $second (result i32) (i64.const 0)))"
            )),
        ),
        (
            "a type error in the first function",
            wat("(module (func (result i32) (i64.const 0)))"),
        ),
        (
            "a function without a name",
            wat(&format!("{named} (func i32.add))")),
        ),
        (
            "a name that has to be escaped",
            wat("(module (func $\"\\n\\1b[2J\\22\" i32.add))"),
        ),
        (
            "a long name",
            wat(&format!("(module (func ${} i32.add))", "x".repeat(2_000))),
        ),
        (
            "a value that is left",
            wat(&format!("{named} (func $f i32.const 1))")),
        ),
        (
            "stack switching",
            wat(
                "(module (type $f (func)) (type $c (cont $f)) (func $go (drop (cont.new $c (ref.func $go)))) (elem declare func $go))",
            ),
        ),
        (
            "wide arithmetic",
            wat(
                "(module (func $wide (param i64 i64 i64 i64) (drop (drop (i64.add128 (local.get 0) (local.get 1) (local.get 2) (local.get 3))))))",
            ),
        ),
        ("custom page sizes", wat("(module (memory 1 (pagesize 1)))")),
        (
            "shared globals",
            wat("(module (global (shared mut i32) (i32.const 0)))"),
        ),
        (
            "memory control",
            wat(&format!(
                "{named} (func $f (memory.discard (i32.const 0) (i32.const 0))))"
            )),
        ),
        ("an unknown type", wat("(module (func (type 5)))")),
        ("a binary that is cut off", cut),
        (
            "a binary that ends after the magic number",
            b"\0asm".to_vec(),
        ),
        ("an unknown section", b"\0asm\x01\0\0\0\x63\0".to_vec()),
    ]
}

#[test]
fn errors_in_binaries_have_the_function_the_offset_and_the_proposal() {
    let state = WasmState::new(WasmCapabilities::default()).unwrap();
    let mut told = String::new();
    for (what, source) in invalid() {
        let error = refusal(&state, &source);
        assert_eq!(error.code, WasmErrorCode::CompileError, "{what}");
        assert!(error.message.chars().count() <= 500, "{what}");
        writeln!(told, "{what}: {}", error.message).unwrap();
    }
    crate::support::snapshots(|| insta::assert_snapshot!("invalid_binaries", told.trim_end()));
}

/// The first function takes the compiler much longer than the bound, and the last one is not valid.
#[test]
fn an_invalid_module_is_not_estimated_or_compiled() {
    let mut capabilities = WasmCapabilities::default();
    capabilities.module_limits.max_compile_ms = 100;
    let loops = "loop ".repeat(2_000) + &"end ".repeat(2_000);
    let source = format!("(module (func {loops}) (func $last i32.add))");
    let state = WasmState::new(capabilities).unwrap();
    let valid = source.replace("i32.add", "");
    let error = refusal(&state, valid.as_bytes());
    assert!(error.message.contains("max_compile_ms"), "{error}");
    let error = refusal(&state, source.as_bytes());
    assert!(
        error.message.starts_with("function 1 \"last\" at "),
        "{error}"
    );
}
