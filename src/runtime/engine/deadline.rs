//! The thread that keeps deadlines.
//!
//! Guest code that can be interrupted compares a counter of its engine, the epoch, with a number of
//! its store's now and then, which is cheap, and asks us when the counter has got there. One thread
//! for the whole process moves the counters on, each time a guest should end and at no other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use wasmtime::{Engine, EngineWeak};

use crate::runtime::base::error::WasmError;
use crate::runtime::engine::interrupt::{Deadline, Interrupt};

/// How soon a guest is interrupted again until it has ended: it may have looked at the clock just before its
/// deadline, and at the epoch just after.
const AGAIN: Duration = Duration::from_millis(5);

/// The watching thread watches a call until this is dropped.
pub(crate) struct Watch(u64);

static WATCHED: Mutex<Watched> = Mutex::new(Watched {
    calls: BTreeMap::new(),
    times: BTreeSet::new(),
    next: 1,
    asleep_until: None,
});
static CHANGED: Condvar = Condvar::new();
/// Whether there is a watching thread.
static STARTED: OnceLock<bool> = OnceLock::new();

struct Watched {
    /// The calls under way, by number.
    calls: BTreeMap<u64, Call>,
    /// When to look after which of them.
    times: BTreeSet<(Instant, u64)>,
    next: u64,
    /// When the watching thread wakes up by itself; `None`: not at all.
    asleep_until: Option<Instant>,
}

struct Call {
    engine: EngineWeak,
    interrupt: Weak<Interrupt>,
    /// Its time in `times`, if it has one there.
    at: Option<Instant>,
}

/// Starts the time of a call of a guest of this engine: to be called before guest code runs, and what is returned to
/// be kept until it has ended. `None` if there is nothing to watch: the time never ends, and nobody may
/// [abort] it.
///
/// # Errors
/// `RuntimeError` if there can be no thread that watches.
pub(crate) fn begin(
    engine: &Engine,
    interrupt: &Arc<Interrupt>,
    timeout: Option<Duration>,
    abortable: bool,
) -> Result<Option<Watch>, WasmError> {
    let deadline = timeout.and_then(|timeout| {
        let at = Instant::now().checked_add(timeout)?;
        Some(Deadline { at, timeout })
    });
    let at = deadline.map(|deadline| deadline.at);
    let watch = (abortable || at.is_some())
        .then(|| watch(at, engine, interrupt))
        .transpose()?;
    interrupt.begin(watch.as_ref().map_or(0, |watch| watch.0), deadline);
    Ok(watch)
}

/// Has the call that is watched under this number end as soon as can be.
pub(crate) fn abort(number: u64, interrupt: &Interrupt) {
    interrupt.abort(number);
    watched().look_at(number, Instant::now());
}

fn watch(
    at: Option<Instant>,
    engine: &Engine,
    interrupt: &Arc<Interrupt>,
) -> Result<Watch, WasmError> {
    let started = STARTED.get_or_init(|| {
        let thread = thread::Builder::new().name("wasm deadlines".to_owned());
        thread.spawn(keep_watch).is_ok()
    });
    if !started {
        return Err(WasmError::runtime("no thread to keep deadlines"));
    }
    let mut watched = watched();
    let number = watched.next;
    watched.next += 1;
    let call = Call {
        engine: engine.weak(),
        interrupt: Arc::downgrade(interrupt),
        at: None,
    };
    watched.calls.insert(number, call);
    if let Some(at) = at {
        watched.look_at(number, at);
    }
    Ok(Watch(number))
}

impl Watch {
    /// The number to [abort] it by.
    pub(crate) fn number(&self) -> u64 {
        self.0
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // The thread may wake up for nothing then, which is cheaper than to wake it up now.
        let mut watched = watched();
        if let Some(Call { at: Some(at), .. }) = watched.calls.remove(&self.0) {
            watched.times.remove(&(at, self.0));
        }
    }
}

impl Watched {
    /// Has a call looked after at this time, instead of any other.
    fn look_at(&mut self, number: u64, time: Instant) {
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

    /// Interrupts the guests whose time has come.
    fn look(&mut self, now: Instant) {
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
            self.look_at(number, now + AGAIN);
        }
    }
}

fn keep_watch() {
    let mut watched = watched();
    loop {
        let now = Instant::now();
        watched.look(now);
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

fn watched() -> MutexGuard<'static, Watched> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}
