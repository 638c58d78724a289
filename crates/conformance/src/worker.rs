//! Processes that run files, so that a crash or a hang costs no more than its file.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::expectations::Expectations;
use crate::features::Features;
use crate::judge::{Finding, Judged, judge};
use crate::lane::{Hosts, Lane};
use crate::process::{self, Process};
use crate::run::{run_file, with_deep_stack};
use crate::suite::{self, ScriptFile};

/// The argument that makes a worker of the command.
pub const ARGUMENT: &str = "--worker";

/// A file to run in a lane.
#[derive(Clone, Debug)]
pub struct Job {
    pub file: ScriptFile,
    pub lane: Lane,
    /// The features that are on.
    pub features: Features,
}

#[derive(Serialize, Deserialize)]
struct Request {
    suite: String,
    name: String,
    /// `None` for a file that is part of the program.
    path: Option<PathBuf>,
    lane: Lane,
    features: Features,
}

/// Runs the files that are asked for on standard input, until that ends.
///
/// # Errors
///
/// When a request is not understood or cannot be answered.
pub fn serve() -> anyhow::Result<()> {
    with_deep_stack(|| {
        let expectations = Config::load()?.expectations;
        let hosts = Hosts::default();
        process::serve(|request: Request| {
            let file = match request.path {
                Some(path) => ScriptFile::at(request.suite, request.name, path),
                None => suite::embedded_file(&request.suite, &request.name)?,
            };
            let job = Job {
                file,
                lane: request.lane,
                features: request.features,
            };
            Ok(job.run(&expectations, &hosts))
        })
    })?
}

impl Job {
    /// Runs the file on this thread.
    pub fn run(&self, expectations: &Expectations, hosts: &Hosts) -> Judged {
        let Self {
            file,
            lane,
            features,
        } = self;
        let entries = expectations.of(&file.suite, &file.name, *lane);
        let new_host = |features: &_| hosts.host(*lane, features);
        judge(run_file(file, features, &entries, &new_host), &entries)
    }
}

/// A process that runs files.
pub struct Worker<'a>(Process<'a>);

impl<'a> Worker<'a> {
    /// A worker that is started with `command`, and may take `timeout` for each file.
    pub fn new(command: &'a (dyn Fn() -> Command + Sync), timeout: Duration) -> Self {
        Self(Process::new(command, timeout))
    }

    /// Has a job run. If the worker crashes or hangs, the file has failed.
    ///
    /// # Errors
    ///
    /// When no process can be started.
    pub fn run(&mut self, job: &Job) -> anyhow::Result<Judged> {
        let answer = self.0.ask(&Request {
            suite: job.file.suite.clone(),
            name: job.file.name.clone(),
            path: job.file.path().map(PathBuf::from),
            lane: job.lane,
            features: job.features.clone(),
        })?;
        Ok(answer.unwrap_or_else(|lost| {
            Judged::from(Finding::of_file(lost.expected(), lost.to_string()))
        }))
    }
}
