//! What hostile modules and scripts try, each attack in a process of its own and within bounds: a crash, a
//! hang or bloat fails its test and nothing else.
//!
//! `EXT_WASM_LONG=1` has those that repeat something do so more often.

mod bloat;
mod buffers;
mod escape;
mod modules;
mod names;
mod ops;

use std::time::Duration;
use std::{env, fs, process, thread};

use ext_wasm::WasmCapabilities;
use serde_json::{Value, json};

use crate::child::{self, Child};
use crate::js::Js;

/// Whether to repeat more often.
const LONG: &str = "EXT_WASM_LONG";

/// A script that attacks, and what its process may use.
pub struct Attack {
    script: String,
    capabilities: WasmCapabilities,
    seconds: u64,
    mebibytes: u64,
    threads: u64,
    descriptors: u64,
}

impl Attack {
    /// The body of an async function: see [`Js::run`]. It finds the number of repetitions in `many`.
    pub fn new(script: impl Into<String>) -> Self {
        Self {
            script: script.into(),
            capabilities: WasmCapabilities::default(),
            seconds: 60,
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

    /// Runs the attack in a process of its own, which runs the test of this path, and returns what it
    /// returned.
    pub fn run(self, test: &str) -> Value {
        if child::is_child() {
            self.attack();
        }
        let told = Child::new(test).run();
        for (what, most) in [
            ("mebibytes", self.mebibytes),
            ("threads", self.threads),
            ("descriptors", self.descriptors),
        ] {
            let used = told[what].as_u64().unwrap();
            assert!(used <= most, "{what}: {used}, of {most} at most");
        }
        told["returned"].clone()
    }

    /// Runs the attack in this process, prints what came of it, and ends the process.
    fn attack(self) -> ! {
        thread::spawn(move || {
            thread::sleep(Duration::from_secs(self.seconds));
            eprintln!("it takes longer than {} seconds", self.seconds);
            process::abort();
        });
        let many = if env::var_os(LONG).is_some() {
            200_000
        } else {
            20_000
        };
        let mut js = Js::with(self.capabilities);
        let returned = js.run(&format!("const many = {many};\n{}", self.script));
        let told = json!({
            "returned": returned,
            "mebibytes": status("VmHWM:") >> 10,
            "threads": status("Threads:"),
            "descriptors": fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
        });
        child::answer(&told);
        process::exit(0);
    }
}

/// A number that Linux tells of this process; elsewhere 0.
fn status(what: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.map_or(0, |number| number.parse().unwrap())
}

/// A test that an attack comes to this.
macro_rules! attacks {
    ($($(#[$attribute:meta])* fn $name:ident() { $attack:expr => $told:expr })*) => {$(
        $(#[$attribute])*
        #[test]
        fn $name() {
            let told = $attack.run(concat!(module_path!(), "::", stringify!($name)));
            assert_eq!(told, $told);
        }
    )*};
}
use attacks;
