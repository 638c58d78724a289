//! A process that answers requests, one line each, so that a crash or a hang costs no more than the request.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::ops::ControlFlow;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How many bytes are kept of the end of a process's standard error.
const STDERR_TAIL: usize = 1 << 10;

/// A process that reads requests from its standard input and writes answers to its standard output, one JSON value a
/// line. It is started when it is first asked, and again after it was lost.
pub struct Process<'a> {
    command: &'a (dyn Fn() -> Command + Sync),
    timeout: Duration,
    running: Option<Running>,
}

struct Running {
    child: Child,
    /// Its standard input; `None` once it has been closed, which ends it.
    requests: Option<ChildStdin>,
    answers: mpsc::Receiver<String>,
    stderr_tail: Option<thread::JoinHandle<String>>,
}

/// Why a process did not answer. It does not run any more.
#[derive(Debug)]
pub enum ProcessError {
    /// It was killed after this long.
    Hung(Duration),
    /// It ended by itself: its exit status, and the end of its standard error.
    Ended(String),
    /// Its answer is not the expected JSON.
    Unreadable(String),
}

impl<'a> Process<'a> {
    /// A process that is started with `command`, and may take `timeout` for each request.
    pub fn new(command: &'a (dyn Fn() -> Command + Sync), timeout: Duration) -> Self {
        Self {
            command,
            timeout,
            running: None,
        }
    }

    /// Ends it. The next request starts it again.
    pub fn end(&mut self) {
        self.running = None;
    }

    /// Sends a request and waits for the answer, or for the reason why there is none.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn ask<A: DeserializeOwned>(
        &mut self,
        request: &impl Serialize,
    ) -> anyhow::Result<Result<A, ProcessError>> {
        let mut answer = None;
        let asked = self.ask_for_all(request, |only| {
            answer = Some(only);
            ControlFlow::Break(())
        })?;
        Ok(asked.and_then(|()| answer.ok_or_else(|| ProcessError::Ended(String::new()))))
    }

    /// Sends a request and takes answers until `take` breaks at the last one, or returns the reason why that does not
    /// come. All together have the time of a request.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn ask_for_all<A: DeserializeOwned>(
        &mut self,
        request: &impl Serialize,
        take: impl FnMut(A) -> ControlFlow<()>,
    ) -> anyhow::Result<Result<(), ProcessError>> {
        let request = serde_json::to_string(request)?;
        let running = match &mut self.running {
            Some(running) => running,
            None => {
                let started = Running::start((self.command)()).context("cannot start a worker")?;
                self.running.insert(started)
            }
        };
        let answered = running.ask(request, self.timeout, take);
        if answered.is_err() {
            self.running = None;
        }
        Ok(answered)
    }
}

impl Running {
    fn start(mut command: Command) -> io::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let requests = child.stdin.take();
        let (sender, answers) = mpsc::channel();
        if let Some(output) = child.stdout.take() {
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        let errors = child.stderr.take();
        let stderr_tail = errors.map(|errors| thread::spawn(move || tail(errors)));
        Ok(Self {
            child,
            requests,
            answers,
            stderr_tail,
        })
    }

    fn ask<A: DeserializeOwned>(
        &mut self,
        mut request: String,
        timeout: Duration,
        mut take: impl FnMut(A) -> ControlFlow<()>,
    ) -> Result<(), ProcessError> {
        request.push('\n');
        let sent = match &mut self.requests {
            Some(requests) => requests.write_all(request.as_bytes()).is_ok(),
            None => false,
        };
        if !sent {
            return Err(self.ended());
        }
        let start = Instant::now();
        loop {
            let left = timeout.saturating_sub(start.elapsed());
            let received = self.answers.recv_timeout(left);
            let answer = received.map_err(|error| match error {
                RecvTimeoutError::Timeout => ProcessError::Hung(timeout),
                RecvTimeoutError::Disconnected => self.ended(),
            })?;
            match serde_json::from_str(&answer).map(&mut take) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return Ok(()),
                Err(_) => return Err(ProcessError::Unreadable(answer)),
            }
        }
    }

    /// The error for a process that has ended by itself.
    fn ended(&mut self) -> ProcessError {
        let status = self.end();
        let status = status.map_or("unknown status".to_owned(), |status| status.to_string());
        let words = self.stderr_tail.take().and_then(|words| words.join().ok());
        ProcessError::Ended(match words.as_deref().map(str::trim) {
            None | Some("") => status,
            Some(words) => format!("{status}: {words}"),
        })
    }

    /// Ends the process if it has not ended, and returns its exit status.
    fn end(&mut self) -> Option<ExitStatus> {
        self.requests = None;
        // It fails when the process is gone already.
        let _ = self.child.kill();
        self.child.wait().ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Serves as such a process: answers each request on standard input, until that ends.
///
/// # Errors
///
/// When a request is not understood, or `answer` fails.
pub fn serve<R: DeserializeOwned, A: Serialize>(
    mut answer: impl FnMut(R) -> anyhow::Result<A>,
) -> anyhow::Result<()> {
    for line in io::stdin().lines() {
        let request = serde_json::from_str(&line?).context("no request")?;
        send(&answer(request)?)?;
    }
    Ok(())
}

/// Receives a request as such a process.
///
/// # Errors
///
/// When there is none, or it is not understood.
pub fn receive<R: DeserializeOwned>() -> anyhow::Result<R> {
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    serde_json::from_str(&line).context("no request")
}

/// Sends an answer as such a process.
///
/// # Errors
///
/// When standard output is closed.
pub fn send(answer: &impl Serialize) -> anyhow::Result<()> {
    let mut answer = serde_json::to_string(answer)?;
    answer.push('\n');
    io::stdout().write_all(answer.as_bytes())?;
    Ok(())
}

impl ProcessError {
    /// What was expected of the process instead.
    pub fn expected(&self) -> String {
        match self {
            ProcessError::Hung(timeout) => format!("to end within {} s", timeout.as_secs_f64()),
            ProcessError::Ended(_) => "not to end the process that runs it".to_owned(),
            ProcessError::Unreadable(_) => "an answer".to_owned(),
        }
    }
}

impl fmt::Display for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProcessError::Hung(_) => f.write_str("it ran on until its process was killed"),
            ProcessError::Ended(how) => f.write_str(how),
            ProcessError::Unreadable(answer) => write!(f, "not understood: {answer}"),
        }
    }
}

/// Reads to the end, and returns the last bytes.
fn tail(mut from: impl Read) -> String {
    let mut tail = Vec::new();
    let mut chunk = [0; 1 << 10];
    while let Ok(length @ 1..) = from.read(&mut chunk) {
        tail.extend_from_slice(&chunk[..length]);
        tail.drain(..tail.len().saturating_sub(STDERR_TAIL));
    }
    String::from_utf8_lossy(&tail).into_owned()
}
