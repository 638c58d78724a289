//! Runs one file on a host that is made for it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::anyhow;

use crate::expectations::{self, Expectation};
use crate::features::Features;
use crate::fixture;
use crate::host::{self, Failure, Host, Source};
use crate::outcome::{Mismatch, Outcome, Verdict};
use crate::script::{self, Script};
use crate::spectest;
use crate::suite::ScriptFile;
use crate::wast::run_script;
use crate::wast_json;

/// The name of the directive that stands for a whole file which cannot be run.
pub const FILE: &str = "file";

/// The outcomes of a file.
#[derive(Debug)]
pub struct FileRun {
    pub outcomes: Vec<Outcome>,
    /// Whether every directive had its turn.
    pub complete: bool,
    pub seconds: f64,
}

/// How much stack a thread has that runs scripts, in bytes.
pub const STACK_SIZE: usize = 16 << 20;

/// Runs `f` on a thread with a stack of [`STACK_SIZE`]: some scripts are nested deep, and some use up the stack that
/// WebAssembly may use.
///
/// # Errors
///
/// When there can be no such thread, or `f` panics.
pub fn with_deep_stack<R: Send>(f: impl FnOnce() -> R + Send) -> anyhow::Result<R> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK_SIZE);
        let running = thread.spawn_scoped(scope, f)?;
        let ended = running.join();
        ended.map_err(|panic| anyhow!("panicked: {}", panic_message(panic.as_ref())))
    })
}

/// Makes the host that a file runs on.
pub type NewHost<'a> = &'a dyn Fn(&Features) -> anyhow::Result<Box<dyn Host>>;

/// Runs `file` on a host made by `new_host`, leaving out what `entries` say to skip. The stack of a program's first
/// thread is too small for some scripts: see [`with_deep_stack`].
///
/// Never fails and never panics: if the file as a whole cannot be run, it has one more directive, which failed and is
/// named [`FILE`] or `parse`.
pub fn run_file(
    file: &ScriptFile,
    features: &Features,
    entries: &[&Expectation],
    new_host: NewHost<'_>,
) -> FileRun {
    let start = Instant::now();
    let mut outcomes = Vec::new();
    let ended = catch_unwind(AssertUnwindSafe(|| match file.fixture() {
        Some(path) => run_fixture(path, features, entries, new_host, &mut outcomes),
        None => run_wast(file, features, entries, new_host, &mut outcomes),
    }));
    let broken = match ended {
        Ok(Ok(())) => None,
        Ok(Err(broken)) => Some(broken),
        Err(panic) => {
            let running = outcomes.pop_if(|outcome| outcome.verdict == Verdict::Running);
            let line = running.as_ref().map_or(1, |outcome| outcome.line);
            let expected = match running {
                Some(outcome) => format!("`{}` not to panic", outcome.directive),
                None => "not to panic".to_owned(),
            };
            let got = format!("panicked: {}", panic_message(panic.as_ref()));
            Some(failed(line, FILE, Mismatch::new(expected, got)))
        }
    };
    let complete = broken.is_none();
    outcomes.extend(broken);
    FileRun {
        outcomes,
        complete,
        seconds: start.elapsed().as_secs_f64(),
    }
}

fn run_wast(
    file: &ScriptFile,
    features: &Features,
    entries: &[&Expectation],
    new_host: NewHost<'_>,
    outcomes: &mut Vec<Outcome>,
) -> Result<(), Outcome> {
    let text = file
        .read()
        .map_err(|error| broken_file(error.to_string()))?;
    let mut run = |script: &Script<'_>| {
        let mut host = new(features, new_host)?;
        let skip = |line| expectations::skips(entries, line);
        let spectest = spectest::modules(features);
        run_script(host.as_mut(), script, &spectest, &skip, outcomes);
        Ok(())
    };
    let parsed = match file.json_folder() {
        Some(folder) => wast_json::parse(&text, folder).map(|script| run(&script)),
        None => script::parse(&text, run),
    };
    parsed.unwrap_or_else(|error| {
        let mismatch = Mismatch::new("a script", error.message);
        Err(failed(error.line, "parse", mismatch))
    })
}

/// A fixture is two directives, `compile` and `instantiate`, both on its first line.
fn run_fixture(
    path: &Path,
    features: &Features,
    entries: &[&Expectation],
    new_host: NewHost<'_>,
    outcomes: &mut Vec<Outcome>,
) -> Result<(), Outcome> {
    let fixtures =
        fixture::with_dependencies(path).map_err(|error| broken_file(format!("{error:#}")))?;
    let Some((this, dependencies)) = fixtures.split_last() else {
        return Err(broken_file("no fixture".to_owned()));
    };
    if this.purpose().is_none() {
        let expected = "a comment on the first line that says what the fixture is for";
        let mismatch = Mismatch::new(expected, this.text.lines().next().unwrap_or_default());
        outcomes.push(failed(1, "comment", mismatch));
    }
    if expectations::skips(entries, 1) {
        outcomes.extend(["compile", "instantiate"].map(|directive| Outcome {
            line: 1,
            directive,
            verdict: Verdict::Skipped,
        }));
        return Ok(());
    }
    let mut host = new(features, new_host)?;
    for dependency in dependencies {
        host::provide(host.as_mut(), &dependency.name, &[&dependency.text])
            .map_err(|failure| broken_file(format!("it needs {}: {failure}", dependency.name)))?;
    }
    let mut step = |directive, result: Result<_, Failure>| {
        let (verdict, result) = match result {
            Ok(id) => (Verdict::Passed, Some(id)),
            Err(failure) => {
                let mismatch = Mismatch::new(format!("to {directive}"), failure.to_string());
                (Verdict::Failed(mismatch), None)
            }
        };
        outcomes.push(Outcome {
            line: 1,
            directive,
            verdict,
        });
        result
    };
    let module = host.compile(Source::Text(this.text.as_bytes()));
    let instance = match &module {
        Ok(module) => host.instantiate(*module).map(|_| ()),
        Err(_) => Err(Failure::other("it did not compile")),
    };
    step("compile", module.map(|_| ()));
    step("instantiate", instance);
    Ok(())
}

/// A host with `spectest` in it.
fn new(features: &Features, new_host: NewHost<'_>) -> Result<Box<dyn Host>, Outcome> {
    let mut host = new_host(features).map_err(|error| broken_file(format!("{error:#}")))?;
    host::provide(host.as_mut(), spectest::NAME, &spectest::modules(features))
        .map_err(|failure| broken_file(format!("no `spectest` module: {failure}")))?;
    Ok(host)
}

fn broken_file(message: String) -> Outcome {
    failed(1, FILE, Mismatch::new("a file that can be run", message))
}

fn failed(line: u32, directive: &'static str, mismatch: Mismatch) -> Outcome {
    Outcome {
        line,
        directive,
        verdict: Verdict::Failed(mismatch),
    }
}

/// The message of a panic.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    if let Some(message) = panic.downcast_ref::<&str>() {
        (*message).to_owned()
    } else if let Some(message) = panic.downcast_ref::<String>() {
        message.clone()
    } else {
        "no message".to_owned()
    }
}
