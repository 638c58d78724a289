//! `poll_oneoff`: waiting for clocks and descriptors.

use std::io;
use std::os::fd::BorrowedFd;
use std::pin::Pin;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wasmtime_wasi::p1::types::{Clockid, Errno, Eventrwflags, Eventtype, Subclockflags};

use super::Wasi;
use super::call::{Call, Preview};
use super::descriptors::{Descriptor, Descriptors};
use super::errno::{Failure, Result};
use super::readiness::{self, Direction, Readiness};

/// The size of an event, in bytes.
const EVENT_BYTES: u32 = 32;

/// The last part of a wait, for which the thread sleeps: the timers of the event loop have a precision of
/// milliseconds.
const PRECISE_WAIT: Duration = Duration::from_millis(2);

/// A subscription of a guest.
struct Subscription {
    userdata: u64,
    condition: Condition,
}

enum Condition {
    /// The time of the event; `None` if it never comes.
    Clock(Option<Instant>),
    Descriptor(u32, Direction),
}

/// An event that has occurred.
struct Event {
    userdata: u64,
    errno: Errno,
    kind: Eventtype,
    bytes: u64,
    hangup: bool,
}

impl Call<'_> {
    /// All subscriptions are read before any event is written, because both may overlap in memory. An expired clock
    /// is reported at once, even if there are other subscriptions.
    pub(crate) async fn poll_oneoff(
        &mut self,
        subscriptions: u32,
        events: u32,
        count: u32,
        to: u32,
    ) -> Result<()> {
        if count == 0 || count > self.wasi.max_subscriptions {
            return Err(Errno::Inval.into());
        }
        let size = self.preview.subscription_size();
        self.memory
            .check(subscriptions, u64::from(count) * u64::from(size))?;
        self.memory
            .check(events, u64::from(count) * u64::from(EVENT_BYTES))?;
        self.memory.check(to, 4)?;
        let start = Instant::now();
        let mut requested = Vec::with_capacity(count as usize);
        for index in 0..count {
            requested.push(self.subscription(subscriptions + index * size, start)?);
        }
        let found = loop {
            let found = ready_events(&requested, &self.wasi.descriptors)?;
            if !found.is_empty() {
                break found;
            }
            wait_for_any(&requested, &self.wasi.descriptors).await?;
        };
        for (index, event) in (0..).zip(&found) {
            self.memory
                .write(events + index * EVENT_BYTES, &event.to_bytes())?;
        }
        self.memory.set_u32(to, found.len() as u32)
    }

    fn subscription(&self, at: u32, start: Instant) -> Result<Subscription> {
        let head: [u8; 24] = self.memory.array(at)?;
        let condition = match Eventtype::try_from(head[8])? {
            Eventtype::Clock => {
                // In preview 0, the clock has an additional identifier before it.
                let clock: [u8; 26] = self.memory.array(at + self.preview.clock_offset())?;
                let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| clock[at + i]));
                let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
                let flags = u16::from_le_bytes([clock[24], clock[25]]);
                Condition::Clock(deadline_of(
                    word(0),
                    long(8),
                    Subclockflags::try_from(flags)?,
                    start,
                    self.wasi,
                )?)
            }
            kind => {
                let fd = u32::from_le_bytes([16, 17, 18, 19].map(|at| head[at]));
                Condition::Descriptor(
                    fd,
                    if kind == Eventtype::FdRead {
                        Direction::Read
                    } else {
                        Direction::Write
                    },
                )
            }
        };
        let userdata = u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|at| head[at]));
        Ok(Subscription {
            userdata,
            condition,
        })
    }
}

/// Returns the time at which a clock subscription expires.
fn deadline_of(
    clock: u32,
    timeout: u64,
    flags: Subclockflags,
    start: Instant,
    wasi: &Wasi,
) -> Result<Option<Instant>> {
    let timeout = Duration::from_nanos(timeout);
    let clock = Clockid::try_from(clock)?;
    let absolute = flags.contains(Subclockflags::SUBSCRIPTION_CLOCK_ABSTIME);
    Ok(match (clock, absolute) {
        (Clockid::Monotonic | Clockid::Realtime, false) => start.checked_add(timeout),
        (Clockid::Monotonic, true) => wasi.started.checked_add(timeout),
        (Clockid::Realtime, true) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let rest = timeout.saturating_sub(now.unwrap_or_default());
            start.checked_add(rest)
        }
        (Clockid::ProcessCputimeId | Clockid::ThreadCputimeId, _) => {
            return Err(Errno::Inval.into());
        }
    })
}

