//! The thread that interrupts guests at their deadlines.
//!
//! Interruptible guest code regularly compares a counter of its engine, the epoch, with a number of its store. This
//! is cheap. When the counter reaches the number, the code calls back into the host, which checks the deadline. One
//! thread for the whole process increments the counters. It does so only when a guest has to end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use wasmtime::{Engine, EngineWeak};

use crate::runtime::base::error::WasmError;
use crate::runtime::engine::interrupt::{Deadline, Interrupt};

/// The interval at which a guest is interrupted again until it has ended. One interrupt is not enough: the guest
/// may have checked the clock just before its deadline, and the epoch just after.
const REPEAT_INTERVAL: Duration = Duration::from_millis(5);

/// A watched call. The thread watches the call until this value is dropped.
pub(crate) struct Watch(u64);

static WATCHED: Mutex<WatchedCalls> = Mutex::new(WatchedCalls {
    calls: BTreeMap::new(),
    times: BTreeSet::new(),
    next: 1,
    asleep_until: None,
});
static CHANGED: Condvar = Condvar::new();
/// Whether the watching thread could be started.
static STARTED: OnceLock<bool> = OnceLock::new();

struct WatchedCalls {
    /// The running calls, by number.
    calls: BTreeMap<u64, Call>,
    /// The times at which the thread checks calls.
    times: BTreeSet<(Instant, u64)>,
    next: u64,
    /// The time at which the thread wakes up; `None` if it waits for a notification only.
    asleep_until: Option<Instant>,
}

struct Call {
    engine: EngineWeak,
    interrupt: Weak<Interrupt>,
    /// The call's entry in `times`, if it has one.
    at: Option<Instant>,
}

/// Starts the deadline of a call. It has to be called before guest code runs, and the returned value has to be kept
/// until the guest code has ended. Returns `None` if there is nothing to watch: the call has no deadline and cannot
/// be [aborted](abort).
///
/// # Errors
/// `RuntimeError` if the watching thread cannot be started.
pub(crate) fn begin(
    engine: &Engine,
    interrupt: &Arc<Interrupt>,
    deadline: Option<Deadline>,
    abortable: bool,
) -> Result<Option<Watch>, WasmError> {
    let at = deadline.map(|deadline| deadline.at);
    let watch = (abortable || at.is_some())
        .then(|| watch(at, engine, interrupt))
        .transpose()?;
    interrupt.begin(watch.as_ref().map_or(0, |watch| watch.0), deadline);
    Ok(watch)
}

/// Ends the watched call with this number as soon as possible.
pub(crate) fn abort(number: u64, interrupt: &Interrupt) {
    interrupt.abort(number);
    lock_watched().schedule(number, Instant::now());
}

/// Sets the deadline of the watched call with this number.
pub(crate) fn set(number: u64, interrupt: &Interrupt, deadline: Option<Deadline>) {
    interrupt.set_deadline(number, deadline);
    let mut watched = lock_watched();
    match deadline {
        Some(Deadline { at, .. }) => watched.schedule(number, at),
        None => watched.unschedule(number),
    }
}

fn watch(
    at: Option<Instant>,
    engine: &Engine,
    interrupt: &Arc<Interrupt>,
) -> Result<Watch, WasmError> {
    let started = STARTED.get_or_init(|| {
        let thread = thread::Builder::new().name("wasm deadlines".to_owned());
        thread.spawn(run_watch_thread).is_ok()
    });
    if !started {
        return Err(WasmError::runtime("no thread to keep deadlines"));
    }
    let mut watched = lock_watched();
    let number = watched.next;
    watched.next += 1;
    let call = Call {
        engine: engine.weak(),
        interrupt: Arc::downgrade(interrupt),
        at: None,
    };
    watched.calls.insert(number, call);
    if let Some(at) = at {
        watched.schedule(number, at);
    }
    Ok(Watch(number))
}

impl Watch {
    /// Returns the number to [abort] the call with.
    pub(crate) fn number(&self) -> u64 {
        self.0
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // The thread is not notified: an unnecessary wake-up later costs less than one now.
        let mut watched = lock_watched();
        if let Some(Call { at: Some(at), .. }) = watched.calls.remove(&self.0) {
            watched.times.remove(&(at, self.0));
        }
    }
}

impl WatchedCalls {
    /// Sets the time at which the thread checks a call. It replaces an earlier time.
    fn schedule(&mut self, number: u64, time: Instant) {
        let Some(call) = self.calls.get_mut(&number) else {
            return;
        };
        if let Some(before) = call.at.replace(time) {
            self.times.remove(&(before, number));
        }
        self.times.insert((time, number));
        if self.asleep_until.is_none_or(|until| time < until) {
            CHANGED.notify_one();
        }
    }

    /// Has the thread not check a call any more.
    fn unschedule(&mut self, number: u64) {
        if let Some(call) = self.calls.get_mut(&number)
            && let Some(at) = call.at.take()
        {
            self.times.remove(&(at, number));
        }
    }

    /// Interrupts all calls whose time has come.
    fn interrupt_due(&mut self, now: Instant) {
        while let Some(&(at, number)) = self.times.first() {
            if at > now {
                return;
            }
            let call = &self.calls[&number];
            if let Some(engine) = call.engine.upgrade() {
                engine.increment_epoch();
            }
            if let Some(interrupt) = call.interrupt.upgrade() {
                interrupt.notify();
            }
            self.schedule(number, now + REPEAT_INTERVAL);
        }
    }
}

fn run_watch_thread() {
    let mut watched = lock_watched();
    loop {
        let now = Instant::now();
        watched.interrupt_due(now);
        watched.asleep_until = watched.times.first().map(|(at, _)| *at);
        watched = match watched.asleep_until {
            Some(until) => {
                let waited = CHANGED.wait_timeout(watched, until.saturating_duration_since(now));
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => CHANGED
                .wait(watched)
                .unwrap_or_else(PoisonError::into_inner),
        };
    }
}

fn lock_watched() -> MutexGuard<'static, WatchedCalls> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}
