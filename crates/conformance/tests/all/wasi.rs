//! `cargo conformance wasi`: programs, their specifications, and what is no success.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use conformance::wasi::specification::{Operation, Specification};

/// A command that writes its arguments, reads its input, and exits with the number of bytes that it read.
const ECHO: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\20\00\00\00\40\00\00\00")
    (func (export "_start")
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
        (i32.store (i32.const 4) (i32.load (i32.const 16)))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 20)))
        (if (i32.load (i32.const 16)) (then (call $exit (i32.const 1))))))"#;

const ENDLESS: &str =
    r#"(module (memory (export "memory") 1) (func (export "_start") (loop (br 0))))"#;

const TRAP: &str = r#"(module (memory (export "memory") 1) (func (export "_start") unreachable))"#;

/// What `ECHO` does with five bytes.
const ECHOES: &str = r#"{ "operations": [
    { "type": "run" },
    { "type": "write", "id": "stdin", "payload": "hello" },
    { "type": "read", "payload": "hello" },
    { "type": "wait", "exit_code": 1 }
] }"#;

/// A folder of programs for preview 1, each a name and a text; other files have a name with an ending.
fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("wasi-{name}"));
    let _ = fs::remove_dir_all(&folder);
    let programs = folder.join("wasm32-wasip1");
    fs::create_dir_all(&programs).unwrap();
    for (name, text) in files {
        match name.contains('.') {
            true => fs::write(programs.join(name), text).unwrap(),
            false => {
                let binary = wat::parse_str(text).unwrap();
                fs::write(programs.join(format!("{name}.wasm")), binary).unwrap();
            }
        }
    }
    folder
}

fn wasi(path: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_conformance"))
        .arg("wasi")
        .arg(path)
        .args(args)
        .output()
        .unwrap()
}

