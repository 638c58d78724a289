//! `wasm-types`, which writes TypeScript declarations.

use std::path::PathBuf;
use std::process::{Command, Output};

/// Runs the program with the source in a file.
fn run(name: &str, source: &str, options: &[&str]) -> Output {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(name);
    std::fs::write(&file, source).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_wasm-types"));
    program.arg(file).args(options).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn declarations_of_a_module() {
    let module = r#"(module
        (import "env" "log" (func (param i64 externref) (result i64)))
        (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
        (memory (export "memory") 1)
        (global (export "a \"b\"") i32 (i32.const 0))
        (func (export "f g") (param i32 i64) (result f64 v128) unreachable))"#;
    let output = run("types.wat", module, &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(
        text(&output.stdout),
        r#"import type { WasmGlobal, WasmMemory, WasmTable, WasmTag } from "host:wasm";

/** The imports of the module. */
export interface Imports {
  readonly "env": {
    readonly "log": (p0: bigint, p1: unknown) => bigint | number | Promise<bigint | number>;
  };
}

/** The exports of an instance, by their names. */
export interface Exports {
  readonly "memory": WasmMemory;
  readonly "a \"b\"": WasmGlobal;
  readonly "f g": (p0: number, p1: bigint | number) => [number, Uint8Array];
}
"#
    );
}

#[test]
fn declarations_and_wit_of_a_component() {
    let component = r#"(component (import "log" (func (param "line" string))))"#;
    let output = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("component.d.ts");
    let written = run("component.wat", component, &[output.to_str().unwrap()]);
    assert!(written.status.success(), "{}", text(&written.stderr));
    assert_eq!(text(&written.stdout), "");
    let types = std::fs::read_to_string(output).unwrap();
    assert!(
        types.contains("  log(line: string): void | Promise<void>;\n"),
        "{types}"
    );
    let wit = run("component.wat", component, &["--wit"]);
    assert!(text(&wit.stdout).contains("  import log: func(line: string);\n"));
}

#[test]
fn what_is_neither_is_refused() {
    for (source, options, message) in [
        (
            "(module)",
            &["--wit"][..],
            "is a module: only components have WIT",
        ),
        ("(component", &[], "expected `)`"),
        ("# Text", &[], "the source is text, but not of WebAssembly"),
        (
            "(component (import \"f\" (func (param \"x\" u99))))",
            &[],
            "expected",
        ),
    ] {
        let output = run("wrong", source, options);
        assert!(!output.status.success());
        let error = text(&output.stderr);
        assert!(error.contains(message), "{error}");
    }
}
