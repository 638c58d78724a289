//! Does the operations of a specification with a program in a process of its own.

use std::collections::HashMap;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{env, fs, io, process, thread};

use anyhow::Context as _;

use super::folder::{Program, Version};
use super::guest::{Guest, REFUSED};
use super::specification::{Operation, Run};
use crate::lane::Lane;
use crate::outcome::Mismatch;

/// How many bytes are kept of each output.
const MAX_OUTPUT: usize = 4 << 20;

/// How many characters of an output are shown.
const MAX_SHOWN: usize = 400;

/// How a program ended that did not fail.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// As its specification says.
    Passed,
    /// It did not start, for this reason.
    Refused(String),
}

/// Runs a program in a process that `start` starts, which has this time.
///
/// # Errors
///
/// When the process cannot be started, or the folder of the program cannot be copied.
pub(super) fn run(
    program: &Program,
    lane: Lane,
    call: &str,
    timeout: Duration,
    start: &dyn Fn() -> Command,
) -> anyhow::Result<Result<Ended, Mismatch>> {
    let specification = match &program.specification {
        Ok(specification) => specification,
        Err(error) => {
            let wanted = "a specification of known operations";
            return Ok(Err(Mismatch::new(wanted, error)));
        }
    };
    if let Some(operation) = specification.unsupported() {
        let got = format!("`{operation}`, which this harness does not do");
        return Ok(Err(Mismatch::new("known operations", got)));
    }
    let deadline = Instant::now() + timeout;
    let mut test = Test {
        running: None,
        connections: HashMap::new(),
        deadline,
        timeout,
    };
    for operation in &specification.operations {
        if let Operation::Run(run) = operation {
            let mut running = Running::start(program, run, lane, call, start)?;
            if !specification.has_input() {
                running.stdin = None;
            }
            test.running = Some(running);
            continue;
        }
        match test.perform(operation) {
            Ok(()) => {}
            Err(mismatch) => return Ok(test.failed(mismatch)),
        }
    }
    Ok(Ok(Ended::Passed))
}

struct Test {
    running: Option<Running>,
    connections: HashMap<String, TcpStream>,
    deadline: Instant,
    timeout: Duration,
}

impl Test {
    fn perform(&mut self, operation: &Operation) -> Result<(), Mismatch> {
        let late = Mismatch::new(
            format!("`{operation:?}` within {} s", self.timeout.as_secs_f64()),
            "it ran on until its process was killed",
        );
        let Some(running) = &mut self.running else {
            return Err(Mismatch::new("a program that runs", "none"));
        };
        let failed =
            |wanted: String| move |error: io::Error| Mismatch::new(wanted, error.to_string());
        match operation {
            Operation::Run(_) | Operation::Request(_) | Operation::Kill { .. } => {
                Err(Mismatch::new(
                    "an operation that this harness does",
                    format!("{operation:?}"),
                ))
            }
            Operation::Wait { exit_code } => {
                let status = running.wait(self.deadline).ok_or(late)?;
                match status == *exit_code {
                    true => Ok(()),
                    false => Err(Mismatch::new(
                        format!("status {exit_code}"),
                        format!("status {status}"),
                    )),
                }
            }
            Operation::Read {
                id,
                payload,
                is_all,
            } => {
                let output = match id.as_str() {
                    "stdout" => &running.stdout,
                    _ => &running.stderr,
                };
                let length = payload.len() + usize::from(*is_all);
                let read = output.take(length, self.deadline).ok_or(late)?;
                match read == payload.as_bytes() {
                    true => Ok(()),
                    false => Err(Mismatch::new(
                        format!("{payload:?} at {id}"),
                        format!("{:?}", String::from_utf8_lossy(&read)),
                    )),
                }
            }
            Operation::Write { payload, .. } => match &mut running.stdin {
                Some(stdin) => stdin
                    .write_all(payload.as_bytes())
                    .map_err(failed("to write to stdin".to_owned())),
                None => Err(Mismatch::new("an open stdin", "a closed one")),
            },
            Operation::Connect { id, .. } => {
                let line = running.stdout.take_line(self.deadline).ok_or(late)?;
                let address = String::from_utf8_lossy(&line).trim().to_owned();
                let wanted = format!("to connect to {address:?}, which it has written");
                let connection = TcpStream::connect(&address).map_err(failed(wanted))?;
                self.connections.insert(id.clone(), connection);
                Ok(())
            }
            Operation::Send { id, payload } => {
                let connection = self.connections.get_mut(id);
                let connection = connection.ok_or_else(|| Mismatch::new("a connection", "none"))?;
                connection
                    .write_all(payload.as_bytes())
                    .map_err(failed(format!("to send {payload:?}")))
            }
            Operation::Recv { id, payload } => {
                let connection = self.connections.get_mut(id);
                let connection = connection.ok_or_else(|| Mismatch::new("a connection", "none"))?;
                let left = self.deadline.saturating_duration_since(Instant::now());
                let left = left.max(Duration::from_millis(1));
                let wanted = format!("to receive {payload:?}");
                let mut received = vec![0; payload.len()];
                connection
                    .set_read_timeout(Some(left))
                    .and_then(|()| connection.read_exact(&mut received))
                    .map_err(failed(wanted.clone()))?;
                match received == payload.as_bytes() {
                    true => Ok(()),
                    false => Err(Mismatch::new(
                        wanted,
                        format!("{:?}", String::from_utf8_lossy(&received)),
                    )),
                }
            }
        }
    }

