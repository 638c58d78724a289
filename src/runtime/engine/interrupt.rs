//! The two reasons to end a guest from outside: its deadline has passed, or the host has aborted the call.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::runtime::base::error::WasmError;

/// Whether the guest that is running in a store should end. Any thread may ask for it.
#[derive(Default)]
pub(crate) struct Interrupt {
    call: Mutex<Call>,
    changed: Notify,
}

/// The call that is under way.
#[derive(Default)]
struct Call {
    number: u64,
    deadline: Option<Deadline>,
    aborted: bool,
}

/// When a call has to have ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    /// How long after the start of the call that is.
    pub(crate) timeout: Duration,
}

impl Interrupt {
    /// A call begins, which need not end yet.
    pub(crate) fn begin(&self, number: u64, deadline: Option<Deadline>) {
        *self.call() = Call {
            number,
            deadline,
            aborted: false,
        };
    }

    /// Says that the call of this number should end, if it is still under way.
    pub(crate) fn abort(&self, number: u64) {
        let mut call = self.call();
        call.aborted |= call.number == number;
    }

    /// Whether the call has a deadline.
    pub(crate) fn has_deadline(&self) -> bool {
        self.call().deadline.is_some()
    }

    /// Has those that wait in [`Interrupt::unless_due`] look again.
    pub(crate) fn notify(&self) {
        self.changed.notify_waiters();
    }

    /// The error with which the guest has to end now, if it has to.
    pub(crate) fn due(&self) -> Option<wasmtime::Error> {
        let call = self.call();
        if call.aborted {
            return Some(Aborted.into());
        }
        let Deadline { at, timeout } = call.deadline?;
        (Instant::now() >= at).then(|| WasmError::deadline(timeout).into())
    }

    /// What `work` comes to, unless the guest has to end first.
    ///
    /// # Errors
    /// The error with which it has to end.
    pub(crate) async fn unless_due<R>(&self, work: impl Future<Output = R>) -> wasmtime::Result<R> {
        let mut work = pin!(work);
        loop {
            // Before the question, so that nothing is missed between it and the wait.
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

/// The host ended the call, and knows why.
#[derive(Debug, thiserror::Error)]
#[error("the host ended the call")]
pub(crate) struct Aborted;
