//! The standard streams.

use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use wasmtime_wasi::p1::types::{Errno, Fdflags, Filetype};

use super::captured::Captured;
use super::errno::{Failure, Result};
use super::memory::{Iov, Memory, total};
use super::readiness::{self, Direction, Readiness};
use super::size_limit;
use crate::runtime::engine::interrupt::Interrupt;

/// The maximum number of bytes that are read from a stream at once.
const MAX_READ: u32 = 64 << 10;

/// The maximum number of bytes that are written to a stream of the process at once: the size that a ready pipe
/// accepts without blocking (`PIPE_BUF`).
const MAX_WRITE: u32 = 4096;

/// The maximum number of bytes that are captured at once.
const MAX_CAPTURE: u32 = 1 << 20;

/// The interval after which an operation is tried again that was refused although the descriptor was ready.
const RETRY_INTERVAL: Duration = Duration::from_millis(1);

/// Held from the check of a descriptor's readiness until the operation is done. Otherwise two guests could see the
/// same bytes or the same space, and the second one would block in the system, where its wait cannot be
/// interrupted.
pub(super) static READING: Mutex<()> = Mutex::new(());
pub(super) static WRITING: Mutex<()> = Mutex::new(());

/// The standard input of a guest.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) flags: Fdflags,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Bytes {
        bytes: Vec<u8>,
        position: usize,
    },
    /// The input of the process. A guest reads only the bytes that it asks for, since the bytes after them may be
    /// for other readers (bytecodealliance/wasmtime#14065 reads ahead).
    Process,
}

impl Input {
    pub(super) fn bytes(bytes: Vec<u8>) -> Self {
        let source = Source::Bytes { bytes, position: 0 };
        Self::new(source)
    }

    pub(super) fn inherited() -> Self {
        Self::new(Source::Process)
    }

    fn new(source: Source) -> Self {
        let flags = Fdflags::empty();
        Self { flags, source }
    }

    pub(super) fn filetype(&self) -> Filetype {
        filetype(matches!(self.source, Source::Process) && io::stdin().is_terminal())
    }

    /// Returns the current readiness, and the number of bytes that can be read.
    pub(super) fn readiness(&self) -> Result<(Readiness, u64)> {
        match &self.source {
            Source::Bytes { bytes, position } => {
                let rest = bytes.len() - position;
                let hangup = rest == 0;
                Ok((
                    Readiness {
                        ready: true,
                        hangup,
                    },
                    rest as u64,
                ))
            }
            Source::Process => {
                let stdin = io::stdin();
                let readiness = readiness::now(stdin.as_fd(), Direction::Read)?;
                // Not supported by every kind of file.
                let available = rustix::io::ioctl_fionread(&stdin).unwrap_or(0);
                Ok((readiness, available))
            }
        }
    }

    /// Returns the input of the process, if that is the source.
    pub(super) fn process_fd(&self) -> Option<BorrowedFd<'static>> {
        matches!(self.source, Source::Process).then(rustix::stdio::stdin)
    }

    /// Reads into buffers. Waits for bytes if the source is the input of the process.
    pub(super) async fn read(
        &mut self,
        memory: &mut Memory<'_>,
        iovs: &[Iov],
        interrupt: &Interrupt,
    ) -> Result<u32> {
        let asked = total(iovs)?;
        if asked == 0 {
            return Ok(0);
        }
        match &mut self.source {
            Source::Bytes { bytes, position } => {
                let rest = &bytes[*position..];
                let part = &rest[..rest.len().min(asked as usize)];
                memory.scatter(iovs, part)?;
                *position += part.len();
                Ok(part.len() as u32)
            }
            Source::Process => {
                let mut buffer = vec![0; asked.min(MAX_READ) as usize];
                let wait = !self.flags.contains(Fdflags::NONBLOCK);
                let stdin = io::stdin();
                let read = when_ready(stdin.as_fd(), Direction::Read, wait, interrupt, || {
                    rustix::io::read(&stdin, &mut *buffer)
                });
                let read = read.await?;
                memory.scatter(iovs, &buffer[..read])?;
                Ok(read as u32)
            }
        }
    }
}

/// The standard output or standard error output of a guest.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) flags: Fdflags,
    sink: Sink,
}

#[derive(Debug)]
pub(super) enum Sink {
    Null,
    Captured(Captured),
    Stdout,
    Stderr,
}

impl Output {
    pub(super) fn new(sink: Sink) -> Self {
        let flags = Fdflags::empty();
        Self { flags, sink }
    }

    pub(super) fn filetype(&self) -> Filetype {
        filetype(match self.sink {
            Sink::Null | Sink::Captured(_) => false,
            Sink::Stdout => io::stdout().is_terminal(),
            Sink::Stderr => io::stderr().is_terminal(),
        })
    }

    pub(super) fn readiness(&self) -> Result<Readiness> {
        match self.process_fd() {
            Some(fd) => Ok(readiness::now(fd, Direction::Write)?),
            None => Ok(Readiness {
                ready: true,
                hangup: false,
            }),
        }
    }

