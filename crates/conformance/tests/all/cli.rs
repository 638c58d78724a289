//! The command line of the harness.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs the command in the reference lane only. These tests do not need the other lanes.
fn conformance(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_conformance"))
        .args(["--lane", "engine"])
        .args(args)
        .output()
        .unwrap()
}

fn script(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn exit_statuses_for_success_failure_and_wrong_usage() {
    let good = script("good.wast", "(module)");
    let bad = script("bad.wast", "(module)\n(assert_invalid (module) \"\")");
    let good = good.to_str().unwrap();
    let bad = bad.to_str().unwrap();

    let passed = conformance(&[good, "--jobs", "1"]);
    assert_eq!(passed.status.code(), Some(0));
    let failed = conformance(&[good, bad]);
    assert_eq!(failed.status.code(), Some(1));
    let stdout = String::from_utf8(failed.stdout).unwrap();
    assert!(
        stdout.contains(&format!("\n{bad}:2  engine  assert_invalid")),
        "{stdout}"
    );
    assert!(
        stdout.contains("engine: 2 passed, 1 failed, 0 skipped"),
        "{stdout}"
    );

    for usage_error in [
        ["--suite", "wasm-0.9"],
        ["--filter", "no such file"],
        ["--lane", "no such lane"],
        ["--jobs", "0"],
        ["--json", "/no such folder/report.json"],
        ["no such file.wast", "--list"],
    ] {
        // The suite keeps arguments that are not refused from running everything.
        let output = conformance(&[&usage_error[..], &["--suite", "extended-const"]].concat());
        assert_eq!(output.status.code(), Some(2), "{usage_error:?}");
        assert!(!output.stderr.is_empty(), "{usage_error:?}");
    }
}

#[test]
fn features_of_a_script_given_by_its_path() {
    // Each script needs one feature.
    let shared = script("shared.wast", "(module (memory 1 1 shared))");
    let gc = script("gc.wast", "(module (type (struct)))");
    let pages = script("pages.wast", "(module (memory 1 (pagesize 1)))");
    for (path, args, passes) in [
        (&shared, &[][..], true),
        (&gc, &[], true),
        (&pages, &[], false),
        (&shared, &["--version", "wasm-2.0"], false),
        (
            &shared,
            &["--version", "wasm-2.0", "--with", "threads,memory64"],
            true,
        ),
        (
            &gc,
            &["--version", "wasm-2.0", "--with", "threads,memory64"],
            false,
        ),
        (&pages, &["--with", "custom-page-sizes"], true),
        (&shared, &["--with", "custom-page-sizes"], true),
    ] {
        let output = conformance(&[&[path.to_str().unwrap()], args].concat());
        let status = output.status.code();
        assert_eq!(
            status,
            Some(i32::from(!passes)),
            "{} {args:?}",
            path.display()
        );
    }
    let output = conformance(&["--suite", "extended-const", "--version", "wasm-2.0"]);
    assert_eq!(output.status.code(), Some(2), "a suite has its own version");
}

#[test]
fn a_folder_is_not_the_suite_of_its_name() {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR")).join("named");
    fs::create_dir_all(parent.join("threads")).unwrap();
    fs::write(parent.join("threads/a.wast"), "(module)").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
    command
        .args(["--lane", "engine", "threads"])
        .current_dir(parent);
    let output = command.output().unwrap();
    // The suite of this name would have more files.
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("engine: 1 passed, 0 failed"), "{stdout}");
    assert!(stdout.contains("./threads"), "{stdout}");
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_script() {
    for (name, text) in [
        ("bom.wast", "(module)\n(assert_invalid (module) \"\")"),
        ("bom.wat", ";; A fixture.\n(module)"),
    ] {
        let path = script(name, &format!("\u{feff}{text}"));
        let stdout = conformance(&[path.to_str().unwrap()]).stdout;
        let stdout = String::from_utf8(stdout).unwrap();
        let expected = match name {
            "bom.wast" => "engine: 1 passed, 1 failed",
            _ => "engine: 2 passed, 0 failed",
        };
        assert!(stdout.contains(expected), "{stdout}");
    }
}

#[test]
fn lists_the_selected_files() {
    let output = conformance(&["--suite", "sign-extension-ops", "--list"]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        stdout,
        "sign-extension-ops/i32.wast\nsign-extension-ops/i64.wast\n"
    );
}

#[test]
fn an_unknown_suite_is_an_error_that_lists_all_suites() {
    let output = conformance(&["--suite", "wasm-0.9"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("wasm-3.0") && stderr.contains("spec-tests"),
        "{stderr}"
    );
}

#[test]
fn writes_the_report_as_json() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report.json");
    let path_text = path.to_str().unwrap();
    let output = conformance(&["--suite", "extended-const", "--json", path_text]);
    assert_eq!(output.status.code(), Some(0));
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(report["suites"][0]["files"], 3);
    assert_eq!(report["totals"]["engine"]["failed"], 0);
}

#[test]
fn the_help_texts_match_their_snapshots() {
    for (name, args) in [
        ("help", &["--help"][..]),
        ("help_fuzz", &["fuzz", "--help"]),
        ("help_survey", &["survey", "--help"]),
        ("help_js_api", &["js-api", "--help"]),
        ("help_wasi", &["wasi", "--help"]),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
        // The same width on every machine.
        let output = command.args(args).env("COLUMNS", "100").output().unwrap();
        crate::snapshot(name, &String::from_utf8(output.stdout).unwrap());
    }
}
