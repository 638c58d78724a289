//! The standard streams.

use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::PoisonError;

use tokio::io::{AsyncRead, AsyncWrite};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdinStream, StdoutStream};
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi_io::bytes::Bytes;

use super::async_stdio::{AsyncCaptured, AsyncInput, AsyncOutput};
use crate::runtime::wasi::captured::Captured;
use crate::runtime::wasi::readiness::{self, Direction};
use crate::runtime::wasi::size_limit;
use crate::runtime::wasi::streams::{READING, WRITING};

/// The maximum number of bytes that are read at once.
pub(super) const MAX_READ: usize = 64 << 10;

/// The maximum number of bytes that are written to a stream of the process at once: the size that a ready pipe accepts
/// without blocking (`PIPE_BUF`).
pub(super) const MAX_WRITE: usize = 4096;

/// The maximum number of bytes that are captured at once.
const MAX_CAPTURE: usize = 1 << 20;

/// The maximum number of bytes that wait until a stream of the process accepts them. A guest may have many streams.
const MAX_WAITING: usize = 16 << 10;

fn failed(error: impl Into<io::Error>) -> StreamError {
    StreamError::LastOperationFailed(error.into().into())
}

/// The standard input of the process. A guest reads only the bytes that it asks for, since the bytes after them may be
/// for other readers.
#[derive(Clone, Copy)]
pub(super) struct ProcessInput;

impl IsTerminal for ProcessInput {
    fn is_terminal(&self) -> bool {
        io::stdin().is_terminal()
    }
}

impl StdinStream for ProcessInput {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(AsyncInput::default())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(*self)
    }
}

#[async_trait]
impl Pollable for ProcessInput {
    async fn ready(&mut self) {
        // An error is found by the operation that follows.
        _ = readiness::until_ready(io::stdin().as_fd(), Direction::Read).await;
    }
}

impl InputStream for ProcessInput {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        let stdin = io::stdin();
        let mut buffer = vec![0; size.min(MAX_READ)];
        let _lock = READING.lock().unwrap_or_else(PoisonError::into_inner);
        if !readiness::now(stdin.as_fd(), Direction::Read)
            .map_err(failed)?
            .ready
        {
            return Ok(Bytes::new());
        }
        match rustix::io::read(&stdin, &mut *buffer) {
            Ok(0) => Err(StreamError::Closed),
            Ok(read) => {
                buffer.truncate(read);
                Ok(buffer.into())
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(Bytes::new()),
            Err(error) => Err(failed(error)),
        }
    }
}

/// Output of a guest that is captured for the app.
#[derive(Clone)]
pub(super) struct CapturedOutput(pub(super) Captured);

impl IsTerminal for CapturedOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for CapturedOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(AsyncCaptured(self.0.clone()))
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for CapturedOutput {
    async fn ready(&mut self) {}
}

impl OutputStream for CapturedOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let written = self.0.write(&bytes);
        written.map_err(|full| StreamError::Trap(full.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_CAPTURE)
    }
}

/// A standard output stream of the process.
#[derive(Clone, Copy)]
pub(super) enum ProcessOutput {
    Stdout,
    Stderr,
}

impl ProcessOutput {
    fn fd(self) -> BorrowedFd<'static> {
        match self {
            Self::Stdout => rustix::stdio::stdout(),
            Self::Stderr => rustix::stdio::stderr(),
        }
    }
}

impl IsTerminal for ProcessOutput {
    fn is_terminal(&self) -> bool {
        match self {
            Self::Stdout => io::stdout().is_terminal(),
            Self::Stderr => io::stderr().is_terminal(),
        }
    }
}

impl StdoutStream for ProcessOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(AsyncOutput::new(self.fd()))
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(ProcessStream {
            output: *self,
            waiting: Bytes::new(),
        })
    }
}

/// A stream of a guest to an output of the process.
struct ProcessStream {
    output: ProcessOutput,
    /// Bytes that the guest has written, and the process has not.
    waiting: Bytes,
}

impl ProcessStream {
    /// Writes what the process accepts now.
    fn write_waiting(&mut self) -> StreamResult<()> {
        let fd = self.output.fd();
        let _lock = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.waiting.is_empty()
            && readiness::now(fd, Direction::Write).map_err(failed)?.ready
        {
            if let ProcessOutput::Stdout = self.output {
                // Output of the process in the standard library's buffer comes first.
                let flushed = io::stdout().flush();
                flushed.map_err(failed)?;
            }
            let part = self.waiting.len().min(MAX_WRITE);
            let written =
                size_limit::write_within(fd, None, || rustix::io::write(fd, &self.waiting[..part]));
            match written {
                Ok(written) => _ = self.waiting.split_to(written),
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => break,
                Err(error) => {
                    // They cannot be written any more.
                    self.waiting.clear();
                    return Err(match error {
                        rustix::io::Errno::PIPE => StreamError::Closed,
                        error => failed(error),
                    });
                }
            }
        }
        Ok(())
    }

    /// Writes all bytes that wait, unless the output has an error.
    async fn write_all_waiting(&mut self) {
        while !self.waiting.is_empty() && self.write_waiting().is_ok() && !self.waiting.is_empty() {
            let ready = readiness::until_ready(self.output.fd(), Direction::Write);
            if ready.await.is_err() {
                return;
            }
        }
    }
}

#[async_trait]
impl Pollable for ProcessStream {
    async fn ready(&mut self) {
        self.write_all_waiting().await;
        // An error is found by the operation that follows.
        _ = readiness::until_ready(self.output.fd(), Direction::Write).await;
    }
}

#[async_trait]
impl OutputStream for ProcessStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > self.check_write()? {
            return Err(StreamError::trap(
                "the guest wrote more than check-write allows",
            ));
        }
        self.waiting = bytes;
        self.write_waiting()
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.write_waiting()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.write_waiting()?;
        match self.waiting.is_empty() {
            true => Ok(MAX_WAITING),
            false => Ok(0),
        }
    }

    /// Writes what waits before the stream is dropped.
    async fn cancel(&mut self) {
        self.write_all_waiting().await;
    }
}
