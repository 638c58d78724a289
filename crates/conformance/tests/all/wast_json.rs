//! Scripts as JSON, with their modules in files beside them.

use std::fs;
use std::path::{Path, PathBuf};

use conformance::run::FileRun;
use conformance::suite::{self, ScriptFile};

use crate::{failures, run_file};

/// A new folder with these files.
fn folder(name: &str, files: &[(&str, &[u8])]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("wast-json")
        .join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).unwrap();
    }
    folder
}

/// Runs a script beside a module that returns and throws.
fn run(name: &str, script: &str) -> FileRun {
    let module = wat::parse_str(
        r#"(module
            (tag $e)
            (func (export "throw") (throw $e))
            (func (export "i32") (param i32) (result i32) (local.get 0))
            (func (export "i64") (param i64) (result i64) (local.get 0))
            (func (export "f32") (result f32) (f32.const nan))
            (func (export "v128") (result v128) (v128.const i8x16 -1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)))"#,
    );
    let files = [("m.wasm", &*module.unwrap()), ("s.json", script.as_bytes())];
    let folder = folder(name, &files);
    run_file(&ScriptFile::at("test", "s.json", folder.join("s.json")))
}

/// A script of these commands, which all have the line 7.
fn script(commands: &[&str]) -> String {
    let commands = commands.join(",\n");
    format!(r#"{{"source_filename": "s.wast", "commands": [{commands}]}}"#)
        .replace("LINE", r#""line": 7"#)
}

const MODULE: &str = r#"{"type": "module", "line": 1, "filename": "m.wasm"}"#;

#[test]
fn the_form_that_wabt_writes() {
    let lanes = r#"["255", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15"]"#;
    let run = run(
        "wabt",
        &script(&[
            MODULE,
            r#"{"type": "assert_return", LINE, "action": {"type": "invoke", "field": "i32", "args": [{"type": "i32", "value": "4294967295"}]}, "expected": [{"type": "i32", "value": "4294967295"}]}"#,
            r#"{"type": "assert_return", LINE, "action": {"type": "invoke", "field": "i64", "args": [{"type": "i64", "value": "18446744073709551615"}]}, "expected": [{"type": "i64", "value": "18446744073709551615"}]}"#,
            r#"{"type": "assert_return", LINE, "action": {"type": "invoke", "field": "f32", "args": []}, "expected": [{"type": "f32", "value": "nan:canonical"}]}"#,
            &format!(
                r#"{{"type": "assert_return", LINE, "action": {{"type": "invoke", "field": "v128", "args": []}}, "expected": [{{"type": "v128", "lane_type": "i8", "value": {lanes}}}]}}"#
            ),
            r#"{"type": "assert_exception", LINE, "action": {"type": "invoke", "field": "throw", "args": []}, "expected": []}"#,
        ]),
    );
    assert_eq!(failures(&run), []);
    assert_eq!(run.outcomes.len(), 6);
}

#[test]
fn a_wrong_value_is_a_failure() {
    let run = run(
        "wrong",
        &script(&[
            MODULE,
            r#"{"type": "assert_return", LINE, "action": {"type": "invoke", "field": "i32", "args": [{"type": "i32", "value": "1"}]}, "expected": [{"type": "i32", "value": "2"}]}"#,
        ]),
    );
    let failures = failures(&run);
    let [(7, "assert_return", mismatch)] = failures.as_slice() else {
        panic!("{failures:?}");
    };
    assert_eq!((&*mismatch.expected, &*mismatch.got), ("i32 2", "i32 1"));
}

#[test]
fn commands_that_are_not_understood_fail_alone() {
    let run = run(
        "commands",
        &script(&[
            MODULE,
            r#"{"type": "assert_magic", LINE}"#,
            r#"{"type": "module", LINE, "filename": "gone.wasm"}"#,
            r#"{"type": "module", LINE, "filename": "../m.wasm"}"#,
            r#"{"type": "module", LINE, "filename": "/m.wasm"}"#,
            r#"{"type": "action", LINE, "action": {"type": "invoke", "field": "i32", "args": [{"type": "i32", "value": "4294967296"}]}}"#,
            r#"7"#,
            MODULE,
        ]),
    );
    let failures = failures(&run);
    let expected = [
        (7, "unknown variant `assert_magic`"),
        (7, "cannot read the module `gone.wasm`"),
        (7, "the module `../m.wasm` is not beside the script"),
        (7, "the module `/m.wasm` is not beside the script"),
        (7, "did not match any variant"),
        (1, "invalid type: integer `7`"),
    ];
    assert_eq!(failures.len(), expected.len(), "{failures:?}");
    for ((line, directive, mismatch), (expected_line, message)) in failures.iter().zip(expected) {
        assert_eq!((*line, *directive), (expected_line, "directive"));
        assert!(mismatch.got.contains(message), "{mismatch}");
    }
    assert_eq!(run.outcomes.len(), 8);
}

#[test]
fn text_that_is_no_script_fails_as_a_whole() {
    for (name, text, line) in [
        ("empty", "", 1),
        (
            "truncated",
            "{\"source_filename\": \"s.wast\",\n\"commands\": [",
            2,
        ),
        ("other", "{\"name\": \"package\"}", 1),
        (
            "nothing",
            r#"{"source_filename": "s.wast", "commands": []}"#,
            1,
        ),
    ] {
        let run = run(name, text);
        let failures = failures(&run);
        assert!(
            matches!(failures.as_slice(), [(at, "parse", _)] if *at == line),
            "{name}: {failures:?}"
        );
    }
}

#[test]
fn a_folder_has_scripts_other_json_and_modules_in_text() {
    let script = script(&[
        MODULE,
        r#"{"type": "assert_malformed", LINE, "filename": "bad.wat", "text": "", "module_type": "text"}"#,
    ]);
    let folder = folder(
        "folder",
        &[
            ("s.json", script.as_bytes()),
            ("damaged.json", &script.as_bytes()[..80]),
            ("package.json", br#"{"name": "package", "commands": []}"#),
            ("bad.wat", b"(module"),
            ("fixture.wat", b";; A fixture.\n(module)"),
        ],
    );
    let files = suite::at_path(&folder).unwrap();
    let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["damaged.json", "s.json", "fixture.wat"]);
    let given = suite::at_path(&folder.join("package.json")).unwrap();
    assert_eq!(given.len(), 1);
    assert!(suite::at_path(&folder.join("gone.json")).is_err());
}
