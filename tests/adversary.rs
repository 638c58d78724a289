//! Attacks by hostile modules and scripts. Each attack runs in a process of its own, within bounds: a crash, a hang
//! or too much memory fails its own test only.
//!
//! With `EXT_WASM_LONG=1`, attacks that repeat an action repeat it ten times as often.

mod bloat;
mod buffers;
mod escape;
mod modules;
mod names;
mod ops;
mod promises;

use std::time::Duration;
use std::{env, fs, process, thread};

use ext_wasm::WasmCapabilities;
use serde_json::{Value, json};

use crate::support::child::{self, Child};
use crate::support::js::Js;

/// The environment variable that makes attacks repeat their action more often.
const LONG: &str = "EXT_WASM_LONG";

/// The environment variable that [`Attack`]s see under AddressSanitizer, where they take several times as much time and
/// memory.
const SANITIZER: &str = "EXT_WASM_SANITIZER";

/// A script that attacks, and the caps of its process.
pub struct Attack {
    script: String,
    capabilities: WasmCapabilities,
    seconds: u64,
    mebibytes: u64,
    threads: u64,
    descriptors: u64,
}

impl Attack {
    /// An attack whose script is the body of an async function: see [`Js::run`]. In the script, `many` is the number
    /// of repetitions.
    pub fn new(script: impl Into<String>) -> Self {
        Self {
            script: script.into(),
            capabilities: WasmCapabilities::default(),
            seconds: if is_sanitized() { 600 } else { 60 },
            mebibytes: 400,
            threads: 40,
            descriptors: 200,
        }
    }

    pub fn capabilities(mut self, change: impl FnOnce(&mut WasmCapabilities)) -> Self {
        change(&mut self.capabilities);
        self
    }

    pub fn threads(mut self, threads: u64) -> Self {
        self.threads = threads;
        self
    }

    pub fn descriptors(mut self, descriptors: u64) -> Self {
        self.descriptors = descriptors;
        self
    }

    pub fn mebibytes(mut self, mebibytes: u64) -> Self {
        self.mebibytes = mebibytes;
        self
    }

    /// Runs the attack in a process of its own and returns the script's result. `test` is the path of the test that
    /// calls this.
    pub fn run(self, test: &str) -> Value {
        if child::is_child() {
            self.attack();
        }
        let answer = Child::new(test).run();
        let mebibytes = match is_sanitized() {
            true => 3 * self.mebibytes + 200,
            false => self.mebibytes,
        };
        for (resource, cap) in [
            ("mebibytes", mebibytes),
            ("threads", self.threads),
            ("descriptors", self.descriptors),
        ] {
            let used = answer[resource].as_u64().unwrap();
            assert!(used <= cap, "{resource}: {used}, the cap is {cap}");
        }
        answer["returned"].clone()
    }

    /// Runs the attack in this process, prints the result and the use of resources, and ends the process.
    fn attack(self) -> ! {
        thread::spawn(move || {
            thread::sleep(Duration::from_secs(self.seconds));
            eprintln!("the attack takes longer than {} seconds", self.seconds);
            process::abort();
        });
        let many = if env::var_os(LONG).is_some() {
            200_000
        } else {
            20_000
        };
        let mut js = Js::with(self.capabilities);
        let returned = js.run(&format!("const many = {many};\n{}", self.script));
        let answer = json!({
            "returned": returned,
            "mebibytes": status("VmHWM:") >> 10,
            "threads": status("Threads:"),
            "descriptors": fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
        });
        child::answer(&answer);
        process::exit(0);
    }
}

fn is_sanitized() -> bool {
    env::var_os(SANITIZER).is_some()
}

/// A field of `/proc/self/status` as a number; 0 on systems without this file.
fn status(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.map_or(0, |number| number.parse().unwrap())
}

/// A test for each attack, which asserts the result of its script.
macro_rules! attacks {
    ($($(#[$attribute:meta])* fn $name:ident() { $attack:expr => $expected:expr })*) => {$(
        $(#[$attribute])*
        #[test]
        fn $name() {
            let result = $attack.run(concat!(module_path!(), "::", stringify!($name)));
            assert_eq!(result, $expected);
        }
    )*};
}
use attacks;