/// Returns the events that have occurred.
fn ready_events(requested: &[Subscription], descriptors: &Descriptors) -> Result<Vec<Event>> {
    let now = Instant::now();
    let mut events = Vec::new();
    for Subscription {
        userdata,
        condition,
    } in requested
    {
        let event = |kind, errno, readiness: Readiness, bytes| Event {
            userdata: *userdata,
            errno,
            kind,
            bytes,
            hangup: readiness.hangup,
        };
        match condition {
            Condition::Clock(time) => {
                if time.is_some_and(|time| time <= now) {
                    let none = Readiness::default();
                    events.push(event(Eventtype::Clock, Errno::Success, none, 0));
                }
            }
            Condition::Descriptor(fd, direction) => {
                let kind = match direction {
                    Direction::Read => Eventtype::FdRead,
                    Direction::Write => Eventtype::FdWrite,
                };
                match readiness(descriptors, *fd, *direction) {
                    Ok((readiness, bytes)) if readiness.ready => {
                        events.push(event(kind, Errno::Success, readiness, bytes));
                    }
                    Ok(_) => {}
                    // The error of one descriptor, like `POLLNVAL` in POSIX. It does not affect the others.
                    Err(Failure::Errno(errno)) => {
                        events.push(event(kind, errno, Readiness::default(), 0));
                    }
                    Err(end) => return Err(end),
                }
            }
        }
    }
    Ok(events)
}

/// Returns the current readiness of a descriptor, and the number of bytes that can be read.
///
/// # Errors
/// `EBADF` if there is no descriptor with this number, or it does not allow the access.
fn readiness(descriptors: &Descriptors, fd: u32, direction: Direction) -> Result<(Readiness, u64)> {
    match (descriptors.get(fd)?, direction) {
        (Descriptor::Input(input), Direction::Read) => input.readiness(),
        (Descriptor::Output(output), Direction::Write) => Ok((output.readiness()?, 1)),
        (Descriptor::File(file), _) => {
            file.check_direction(direction)?;
            file.readiness(direction)
        }
        _ => Err(Errno::Badf.into()),
    }
}

/// Waits until one of the subscriptions may have an event.
async fn wait_for_any(requested: &[Subscription], descriptors: &Descriptors) -> Result<()> {
    let mut next: Option<Instant> = None;
    let mut watched: Vec<(BorrowedFd<'_>, u32, Direction)> = Vec::new();
    for Subscription { condition, .. } in requested {
        match *condition {
            Condition::Clock(None) => {}
            Condition::Clock(Some(time)) => next = Some(next.map_or(time, |next| next.min(time))),
            Condition::Descriptor(fd, direction) => {
                let known = watched
                    .iter()
                    .any(|seen| (seen.1, seen.2) == (fd, direction));
                if !known && let Some(system) = wait_fd(descriptors.get(fd)?) {
                    watched.push((system, fd, direction));
                }
            }
        }
    }
    let ready = watched.into_iter();
    let mut ready: Vec<_> = ready
        .map(|(fd, _, direction)| Box::pin(readiness::until_ready(fd, direction)))
        .collect();
    let ready = std::future::poll_fn(|context| poll_any(&mut ready, context));
    tokio::select! {
        ready = ready => Ok(ready?),
        () = sleep_until(next) => Ok(()),
    }
}

/// Polls several futures, and returns the result of the first one that is done.
fn poll_any(
    futures: &mut [Pin<Box<impl Future<Output = io::Result<()>>>>],
    context: &mut std::task::Context<'_>,
) -> Poll<io::Result<()>> {
    for future in futures {
        if let Poll::Ready(done) = future.as_mut().poll(context) {
            return Poll::Ready(done);
        }
    }
    Poll::Pending
}

/// Returns the descriptor of the system to wait for, if there is one.
fn wait_fd(descriptor: &Descriptor) -> Option<BorrowedFd<'_>> {
    match descriptor {
        Descriptor::Input(input) => input.process_fd(),
        Descriptor::Output(output) => output.process_fd(),
        Descriptor::File(file) => file.wait_fd(),
        Descriptor::Directory(_) => None,
    }
}

/// Waits until a time, or forever without one.
async fn sleep_until(until: Option<Instant>) {
    let Some(until) = until else {
        return std::future::pending().await;
    };
    if let Some(nearly) = until.checked_sub(PRECISE_WAIT)
        && nearly > Instant::now()
    {
        tokio::time::sleep_until(nearly.into()).await;
    }
    thread::sleep(until.saturating_duration_since(Instant::now()));
}

impl Event {
    fn to_bytes(&self) -> [u8; EVENT_BYTES as usize] {
        let mut bytes = [0; EVENT_BYTES as usize];
        bytes[..8].copy_from_slice(&self.userdata.to_le_bytes());
        bytes[8..10].copy_from_slice(&(self.errno as u16).to_le_bytes());
        bytes[10] = self.kind as u8;
        bytes[16..24].copy_from_slice(&self.bytes.to_le_bytes());
        let mut flags = Eventrwflags::empty();
        flags.set(Eventrwflags::FD_READWRITE_HANGUP, self.hangup);
        bytes[24..26].copy_from_slice(&flags.bits().to_le_bytes());
        bytes
    }
}

impl Preview {
    fn subscription_size(self) -> u32 {
        match self {
            Self::Zero => 56,
            Self::One => 48,
        }
    }

    /// Returns the offset of the clock in a subscription, in bytes.
    fn clock_offset(self) -> u32 {
        match self {
            Self::Zero => 24,
            Self::One => 16,
        }
    }
}
