//! Processes that run programs.

use std::process::Command;
use std::time::Duration;

use super::{Finding, Program, Runner, Tally};
use crate::process::{self, Lost, Process};
use crate::run::with_deep_stack;

/// Runs the programs that are asked for on standard input, until that ends.
///
/// # Errors
///
/// When a request is not understood, or JavaScript does not start.
pub fn serve() -> anyhow::Result<()> {
    with_deep_stack(|| {
        let mut runner = Runner::new()?;
        process::serve(|program: Program| runner.run(&program))
    })?
}

/// A process that runs programs.
pub struct Worker<'a>(Process<'a>);

impl<'a> Worker<'a> {
    /// A worker that `command` starts, and that has that long for each program.
    pub fn new(command: &'a (dyn Fn() -> Command + Sync), timeout: Duration) -> Self {
        Self(Process::new(command, timeout))
    }

    /// Runs a program. To lose the worker over it is a finding.
    ///
    /// # Errors
    ///
    /// When no process can be started.
    pub fn run(&mut self, program: &Program) -> anyhow::Result<Result<Tally, Finding>> {
        Ok(self.0.ask(program)?.unwrap_or_else(|lost| {
            let text = lost.to_string();
            Err(match lost {
                Lost::Hung(_) => Finding::Hung(text),
                Lost::Ended(_) | Lost::Unreadable(_) => Finding::Lost(text),
            })
        }))
    }
}
