//! Random programs over the API of `host:wasm`, and over the ops beneath it: `cargo conformance fuzz --api`.
//!
//! A [`Program`] is made of bytes, which come from a seed or from libFuzzer. With these bytes, [`writer`] chooses
//! alternatives of a [`grammar`] of JavaScript expressions: calls of everything that is public, with values of every
//! kind, also from imports, and in [`Surface::Ops`] raw calls of ops. [`Runner`] runs a program. The functions of
//! `prelude.js` check each outcome. No program may:
//!
//! - end or hang its process, or panic;
//! - see an error that is not documented, or a message without end;
//! - have an op run JavaScript that is not an import;
//! - leave modules or instances alive that it has dropped, unless it used raw ops;
//! - reach the guest of another runtime on its thread.

pub mod grammar;
pub mod guest;
pub mod minimise;
pub mod program;
pub mod runner;
mod sandbox;
pub mod worker;
pub mod writer;

use std::fmt;
use std::fs;
use std::ops::AddAssign;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

pub use program::Program;
pub use runner::Runner;
pub use writer::Surface;

use super::campaign::{self, Reduced, StartWorker};
use minimise::minimise;
use worker::Worker;

/// Counts of one program, or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub programs: u64,
    /// Expressions that were evaluated. Each has at least one call.
    pub attempts: u64,
    /// Attempts that returned, or resolved.
    pub returned: u64,
    /// Attempts that threw, or rejected.
    pub refused: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.programs += other.programs;
        self.attempts += other.attempts;
        self.returned += other.returned;
        self.refused += other.refused;
    }
}

/// A violation of the rules for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finding {
    /// The program or its sandbox saw a violation.
    Seen(String),
    /// A panic.
    Panic(String),
    /// The process of the program ended.
    Lost(String),
    /// The program did not end in time.
    Hung(String),
}

impl Finding {
    /// Whether another finding is of the same kind.
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Seen(text) | Finding::Lost(text) | Finding::Hung(text) => f.write_str(text),
            Finding::Panic(text) => write!(f, "a panic: {text}"),
        }
    }
}

/// A campaign of programs that are made from seeds.
pub struct Api;

impl campaign::Target for Api {
    type Tally = Tally;
    type Finding = Finding;
    type Worker<'a> = Worker<'a>;

    const INPUTS: &'static str = "programs";
    const FINDINGS: &'static str = "findings";

    fn worker(start: StartWorker<'_>, timeout: Duration) -> Worker<'_> {
        Worker::new(start, timeout)
    }

    fn run(worker: &mut Worker<'_>, seed: u64) -> anyhow::Result<Result<Tally, Finding>> {
        worker.run(&Program::of_seed(seed))
    }

    fn reduce(worker: &mut Worker<'_>, seed: u64, finding: Finding) -> anyhow::Result<Reduced> {
        let program = Program::of_seed(seed);
        let (program, finding) = minimise(&program, finding, &mut |shorter| {
            Ok(worker.run(shorter)?.err())
        })?;
        let finding = finding.to_string();
        let text = format!(
            "// cargo conformance fuzz --api --seed {seed} --count 1\n// {}\n{}",
            finding.replace('\n', " "),
            program.source()
        );
        Ok(Reduced {
            file: format!("fuzz-{seed}.js"),
            text,
            finding,
        })
    }
}

impl campaign::Tally for Tally {
    fn of_finding() -> Self {
        Self {
            programs: 1,
            ..Self::default()
        }
    }

    fn inputs(&self) -> u64 {
        self.programs
    }

    fn render(&self, seconds: f64) -> String {
        let Self {
            programs,
            attempts,
            returned,
            refused,
        } = self;
        let rate = *attempts as f64 / seconds;
        format!(
            "{programs} programs in {seconds:.1} s: {attempts} calls, {rate:.0} a second, of which {returned} returned \
             and {refused} were refused\n"
        )
    }
}

/// Runs the program of a file in a process of its own.
///
/// # Errors
///
/// If the file cannot be read, or no process can be started.
pub fn run_file(
    path: &Path,
    start: StartWorker<'_>,
    timeout: Duration,
) -> anyhow::Result<Result<Tally, Finding>> {
    let source =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Worker::new(start, timeout).run(&Program::of_source(&source))
}

/// Runs the program that is made of these bytes, for a fuzzer that supplies bytes.
///
/// # Panics
/// On a finding.
pub fn check(data: &[u8], surface: Surface) {
    static RUNNER: Mutex<Runner> = Mutex::new(Runner::new());
    let program = Program::of_bytes(data, surface);
    let mut runner = RUNNER.lock().unwrap_or_else(PoisonError::into_inner);
    let ran = runner.run(&program);
    drop(runner);
    match ran {
        Ok(Ok(_)) => {}
        Ok(Err(finding)) => panic!("{finding}\n{}", program.source()),
        Err(error) => panic!("{error:#}"),
    }
}