    /// Returns the output of the process, if that is the destination.
    pub(super) fn process_fd(&self) -> Option<BorrowedFd<'static>> {
        match self.sink {
            Sink::Null | Sink::Captured(_) => None,
            Sink::Stdout => Some(rustix::stdio::stdout()),
            Sink::Stderr => Some(rustix::stdio::stderr()),
        }
    }

    /// Writes all bytes of the buffers.
    pub(super) async fn write(
        &self,
        memory: &Memory<'_>,
        iovs: &[Iov],
        interrupt: &Interrupt,
    ) -> Result<u32> {
        let asked = total(iovs)?;
        let mut written = 0;
        if let Sink::Captured(captured) = &self.sink {
            while written < asked {
                for bytes in memory.gather(iovs, written, MAX_CAPTURE)? {
                    let kept = captured.write(&bytes);
                    kept.map_err(|full| Failure::End(full.into()))?;
                    written += bytes.len() as u32;
                }
            }
        }
        let Some(fd) = self.process_fd() else {
            return Ok(asked);
        };
        let wait = !self.flags.contains(Fdflags::NONBLOCK);
        if let Sink::Stdout = self.sink {
            // Output of the process in the standard library's buffer comes first.
            let flush = || {
                io::stdout()
                    .flush()
                    .map_or(Err(rustix::io::Errno::IO), |()| Ok(0))
            };
            when_ready(fd, Direction::Write, wait, interrupt, flush).await?;
        }
        while written < asked {
            let bytes = memory.gather(iovs, written, MAX_WRITE)?.concat();
            let more = when_ready(fd, Direction::Write, wait, interrupt, || {
                size_limit::write_within(fd, None, || rustix::io::write(fd, &bytes))
            });
            match more.await {
                Ok(more) => written += more as u32,
                Err(Failure::Errno(_)) if written > 0 => break,
                Err(failure) => return Err(failure),
            }
        }
        Ok(written)
    }
}

/// Runs `work` when `fd` is ready. With `wait`, it waits for that, and tries again if `work` fails with `EAGAIN`.
/// Without, it returns `EAGAIN` in both cases. Stops when the guest has to end.
pub(super) async fn when_ready(
    fd: BorrowedFd<'_>,
    direction: Direction,
    wait: bool,
    interrupt: &Interrupt,
    mut work: impl FnMut() -> rustix::io::Result<usize>,
) -> Result<usize> {
    loop {
        // Checked in each round: a guest that writes much to a descriptor that is always ready never waits.
        if let Some(due) = interrupt.due() {
            return Err(Failure::End(due));
        }
        let mut refused = false;
        {
            let lock = match direction {
                Direction::Read => &READING,
                Direction::Write => &WRITING,
            };
            let _lock = lock.lock().unwrap_or_else(PoisonError::into_inner);
            if readiness::now(fd, direction)?.ready {
                match work() {
                    Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => refused = true,
                    done => return Ok(done?),
                }
            }
        }
        if !wait {
            return Err(Errno::Again.into());
        }
        if refused {
            // Another process was faster, or the descriptor is a device that is always reported as ready.
            tokio::time::sleep(RETRY_INTERVAL).await;
        } else {
            readiness::until_ready(fd, direction).await?;
        }
    }
}

fn filetype(terminal: bool) -> Filetype {
    if terminal {
        Filetype::CharacterDevice
    } else {
        Filetype::Unknown
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::future::Future;

    use wiggle::GuestMemory;

    use super::super::call::tokio;
    use super::super::descriptors::share;
    use super::super::file::{At, File as Opened};
    use super::*;

    fn on_event_loop<R>(work: impl Future<Output = R>) -> R {
        tokio().unwrap().block_on(work)
    }

    /// A device may be reported as ready forever, and refuse each operation.
    #[test]
    fn a_guest_can_be_ended_while_a_device_refuses_every_write() {
        let null = File::options().write(true).open("/dev/null").unwrap();
        let interrupt = Interrupt::default();
        interrupt.begin(1, None);
        let mut tries = 0;
        let refused = when_ready(null.as_fd(), Direction::Write, true, &interrupt, || {
            tries += 1;
            if tries == 3 {
                interrupt.abort(1);
            }
            Err(rustix::io::Errno::AGAIN)
        });
        let refused = on_event_loop(refused);
        assert!(matches!(refused, Err(Failure::End(_))), "{refused:?}");
        assert_eq!(tries, 3);
    }

    /// A write that never waits checks for an interrupt only between its chunks.
    #[test]
    fn an_interrupt_ends_a_write() {
        let open = || {
            File::options()
                .read(true)
                .write(true)
                .open("/dev/null")
                .unwrap()
        };
        let rights = wasmtime_wasi::p1::types::Rights::all();
        let file = Opened::new(open(), rights, Fdflags::empty(), false, share().unwrap()).unwrap();
        let mut bytes = vec![0; 1 << 20];
        let memory = Memory(GuestMemory::Unshared(&mut bytes));
        let iovs = [Iov {
            at: 0,
            len: 1 << 20,
        }];
        let interrupt = Interrupt::default();
        interrupt.begin(1, None);
        let write = || on_event_loop(file.write(&memory, &iovs, At::Cursor, &interrupt));
        assert_eq!(write().unwrap(), 1 << 20);
        interrupt.abort(1);
        let ended = write();
        assert!(matches!(ended, Err(Failure::End(_))), "{ended:?}");
    }
}
