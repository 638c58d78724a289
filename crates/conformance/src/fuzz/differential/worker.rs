//! Processes that run cases.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Case;
use super::compare::{Difference, Step, Tally, compare};
use crate::features::Features;
use crate::fuzz::features;
use crate::hosts::script::{Fence, ScriptHost, Sessions};
use crate::hosts::wasmi::WasmiHost;
use crate::process::{self, Process, ProcessError};
use crate::run::{panic_message, with_deep_stack};

/// The limits of a store of `host:wasm`. An intact module needs far less. A damaged module may request any amount.
const FENCE: Fence = Fence {
    fuel: 20_000_000,
    max_memory_bytes: 64 << 20,
};

/// A case for a worker. The module is only included if it is not the module of the seed.
#[derive(Serialize, Deserialize)]
struct Request {
    seed: u64,
    module: Option<(Vec<u8>, bool)>,
}

/// Runs cases on this thread: on the script lane and on wasmi.
pub struct Runner {
    features: Features,
    sessions: Sessions,
}

impl Default for Runner {
    fn default() -> Self {
        Self {
            features: features(),
            sessions: Sessions::default(),
        }
    }
}

impl Runner {
    /// Runs a case. A panic is a difference.
    ///
    /// # Errors
    ///
    /// If a host does not start.
    pub fn run(&self, case: &Case) -> anyhow::Result<Result<Tally, Difference>> {
        let ran = catch_unwind(AssertUnwindSafe(|| {
            let mut ours = ScriptHost::fenced(&self.features, &self.sessions, FENCE)?;
            let mut theirs = reference(&self.features)?;
            Ok(compare(case, &self.features, &mut ours, &mut theirs))
        }));
        ran.unwrap_or_else(|panic| {
            let got = format!("a panic: {}", panic_message(&*panic));
            Ok(Err(died(Step::Survive, got)))
        })
    }
}

/// The other engine, with the same fuel: a module that was made smaller may not terminate by itself.
///
/// # Errors
///
/// If it does not start.
pub fn reference(features: &Features) -> anyhow::Result<WasmiHost> {
    WasmiHost::with_fuel(features, FENCE.fuel.into())
}

fn died(step: Step, got: String) -> Difference {
    Difference {
        step,
        expected: "an answer".to_owned(),
        got,
    }
}

/// Runs the cases that arrive on standard input, until the input ends.
///
/// # Errors
///
/// If a request cannot be read, or a host does not start.
pub fn serve() -> anyhow::Result<()> {
    with_deep_stack(|| {
        let runner = Runner::default();
        process::serve(|Request { seed, module }| {
            runner.run(&match module {
                None => Case::of_seed(seed)?,
                Some((module, intact)) => Case {
                    seed,
                    module,
                    intact,
                },
            })
        })
    })?
}

/// A process that runs cases.
pub struct Worker<'a>(Process<'a>);

impl<'a> Worker<'a> {
    /// A worker that `command` starts, with a timeout for each case.
    pub fn new(command: &'a (dyn Fn() -> Command + Sync), timeout: Duration) -> Self {
        Self(Process::new(command, timeout))
    }

    /// Runs the case of a seed. A lost worker is a difference.
    ///
    /// # Errors
    ///
    /// If no process can be started.
    pub fn run_seed(&mut self, seed: u64) -> anyhow::Result<Result<Tally, Difference>> {
        self.ask(&Request { seed, module: None })
    }

    /// Runs a case whose module is not the module of its seed.
    ///
    /// # Errors
    ///
    /// If no process can be started.
    pub fn run(&mut self, case: &Case) -> anyhow::Result<Result<Tally, Difference>> {
        self.ask(&Request {
            seed: case.seed,
            module: Some((case.module.clone(), case.intact)),
        })
    }

    fn ask(&mut self, request: &Request) -> anyhow::Result<Result<Tally, Difference>> {
        Ok(self.0.ask(request)?.unwrap_or_else(|lost| {
            let step = match lost {
                ProcessError::Hung(_) => Step::End,
                ProcessError::Ended(_) | ProcessError::Unreadable(_) => Step::Survive,
            };
            Err(died(step, lost.to_string()))
        }))
    }
}
