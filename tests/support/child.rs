//! Tests that run themselves again in a child process.

use std::process::{Command, Stdio};

use serde_json::Value;

/// The environment variable that is set in a child process.
const CHILD: &str = "EXT_WASM_TEST_CHILD";

/// The prefix of the line with the answer.
const ANSWER: &str = "answer: ";

/// Whether this is the process of a [`Child`].
pub fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Sends the result to the parent process.
pub fn answer(value: &Value) {
    println!("\n{ANSWER}{value}");
}

/// The path of the test that contains the call of this macro.
macro_rules! this_test {
    () => {{
        fn here() {}
        $crate::support::child::test_around(here)
    }};
}
pub(crate) use this_test;

/// The path of the test that contains a function: see [`this_test`].
pub fn test_around<F>(_: F) -> &'static str {
    let path = std::any::type_name::<F>();
    let (test, _) = path.rsplit_once("::").unwrap();
    test
}

/// A process that runs one test.
pub struct Child {
    test: String,
    command: Command,
}

impl Child {
    /// A process that runs the test with this [path](this_test).
    pub fn new(test: &str) -> Self {
        Self::of(test, Command::new(std::env::current_exe().unwrap()))
    }

    /// The same, within limits of the system that a shell sets: `ulimit -n 100`.
    pub fn limited(test: &str, limits: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{limits} && exec \"$0\" \"$@\"")]);
        shell.arg(std::env::current_exe().unwrap());
        Self::of(test, shell)
    }

    fn of(test: &str, mut command: Command) -> Self {
        let (_crate, test) = test.split_once("::").unwrap();
        command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
        command.env(CHILD, "1").stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self {
            test: test.to_owned(),
            command,
        }
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn stdin(mut self, stdin: Stdio) -> Self {
        self.command.stdin(stdin);
        self
    }

    pub fn stderr(mut self, stderr: Stdio) -> Self {
        self.command.stderr(stderr);
        self
    }

    /// Runs the process, and returns its [answer].
    pub fn run(mut self) -> Value {
        let child = self.command.spawn().unwrap();
        // The command holds ends of pipes. A reader would wait until they are closed.
        drop(self.command);
        let output = child.wait_with_output().unwrap();
        let out = String::from_utf8_lossy(&output.stdout);
        let err = String::from_utf8_lossy(&output.stderr);
        let answer = out.lines().find_map(|line| line.strip_prefix(ANSWER));
        let answer = answer.filter(|_| output.status.success());
        let answer =
            answer.unwrap_or_else(|| panic!("{}: {}\n{out}\n{err}", self.test, output.status));
        serde_json::from_str(answer).unwrap()
    }
}

/// The environment variable of the process that repeats the tests with patched builtins.
pub const HOSTILE: &str = "EXT_WASM_HOSTILE";

/// The name of a folder of a test that the hostile repetition, which runs at the same time, does not use.
pub fn own_name(name: &str) -> String {
    match std::env::var_os(HOSTILE) {
        Some(_) => format!("{name}-hostile"),
        None => name.to_owned(),
    }
}
