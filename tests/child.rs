//! A test that has a process of its own, with an input of its own.

use std::process::{Command, Stdio};

/// Set in such a process.
const CHILD: &str = "EXT_WASM_TEST_CHILD";

/// What stands before the answer, in a line of its own.
const ANSWER: &str = "answer: ";

/// Whether this is the process that a test has [run](run).
pub fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Tells the process that has started this one what came of it.
pub fn answer(value: &serde_json::Value) {
    println!("\n{ANSWER}{value}");
}

/// Runs the test of this name in a process of its own, and returns what that [answers](answer).
pub fn run(test: &str, stdin: Stdio) -> serde_json::Value {
    run_with(test, stdin, Stdio::piped())
}

/// The same, with an error output of its own too.
pub fn run_with(test: &str, stdin: Stdio, stderr: Stdio) -> serde_json::Value {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let answer = stdout.lines().find_map(|line| line.strip_prefix(ANSWER));
    let answer = answer.unwrap_or_else(|| panic!("{test} answers nothing: {stdout}{stderr}"));
    serde_json::from_str(answer).unwrap()
}
