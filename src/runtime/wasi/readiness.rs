//! Waiting for pipes, terminals and sockets of the system.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, Timespec};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::runtime::engine::quota::DESCRIPTORS;

/// The kind of access to a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Read,
    Write,
}

impl Direction {
    fn flags(self) -> PollFlags {
        match self {
            Self::Read => PollFlags::IN,
            Self::Write => PollFlags::OUT,
        }
    }

    fn interest(self) -> Interest {
        match self {
            Self::Read => Interest::READABLE,
            Self::Write => Interest::WRITABLE,
        }
    }
}

/// The current state of a descriptor of the system.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Readiness {
    /// Whether a read or write would not block: there are bytes or space, or the other end is closed.
    pub(super) ready: bool,
    /// Whether the other end is closed.
    pub(super) hangup: bool,
}

/// Returns the current readiness of `fd`.
pub(super) fn now(fd: BorrowedFd<'_>, direction: Direction) -> io::Result<Readiness> {
    let mut polled = [PollFd::from_borrowed_fd(fd, direction.flags())];
    let zero = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    rustix::io::retry_on_intr(|| rustix::event::poll(&mut polled, Some(&zero)))?;
    let events = polled[0].revents();
    Ok(Readiness {
        ready: !events.is_empty(),
        hangup: events.contains(PollFlags::HUP) && !events.contains(PollFlags::IN),
    })
}

/// Waits until `fd` is ready, on the event loop that has been [entered](tokio::runtime::Handle::enter).
pub(super) async fn until_ready(fd: BorrowedFd<'_>, direction: Direction) -> io::Result<()> {
    if now(fd, direction)?.ready {
        return Ok(());
    }
    // A duplicate descriptor, because the event loop can watch each descriptor only once.
    let _share = DESCRIPTORS.take(1).map_err(|_| rustix::io::Errno::NFILE)?;
    let own = fd.try_clone_to_owned()?;
    #[expect(
        deprecated,
        reason = "it is meant for no descriptor that others may close, and this one is its own"
    )]
    let watched = match AsyncFd::with_interest(own, direction.interest()) {
        Ok(watched) => watched,
        // A descriptor that never blocks cannot be watched.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
        Err(error) => return Err(error),
    };
    loop {
        let mut guard = watched.ready(direction.interest()).await?;
        if now(watched.get_ref().as_fd(), direction)?.ready {
            return Ok(());
        }
        guard.clear_ready();
    }
}
