//! Processes that run programs.

use std::time::Duration;

use super::{Finding, Program, Runner, Tally};
use crate::fuzz::campaign::StartWorker;
use crate::process::{self, Process, ProcessError};

/// Runs the programs that arrive on standard input, until the input ends.
///
/// # Errors
///
/// If a request cannot be read, or JavaScript does not start.
pub fn serve() -> anyhow::Result<()> {
    let mut runner = Runner::new();
    process::serve(|program: Program| runner.run(&program))
}

/// The most programs that one process runs: deno_core's QuickJS backend keeps about a megabyte of each runtime.
const MAX_PROGRAMS: u32 = 1_000;

/// A process that runs programs.
pub struct Worker<'a> {
    process: Process<'a>,
    /// The number of programs that the process has run.
    programs: u32,
}

impl<'a> Worker<'a> {
    /// A worker with a timeout for each program.
    pub fn new(start: StartWorker<'a>, timeout: Duration) -> Self {
        Self {
            process: Process::new(start, timeout),
            programs: 0,
        }
    }

    /// Runs a program. A lost worker is a finding.
    ///
    /// # Errors
    ///
    /// If no process can be started.
    pub fn run(&mut self, program: &Program) -> anyhow::Result<Result<Tally, Finding>> {
        if self.programs == MAX_PROGRAMS {
            self.process.end();
            self.programs = 0;
        }
        self.programs += 1;
        Ok(self.process.ask(program)?.unwrap_or_else(|lost| {
            let text = lost.to_string();
            Err(match lost {
                ProcessError::Hung(_) => Finding::Hung(text),
                ProcessError::Ended(_) | ProcessError::Unreadable(_) => Finding::Lost(text),
            })
        }))
    }
}
