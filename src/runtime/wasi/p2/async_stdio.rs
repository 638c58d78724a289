//! The standard streams of WASI 0.3, which are polled.

use std::io::{self, Write as _};
use std::os::fd::BorrowedFd;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::runtime::wasi::captured::Captured;
use crate::runtime::wasi::readiness::{self, Direction};
use crate::runtime::wasi::size_limit;
use crate::runtime::wasi::streams::{READING, WRITING};

use super::stdio::{MAX_READ, MAX_WRITE};

type Waiting = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// A wait until a descriptor of the process is ready.
///
/// The mutex is never locked: it makes the streams `Sync`, as wasmtime-wasi wants them.
#[derive(Default)]
struct Wait(Mutex<Option<Waiting>>);

impl Wait {
    /// Calls `attempt` whenever the descriptor is ready, until it does not return `None`.
    fn poll<R>(
        &mut self,
        context: &mut Context<'_>,
        fd: BorrowedFd<'static>,
        direction: Direction,
        mut attempt: impl FnMut() -> io::Result<Option<R>>,
    ) -> Poll<io::Result<R>> {
        let waiting = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(wait) = waiting {
                let ended = ready!(wait.as_mut().poll(context));
                *waiting = None;
                ended?;
            }
            if let Some(done) = attempt()? {
                return Poll::Ready(Ok(done));
            }
            *waiting = Some(Box::pin(readiness::until_ready(fd, direction)));
        }
    }
}

/// The standard input of the process.
#[derive(Default)]
pub(super) struct AsyncInput(Wait);

impl AsyncRead for AsyncInput {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let fd = rustix::stdio::stdin();
        let mut bytes = vec![0; buffer.remaining().min(MAX_READ)];
        let read = self.0.poll(context, fd, Direction::Read, || {
            let _lock = READING.lock().unwrap_or_else(PoisonError::into_inner);
            if !readiness::now(fd, Direction::Read)?.ready {
                return Ok(None);
            }
            retried(rustix::io::read(fd, &mut *bytes))
        });
        let read = ready!(read)?;
        buffer.put_slice(&bytes[..read]);
        Poll::Ready(Ok(()))
    }
}

/// A standard output stream of the process.
pub(super) struct AsyncOutput {
    fd: BorrowedFd<'static>,
    wait: Wait,
}

impl AsyncOutput {
    pub(super) fn new(fd: BorrowedFd<'static>) -> Self {
        let wait = Wait::default();
        Self { fd, wait }
    }
}

impl AsyncWrite for AsyncOutput {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let fd = self.fd;
        let part = &bytes[..bytes.len().min(MAX_WRITE)];
        self.wait.poll(context, fd, Direction::Write, || {
            let _lock = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
            if !readiness::now(fd, Direction::Write)?.ready {
                return Ok(None);
            }
            // Output of the process in the standard library's buffer comes first.
            io::stdout().flush()?;
            retried(size_limit::write_within(fd, None, || {
                rustix::io::write(fd, part)
            }))
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// `None` for an attempt that has to be made again.
fn retried(result: rustix::io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Output of a guest that is captured for the app. Beyond the cap, the guest gets an error.
pub(super) struct AsyncCaptured(pub(super) Captured);

impl AsyncWrite for AsyncCaptured {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.0.write(bytes);
        Poll::Ready(written.map(|()| bytes.len()).map_err(io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
