//! Processes that run cases.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::script::Scripts;
use super::{Case, Finding, Tally, compare};
use crate::fuzz::campaign::StartWorker;
use crate::process::{self, Process};
use crate::run::{panic_message, with_deep_stack};

/// Runs the cases of the seeds that arrive on standard input, until the input ends.
///
/// # Errors
///
/// If a request cannot be read, or JavaScript does not start.
pub fn serve() -> anyhow::Result<()> {
    with_deep_stack(|| {
        let mut scripts = Scripts::default();
        process::serve(|seed: u64| Ok(run(seed, &mut scripts)))
    })?
}

fn run(seed: u64, scripts: &mut Scripts) -> Result<Tally, Finding> {
    let Some(case) = Case::of_seed(seed) else {
        return Ok(Tally::default());
    };
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let tally = compare(&case)?;
        scripts.run(&case)?;
        anyhow::Ok(tally)
    }));
    match ran {
        Ok(Ok(tally)) => Ok(tally),
        Ok(Err(error)) => Err(Finding(format!("{error:#}"))),
        Err(panic) => Err(Finding(format!("a panic: {}", panic_message(&*panic)))),
    }
}

/// A process that runs cases.
pub struct Worker<'a>(Process<'a>);

impl<'a> Worker<'a> {
    /// A worker with a timeout for each case.
    pub(super) fn new(start: StartWorker<'a>, timeout: Duration) -> Self {
        Self(Process::new(start, timeout))
    }

    pub(super) fn run(&mut self, seed: u64) -> anyhow::Result<Result<Tally, Finding>> {
        let ran = self.0.ask(&seed)?;
        Ok(ran.unwrap_or_else(|lost| Err(Finding(lost.to_string()))))
    }
}