/// The exit status, and what it wrote.
fn run(path: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = wasi(path, args);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn programs_run_in_every_lane() {
    let folder = folder("lanes", &[("echo", ECHO), ("echo.json", ECHOES)]);
    let (status, text) = run(&folder, &[]);
    assert_eq!(status, Some(0), "{text}");
    // As a module and as a component, and in two ways from TypeScript.
    for line in [
        "engine: 2 passed, 0 failed, 0 skipped",
        "runtime: 2 passed, 0 failed, 0 skipped",
        "script: 4 passed, 0 failed, 0 skipped",
    ] {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn the_report_in_every_form() {
    let folder = folder(
        "forms",
        &[("echo", ECHO), ("echo.json", ECHOES), ("trap", TRAP)],
    );
    let paths = ["report.json", "report.xml", "report.html"].map(|name| folder.join(name));
    let [json, junit, html] = paths.each_ref().map(|path| path.to_str().unwrap());
    let args = [
        "--lane", "engine", "--json", json, "--junit", junit, "--html", html,
    ];
    let (status, text) = run(&folder, &args);
    assert_eq!(status, Some(1), "{text}");
    assert!(
        text.contains("wasi-preview1/trap:1  engine  start"),
        "{text}"
    );
    assert!(text.contains("unreachable"), "{text}");
    let [json, junit, html] = paths.map(|path| fs::read_to_string(path).unwrap());
    assert!(json.contains("\"suite\": \"wasi-0.2\""), "{json}");
    assert!(junit.contains("wasi-preview1/echo"), "{junit}");
    assert!(html.contains("wasi-preview1/trap"), "{html}");
}

/// Whatever is not understood, or does not do as it should, is no success.
#[test]
fn it_fails_closed() {
    let empty = folder("empty", &[("note.txt", "")]);
    for (path, wanted) in [
        (empty.clone(), "no program"),
        (empty.join("none"), "cannot use"),
    ] {
        let (status, text) = run(&path, &[]);
        assert_eq!(status, Some(2), "{text}");
        assert!(text.contains(wanted), "{text}");
    }
    for (manifest, wanted) in [
        ("{", "cannot use"),
        (r#"{ "version": "wasm32-wasip9" }"#, "wasm32-wasip9"),
        (r#"{ "size": 1 }"#, "unknown field"),
    ] {
        let folder = folder("manifest", &[("echo", ECHO), ("manifest.json", manifest)]);
        let (status, text) = run(&folder, &[]);
        assert_eq!(status, Some(2), "{text}");
        assert!(text.contains(wanted), "{text}");
    }
    let unknown = folder("version", &[("echo", ECHO)]);
    fs::rename(unknown.join("wasm32-wasip1"), unknown.join("programs")).unwrap();
    let (status, text) = run(&unknown, &[]);
    assert_eq!(status, Some(2), "{text}");
    assert!(text.contains("nothing tells the version of WASI"), "{text}");

    for (specification, wanted) in [
        ("[]", "no object"),
        (r#"{ "args": 1 }"#, "invalid type"),
        (r#"{ "argv": [] }"#, "unknown field"),
        (
            r#"{ "operations": [{ "type": "dance" }] }"#,
            "unknown variant",
        ),
        (
            r#"{ "operations": [{ "type": "run", "cwd": "/" }] }"#,
            "unknown field",
        ),
        (
            r#"{ "operations": [{ "type": "run" }] }"#,
            "without a `wait`",
        ),
        (r#"{ "operations": [] }"#, "no operations"),
        (r#"{ "proposals": ["threads"] }"#, "unknown variant"),
        (
            r#"{ "operations": [{ "type": "run" }, { "type": "request" }, { "type": "wait" }] }"#,
            "`request`, which this harness does not do",
        ),
        (r#"{ "exit_code": 3 }"#, "status 3"),
        (r#"{ "stdout": "hello" }"#, "\"hello\" at stdout"),
        (r#"{ "root": "nowhere" }"#, "cannot copy"),
    ] {
        let folder = folder(
            "specification",
            &[("echo", ECHO), ("echo.json", specification)],
        );
        let (status, text) = run(&folder, &["--lane", "engine"]);
        assert_ne!(status, Some(0), "{text}");
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
    let more = r#"{ "operations": [{ "type": "run" },
        { "type": "write", "id": "stdin", "payload": "hello" },
        { "type": "read", "payload": "help" }, { "type": "wait", "exit_code": 1 }] }"#;
    let other = folder("output", &[("echo", ECHO), ("echo.json", more)]);
    let (status, text) = run(&other, &["--lane", "engine"]);
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("\"help\" at stdout, got \"hell\""), "{text}");
}

#[test]
fn a_program_that_does_not_end_is_ended() {
    let folder = folder("endless", &[("endless", ENDLESS)]);
    let args = ["--lane", "engine", "--timeout", "1", "--filter", "preview1"];
    let (status, text) = run(&folder, &args);
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("until its process was killed"), "{text}");
}

#[test]
fn a_part_of_the_programs() {
    let folder = folder("parts", &[("a", ECHO), ("b", ECHO)]);
    for (args, listed) in [
        (&["--filter", "/b"][..], "wasi-preview1/b\nwasi-0.2/b\n"),
        (&["--filter", "0.2", "--shard", "1/2"], "wasi-0.2/a\n"),
    ] {
        let (status, text) = run(&folder, &[args, &["--list"]].concat());
        assert_eq!((status, text.as_str()), (Some(0), listed));
    }
    let (status, text) = run(&folder, &["--filter", "none"]);
    assert_eq!(status, Some(2), "{text}");
}

#[test]
fn both_forms_of_specifications() {
    let parsed = Specification::parse(r#"{ "args": ["a"], "stdout": "b", "exit_code": 3 }"#);
    let operations = parsed.unwrap().operations;
    assert!(matches!(&operations[0], Operation::Run(run) if run.args == ["a"]));
    let read = Operation::Read {
        id: "stdout".into(),
        payload: "b".into(),
        is_all: true,
    };
    assert_eq!(operations[1..], [read, Operation::Wait { exit_code: 3 }]);
    let parsed = Specification::parse(
        r#"{ "proposals": ["sockets"], "operations": [
        { "type": "run" }, { "type": "connect", "id": "c" }, { "type": "send", "id": "c", "payload": "x" },
        { "type": "recv", "id": "c", "payload": "x" }, { "type": "wait" }] }"#,
    );
    assert_eq!(parsed.unwrap().unsupported(), None);
    for wrong in [
        r#"{ "operations": [{ "type": "wait" }] }"#,
        r#"{ "operations": [{ "type": "run" }, { "type": "run" }, { "type": "wait" }] }"#,
        r#"{ "operations": [{ "type": "run" }, { "type": "send", "id": "c" }, { "type": "wait" }] }"#,
        r#"{ "operations": [{ "type": "run" }, { "type": "read", "id": "log" }, { "type": "wait" }] }"#,
    ] {
        Specification::parse(wrong).unwrap_err();
    }
}

/// The programs are not in this repository. `EXT_WASM_WASI_TESTSUITE` names a checkout with them.
#[test]
fn wasi_testsuite() {
    let Some(suite) = std::env::var_os("EXT_WASM_WASI_TESTSUITE") else {
        println!("skipped: EXT_WASM_WASI_TESTSUITE names no checkout of wasi-testsuite");
        return;
    };
    let (status, text) = run(Path::new(&suite), &[]);
    println!("{text}");
    assert_eq!(status, Some(0));
}
