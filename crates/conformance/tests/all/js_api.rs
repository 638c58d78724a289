//! The tests of the JavaScript API: what their harness gives them, and each way for a file to fail.

mod command;
mod expectations;
mod files;
mod harness;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use conformance::lane::Lane;
use conformance::report::{FailureReport, Report};

/// A new folder with these files.
fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("js-api")
        .join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    for (name, text) in files {
        write(&path, name, text);
    }
    path
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn js_api(path: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
    command.arg("js-api").arg(path).args(args);
    command.output().unwrap()
}

/// Runs the command, and returns its exit status and its report.
fn report(path: &Path, args: &[&str]) -> (Option<i32>, Report) {
    let json = path.join("report.json");
    let output = js_api(path, &[args, &["--json", json.to_str().unwrap()]].concat());
    let text = fs::read_to_string(&json)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), serde_json::from_str(&text).unwrap())
}

/// The number of subtests that passed, and the failures, of a folder with this one file.
fn run_one(name: &str, text: &str) -> (usize, Vec<FailureReport>) {
    let folder = folder(name, &[("a.any.js", text)]);
    let (status, report) = report(&folder, &[]);
    let totals = report.totals[&Lane::Standard];
    assert_eq!(status, Some(i32::from(totals.failed > 0)));
    assert_eq!(totals.failed, report.failures.len());
    (totals.passed, report.failures)
}
