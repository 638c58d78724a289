//! Processes that run files, so that a crash or a hang costs no more than its file.
//!
//! A worker reads requests from its standard input and writes answers to its standard output, one JSON object a line.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::judge::{Finding, Judged, judge};
use crate::lane::{Hosts, Lane};
use crate::run::{run_file, with_deep_stack};
use crate::suite::{self, ScriptFile};

/// The argument that makes a worker of the command.
pub const ARGUMENT: &str = "--worker";

/// How much is kept of what a worker writes to its standard error, in bytes.
const LAST_WORDS: usize = 1 << 10;

/// A file to run in a lane.
#[derive(Clone, Debug)]
pub struct Job {
    pub file: ScriptFile,
    pub lane: Lane,
}

#[derive(Serialize, Deserialize)]
struct Request {
    suite: String,
    name: String,
    /// `None` for a file that is part of the program.
    path: Option<PathBuf>,
    lane: Lane,
}

/// Runs what is asked for on standard input until that ends.
///
/// # Errors
///
/// When a request is not understood or cannot be answered.
pub fn serve() -> anyhow::Result<()> {
    with_deep_stack(|| answer_all(&Config::load()?))?
}

fn answer_all(config: &Config) -> anyhow::Result<()> {
    let hosts = Hosts::default();
    for line in io::stdin().lines() {
        let request: Request = serde_json::from_str(&line?).context("no request")?;
        let file = match request.path {
            Some(path) => ScriptFile::at(request.suite, request.name, path),
            None => suite::embedded_file(&request.suite, &request.name)?,
        };
        let job = Job {
            file,
            lane: request.lane,
        };
        let mut answer = serde_json::to_string(&job.run(config, &hosts))?;
        answer.push('\n');
        io::stdout().write_all(answer.as_bytes())?;
    }
    Ok(())
}

impl Job {
    /// Runs the file on this thread.
    pub fn run(&self, config: &Config, hosts: &Hosts) -> Judged {
        let Self { file, lane } = self;
        let entries = config.expectations.of(&file.suite, &file.name, *lane);
        let features = config.suites.features(file);
        let new_host = |features: &_| hosts.host(*lane, features);
        judge(run_file(file, &features, &entries, &new_host), &entries)
    }
}

/// A worker's process.
pub struct Worker {
    process: Child,
    /// `None` once it is told to end.
    requests: Option<ChildStdin>,
    answers: mpsc::Receiver<String>,
    last_words: Option<thread::JoinHandle<String>>,
}

/// Why a worker did not answer.
enum Lost {
    Hung,
    Ended,
    Unreadable(String),
}

impl Worker {
    /// Starts a worker, which `command` says how to.
    ///
    /// # Errors
    ///
    /// When the process cannot be started.
    pub fn start(mut command: Command) -> io::Result<Self> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let requests = process.stdin.take();
        let (sender, answers) = mpsc::channel();
        if let Some(output) = process.stdout.take() {
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        let errors = process.stderr.take();
        let last_words = errors.map(|errors| thread::spawn(move || tail(errors)));
        Ok(Self {
            process,
            requests,
            answers,
            last_words,
        })
    }

    /// Has a job run. A worker that does not answer within `timeout` is of no more use, and its file has failed.
    ///
    /// # Errors
    ///
    /// The result of the file, when this worker is to be replaced.
    pub fn run(&mut self, job: &Job, timeout: Duration) -> Result<Judged, Judged> {
        let lost = match self.ask(job, timeout) {
            Ok(judged) => return Ok(judged),
            Err(lost) => lost,
        };
        let (expected, got) = match lost {
            Lost::Hung => {
                self.end();
                (
                    format!("to end within {} s", timeout.as_secs_f64()),
                    "it ran on until its process was killed".to_owned(),
                )
            }
            Lost::Ended => {
                let status = self.end();
                (
                    "not to end the process that runs it".to_owned(),
                    self.obituary(status),
                )
            }
            Lost::Unreadable(answer) => {
                self.end();
                ("an answer".to_owned(), format!("not understood: {answer}"))
            }
        };
        Err(Judged::from(Finding::of_file(expected, got)))
    }

    fn ask(&mut self, job: &Job, timeout: Duration) -> Result<Judged, Lost> {
        let request = Request {
            suite: job.file.suite.clone(),
            name: job.file.name.clone(),
            path: job.file.path().map(PathBuf::from),
            lane: job.lane,
        };
        let mut line =
            serde_json::to_string(&request).map_err(|error| Lost::Unreadable(error.to_string()))?;
        line.push('\n');
        let requests = self.requests.as_mut().ok_or(Lost::Ended)?;
        requests
            .write_all(line.as_bytes())
            .map_err(|_| Lost::Ended)?;
        let answer = self
            .answers
            .recv_timeout(timeout)
            .map_err(|error| match error {
                RecvTimeoutError::Timeout => Lost::Hung,
                RecvTimeoutError::Disconnected => Lost::Ended,
            })?;
        serde_json::from_str(&answer).map_err(|_| Lost::Unreadable(answer))
    }

    /// Ends the process if it has not ended, and says how it did.
    fn end(&mut self) -> Option<ExitStatus> {
        self.requests = None;
        // It fails when the process is gone already.
        let _ = self.process.kill();
        self.process.wait().ok()
    }

    fn obituary(&mut self, status: Option<ExitStatus>) -> String {
        let status = status.map_or("unknown status".to_owned(), |status| status.to_string());
        let words = self.last_words.take().and_then(|words| words.join().ok());
        match words.as_deref().map(str::trim) {
            None | Some("") => status,
            Some(words) => format!("{status}: {words}"),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

/// The end of what there is to read.
fn tail(mut from: impl Read) -> String {
    let mut tail = Vec::new();
    let mut chunk = [0; 1 << 10];
    while let Ok(length @ 1..) = from.read(&mut chunk) {
        tail.extend_from_slice(&chunk[..length]);
        tail.drain(..tail.len().saturating_sub(LAST_WORDS));
    }
    String::from_utf8_lossy(&tail).into_owned()
}
