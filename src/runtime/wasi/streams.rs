//! The standard streams.

use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};

use wasmtime_wasi::p1::types::{Errno, Fdflags, Filetype};

use super::captured::Captured;
use super::errno::{Failure, Result};
use super::memory::{Iov, Memory, total};
use super::readiness::{self, Direction, Readiness};

/// The most bytes that are read from a stream at once.
const READ: u32 = 64 << 10;

/// The most bytes that are written to a stream of the process at once: as many as a pipe that has room
/// takes without a wait (`PIPE_BUF`).
const PIPE: u32 = 4096;

/// The most bytes that are kept for the app at once.
const CAPTURED: u32 = 1 << 20;

/// Held from the question whether a descriptor is ready until it has been used, by direction: of two
/// guests that see the same bytes or the same room, the second would otherwise wait in the system, where
/// nothing can end its wait.
static READING: Mutex<()> = Mutex::new(());
static WRITING: Mutex<()> = Mutex::new(());

/// What a guest reads from its standard input.
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
    /// The input of the process. A guest takes the bytes out of it that it asks for, and no more: what
    /// comes after them is for others (bytecodealliance/wasmtime#14065 reads ahead of guests).
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

    /// How it is now, and how many bytes there are.
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
                // Not every kind of file can tell.
                let there = rustix::io::ioctl_fionread(&stdin).unwrap_or(0);
                Ok((readiness, there))
            }
        }
    }

    /// The input of the process, if that is what is read.
    pub(super) fn process(&self) -> Option<BorrowedFd<'static>> {
        matches!(self.source, Source::Process).then(rustix::stdio::stdin)
    }

    /// Reads into buffers; of the input of the process once there is something.
    pub(super) async fn read(&mut self, memory: &mut Memory<'_>, iovs: &[Iov]) -> Result<u32> {
        let asked = total(iovs)?;
        if asked == 0 {
            return Ok(0);
        }
        match &mut self.source {
            Source::Bytes { bytes, position } => {
                let rest = &bytes[*position..];
                let these = &rest[..rest.len().min(asked as usize)];
                memory.scatter(iovs, these)?;
                *position += these.len();
                Ok(these.len() as u32)
            }
            Source::Process => {
                let mut buffer = vec![0; asked.min(READ) as usize];
                let wait = !self.flags.contains(Fdflags::NONBLOCK);
                let stdin = io::stdin();
                let read = when_ready(stdin.as_fd(), Direction::Read, wait, || {
                    rustix::io::read(&stdin, &mut *buffer)
                });
                let read = read.await?;
                memory.scatter(iovs, &buffer[..read])?;
                Ok(read as u32)
            }
        }
    }
}

/// Where a guest writes.
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
        match self.process() {
            Some(fd) => Ok(readiness::now(fd, Direction::Write)?),
            None => Ok(Readiness {
                ready: true,
                hangup: false,
            }),
        }
    }

    /// The output of the process, if that is what is written to.
    pub(super) fn process(&self) -> Option<BorrowedFd<'static>> {
        match self.sink {
            Sink::Null | Sink::Captured(_) => None,
            Sink::Stdout => Some(rustix::stdio::stdout()),
            Sink::Stderr => Some(rustix::stdio::stderr()),
        }
    }

    /// Writes all of the buffers.
    pub(super) async fn write(&self, memory: &Memory<'_>, iovs: &[Iov]) -> Result<u32> {
        let asked = total(iovs)?;
        let mut written = 0;
        if let Sink::Captured(captured) = &self.sink {
            while written < asked {
                for bytes in memory.gather(iovs, written, CAPTURED)? {
                    let kept = captured.write(&bytes);
                    kept.map_err(|full| Failure::End(full.into()))?;
                    written += bytes.len() as u32;
                }
            }
        }
        let Some(fd) = self.process() else {
            return Ok(asked);
        };
        let wait = !self.flags.contains(Fdflags::NONBLOCK);
        if let Sink::Stdout = self.sink {
            // What the process itself has written comes first.
            let flush = || {
                io::stdout()
                    .flush()
                    .map_or(Err(rustix::io::Errno::IO), |()| Ok(0))
            };
            when_ready(fd, Direction::Write, wait, flush).await?;
        }
        while written < asked {
            let bytes = memory.gather(iovs, written, PIPE)?.concat();
            match when_ready(fd, Direction::Write, wait, || rustix::io::write(fd, &bytes)).await {
                Ok(more) => written += more as u32,
                Err(_) if written > 0 => break,
                Err(failure) => return Err(failure),
            }
        }
        Ok(written)
    }
}

/// Does `work`, which may be refused with `EAGAIN`, when `fd` is ready; at once, or not at all, if not
/// to `wait`.
pub(super) async fn when_ready(
    fd: BorrowedFd<'_>,
    direction: Direction,
    wait: bool,
    mut work: impl FnMut() -> rustix::io::Result<usize>,
) -> Result<usize> {
    loop {
        {
            let turn = match direction {
                Direction::Read => &READING,
                Direction::Write => &WRITING,
            };
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            if readiness::now(fd, direction)?.ready {
                match work() {
                    Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                    done => return Ok(done?),
                }
            }
        }
        if !wait {
            return Err(Errno::Again.into());
        }
        readiness::until_ready(fd, direction).await?;
    }
}

fn filetype(terminal: bool) -> Filetype {
    if terminal {
        Filetype::CharacterDevice
    } else {
        Filetype::Unknown
    }
}
