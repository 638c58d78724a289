//! The interruption of a guest, because its deadline has passed or the host has aborted the call.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::runtime::base::error::WasmError;

/// The state of interruption of the call in one store. Any thread may request the interruption.
#[derive(Default)]
pub(crate) struct Interrupt {
    call: Mutex<Call>,
    changed: Notify,
}

/// The running call.
#[derive(Default)]
struct Call {
    number: u64,
    deadline: Option<Deadline>,
    aborted: bool,
}

/// The time at which a call has to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    /// The duration from the start of the call.
    pub(crate) timeout: Duration,
}

impl Deadline {
    /// Returns the deadline of a call that starts now. `None` if it is too late for the clock.
    pub(crate) fn after(timeout: Duration) -> Option<Self> {
        let at = Instant::now().checked_add(timeout)?;
        Some(Self { at, timeout })
    }
}

impl Interrupt {
    /// Starts a call, without an interruption.
    pub(crate) fn begin(&self, number: u64, deadline: Option<Deadline>) {
        *self.call() = Call {
            number,
            deadline,
            aborted: false,
        };
    }

    /// Requests the end of the call with this number, if it is still running.
    pub(crate) fn abort(&self, number: u64) {
        let mut call = self.call();
        call.aborted |= call.number == number;
    }

    /// Sets the deadline of the call with this number, if it is still running.
    pub(super) fn set_deadline(&self, number: u64, deadline: Option<Deadline>) {
        let mut call = self.call();
        if call.number == number {
            call.deadline = deadline;
        }
    }

    /// Returns the deadline of the call.
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.call().deadline
    }

    /// Wakes up all tasks in [`Interrupt::unless_due`] so that they check again.
    pub(crate) fn notify(&self) {
        self.changed.notify_waiters();
    }

    /// Returns the error with which the guest has to end now, if it has to.
    pub(crate) fn due(&self) -> Option<wasmtime::Error> {
        let call = self.call();
        if call.aborted {
            return Some(Aborted.into());
        }
        let Deadline { at, timeout } = call.deadline?;
        (Instant::now() >= at).then(|| WasmError::deadline(timeout).into())
    }

    /// Waits for the result of `work`, unless the guest has to end first.
    ///
    /// # Errors
    /// The error with which the guest has to end.
    pub(crate) async fn unless_due<R>(&self, work: impl Future<Output = R>) -> wasmtime::Result<R> {
        let mut work = pin!(work);
        loop {
            // Created before the check, so that a notification between the check and the wait is not lost.
            let changed = self.changed.notified();
            if let Some(due) = self.due() {
                return Err(due);
            }
            tokio::select! {
                result = &mut work => return Ok(result),
                () = changed => {}
            }
        }
    }

    fn call(&self) -> MutexGuard<'_, Call> {
        self.call.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error of a call that the host aborted. Only the host knows the reason.
#[derive(Debug, thiserror::Error)]
#[error("the host ended the call")]
pub(crate) struct Aborted;