    /// The result of a test that an operation ended.
    fn failed(self, mut mismatch: Mismatch) -> Result<Ended, Mismatch> {
        // The connections first: the program may wait for them.
        drop(self.connections);
        if let Some(mut running) = self.running {
            // What the program says of itself comes with its end.
            let status = running.wait(self.deadline);
            running.end();
            let errors = running.stderr.rest();
            if status == Some(REFUSED) {
                return Ok(Ended::Refused(errors.trim().to_owned()));
            }
            if !errors.is_empty() {
                mismatch.got += &format!("; standard error: {}", shown(&errors));
            }
        }
        Err(mismatch)
    }
}

/// The end of a text that may be long.
fn shown(text: &str) -> String {
    let text = text.trim();
    let skipped = text.chars().count().saturating_sub(MAX_SHOWN);
    text.chars().skip(skipped).collect()
}

/// A program in a process. Its process ends, and its copy of a folder is removed, when it is dropped.
struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Arc<Output>,
    stderr: Arc<Output>,
    status: Option<i32>,
    _root: Option<Scratch>,
}

impl Running {
    fn start(
        program: &Program,
        run: &Run,
        lane: Lane,
        call: &str,
        start: &dyn Fn() -> Command,
    ) -> anyhow::Result<Self> {
        let root = run.root.as_ref();
        let root = root.map(|root| Scratch::copy_of(&program.path.with_file_name(root)));
        let root = root.transpose()?;
        let guest = Guest {
            path: program.path.clone(),
            lane,
            call: call.to_owned(),
            is_adapted: program.is_adapted,
            is_of_03: program.version == Version::Preview3,
            // Some of the programs for sockets do not say that they need them.
            has_network: program.version == Version::Preview3,
            args: run.args.clone(),
            env: run.env.clone(),
            root: root.as_ref().map(|root| root.0.clone()),
        };
        let mut child = start()
            .arg(serde_json::to_string(&guest)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start a process")?;
        let stdout = Output::of(child.stdout.take());
        let stderr = Output::of(child.stderr.take());
        Ok(Self {
            stdin: child.stdin.take(),
            child,
            stdout,
            stderr,
            status: None,
            _root: root,
        })
    }

    /// Waits for its end, and returns its status; `None` at the deadline.
    fn wait(&mut self, deadline: Instant) -> Option<i32> {
        if self.status.is_none() {
            // A program may read to the end of its input.
            self.stdin = None;
            // The outputs end with the process.
            if !self.stdout.wait_for_end(deadline) || !self.stderr.wait_for_end(deadline) {
                return None;
            }
            let status = self.child.wait().ok()?;
            // A process that a signal ended has no status.
            self.status = Some(status.code().unwrap_or(-1));
        }
        self.status
    }

    fn end(&mut self) {
        // It fails when the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a process has written to an output, which a thread reads.
#[derive(Default)]
struct Output {
    written: Mutex<Written>,
    changed: Condvar,
}

#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    has_ended: bool,
}

impl Output {
    fn of(from: Option<impl Read + Send + 'static>) -> Arc<Self> {
        let output = Arc::new(Self::default());
        let shared = output.clone();
        thread::spawn(move || {
            let mut from = from.map(BufReader::new);
            let mut chunk = [0; 1 << 10];
            while let Some(Ok(length @ 1..)) = from.as_mut().map(|from| from.read(&mut chunk)) {
                let mut written = shared.written();
                let room = MAX_OUTPUT.saturating_sub(written.bytes.len());
                written.bytes.extend_from_slice(&chunk[..length.min(room)]);
                shared.changed.notify_all();
            }
            shared.written().has_ended = true;
            shared.changed.notify_all();
        });
        output
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `take` returns a value; `None` at the deadline.
    fn until<R>(
        &self,
        deadline: Instant,
        mut take: impl FnMut(&mut Written) -> Option<R>,
    ) -> Option<R> {
        let mut written = self.written();
        loop {
            if let Some(taken) = take(&mut written) {
                return Some(taken);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            let waited = self.changed.wait_timeout(written, left);
            written = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes this number of bytes, or fewer at the end.
    fn take(&self, length: usize, deadline: Instant) -> Option<Vec<u8>> {
        self.until(deadline, |written| {
            let is_there = written.has_ended || written.bytes.len() >= length;
            let length = length.min(written.bytes.len());
            is_there.then(|| written.bytes.drain(..length).collect())
        })
    }

    /// Takes a line, or all at the end.
    fn take_line(&self, deadline: Instant) -> Option<Vec<u8>> {
        self.until(deadline, |written| {
            let end = written.bytes.iter().position(|byte| *byte == b'\n');
            let length = match end {
                Some(end) => end + 1,
                None if written.has_ended => written.bytes.len(),
                None => return None,
            };
            Some(written.bytes.drain(..length).collect())
        })
    }

    fn wait_for_end(&self, deadline: Instant) -> bool {
        let ended = self.until(deadline, |written| written.has_ended.then_some(()));
        ended.is_some()
    }

    fn rest(&self) -> String {
        String::from_utf8_lossy(&self.written().bytes).into_owned()
    }
}

/// A copy of a folder, which is removed when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn copy_of(folder: &Path) -> anyhow::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("conformance-wasi-{}-{number}", process::id());
        let this = Self(env::temp_dir().join(name));
        copy(folder, &this.0).with_context(|| format!("cannot copy `{}`", folder.display()))?;
        Ok(this)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It may be left where the system does not let it go.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Copies a folder without what earlier runs have left in it, whose names end in `.cleanup`.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let to = to.join(path.file_name().unwrap_or_default());
        if path.extension().is_some_and(|ending| ending == "cleanup") {
            continue;
        }
        match path.is_dir() {
            true => copy(&path, &to)?,
            false => _ = fs::copy(&path, &to)?,
        }
    }
    Ok(())
}
