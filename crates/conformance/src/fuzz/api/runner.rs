//! Runs programs on a thread of their own.

use std::sync::mpsc;
use std::thread;

use anyhow::Context as _;

use super::sandbox::Sandboxes;
use super::{Finding, Program, Tally};
use crate::run::STACK_SIZE;

/// The most runtimes that one thread has, one after another. The QuickJS backend of deno_core numbers the native
/// functions of all runtimes of a thread with 16 bits. A runtime has about four hundred, and each module that it
/// evaluates adds a few: a runtime that ran fifty programs had seven hundred.
const MAX_RUNTIMES: u32 = 50;

/// The outcome of a program, or an error if JavaScript does not start.
type Ran = anyhow::Result<Result<Tally, Finding>>;

/// Runs programs, one after another.
#[derive(Default)]
pub struct Runner {
    running: Option<Running>,
}

/// A thread that runs programs.
struct Running {
    programs: mpsc::SyncSender<Program>,
    /// Outcomes, and whether the thread takes no further program.
    results: mpsc::Receiver<(Ran, bool)>,
}

impl Runner {
    /// A runner without a thread.
    pub const fn new() -> Self {
        Self { running: None }
    }

    /// Runs a program. A panic is a finding.
    ///
    /// # Errors
    ///
    /// If JavaScript does not start.
    pub fn run(&mut self, program: &Program) -> Ran {
        let running = match self.running.take() {
            Some(running) => running,
            None => Running::start()?,
        };
        let ended = "the thread that runs programs has ended";
        running.programs.send(program.clone()).context(ended)?;
        let (ran, is_last) = running.results.recv().context(ended)?;
        if !is_last {
            self.running = Some(running);
        }
        ran
    }
}

impl Running {
    fn start() -> anyhow::Result<Self> {
        let (programs, asked) = mpsc::sync_channel::<Program>(0);
        let (sender, results) = mpsc::sync_channel(0);
        let run = move || {
            let mut sandboxes = Sandboxes::new();
            for program in asked {
                let ran = match &mut sandboxes {
                    Ok(sandboxes) => sandboxes.run(&program),
                    Err(error) => Err(anyhow::anyhow!("{error:#}")),
                };
                let is_last = sandboxes
                    .as_ref()
                    .map_or(true, |sandboxes| sandboxes.started >= MAX_RUNTIMES);
                if sender.send((ran, is_last)).is_err() || is_last {
                    return;
                }
            }
        };
        thread::Builder::new().stack_size(STACK_SIZE).spawn(run)?;
        Ok(Self { programs, results })
    }
}
