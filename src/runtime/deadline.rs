//! Deadlines of calls.
//!
//! Guest code that has a deadline compares a counter of its engine, the epoch, with a number of its
//! store's now and then, which is cheap, and asks us when the counter has got there. One thread for
//! the whole process moves the counters on, each time a deadline passes and at no other.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use wasmtime::{Engine, EngineWeak, StoreContextMut, UpdateDeadline};

use super::error::WasmError;
use super::store::StoreData;

/// The deadline of the call that is under way in a store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    timeout: Duration,
}

/// How soon the epoch is moved on again after a deadline, until its call has ended: the guest may
/// have looked at the clock just before, and at the epoch just after.
const AGAIN: Duration = Duration::from_millis(5);

/// Keeps a deadline on the mind of the watching thread.
pub(crate) struct Watch(u64);

/// When, and a number to tell deadlines of the same time apart.
type Key = (Instant, u64);

static WATCHED: Mutex<Watched> = Mutex::new(Watched {
    deadlines: BTreeMap::new(),
    times: BTreeMap::new(),
    next: 0,
    asleep_until: None,
});
static CHANGED: Condvar = Condvar::new();
/// Whether there is a watching thread.
static STARTED: OnceLock<bool> = OnceLock::new();

struct Watched {
    deadlines: BTreeMap<Key, EngineWeak>,
    /// The time that each of them has there, by number.
    times: BTreeMap<u64, Instant>,
    next: u64,
    /// When the watching thread wakes up by itself; `None`: not at all.
    asleep_until: Option<Instant>,
}

/// Starts the time of a call: to be called before guest code runs, and what is returned to be kept
/// until it has returned. `None` if the time never ends.
///
/// # Errors
/// `RuntimeError` if there can be no thread that watches.
pub(crate) fn start(
    mut store: StoreContextMut<'_, StoreData>,
    timeout: Duration,
) -> Result<Option<Watch>, WasmError> {
    let at = Instant::now().checked_add(timeout);
    store.data_mut().deadline = at.map(|at| Deadline { at, timeout });
    store.set_epoch_deadline(1);
    at.map(|at| watch(at, store.engine())).transpose()
}

/// What guest code is told when the epoch has got to its store's number.
pub(crate) fn passed(store: StoreContextMut<'_, StoreData>) -> wasmtime::Result<UpdateDeadline> {
    match store.data().deadline {
        Some(Deadline { at, timeout }) if Instant::now() >= at => {
            Err(WasmError::deadline(timeout).into())
        }
        // It was the deadline of another store.
        _ => Ok(UpdateDeadline::Continue(1)),
    }
}

fn watch(at: Instant, engine: &Engine) -> Result<Watch, WasmError> {
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
    watched.insert((at, number), engine.weak());
    if watched.asleep_until.is_none_or(|until| at < until) {
        CHANGED.notify_one();
    }
    Ok(Watch(number))
}

impl Watched {
    fn insert(&mut self, key: Key, engine: EngineWeak) {
        self.times.insert(key.1, key.0);
        self.deadlines.insert(key, engine);
    }

    fn remove(&mut self, number: u64) {
        if let Some(at) = self.times.remove(&number) {
            self.deadlines.remove(&(at, number));
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // The thread may wake up for nothing then, which is cheaper than to wake it up now.
        watched().remove(self.0);
    }
}

fn keep_watch() {
    let mut watched = watched();
    loop {
        let now = Instant::now();
        while let Some(first) = watched.deadlines.first_entry() {
            let (at, number) = *first.key();
            if at > now {
                break;
            }
            let engine = first.remove();
            if let Some(running) = engine.upgrade() {
                running.increment_epoch();
            }
            watched.insert((now + AGAIN, number), engine);
        }
        let first = watched.deadlines.keys().next();
        watched.asleep_until = first.map(|(at, _)| *at);
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
