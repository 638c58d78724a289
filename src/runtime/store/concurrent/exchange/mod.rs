//! What the thread of a store and the driver of its calls tell each other.

mod driver_side;
mod ends;
mod event;
mod requests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::oneshot;

pub(super) use self::event::Command;
pub(crate) use self::event::{Answer, CallError, CallFuture, Event, Quiet, Request, StartCall};
use super::stream::{Sink, Source};
use crate::runtime::base::error::WasmError;
use crate::runtime::engine::deadline;
use crate::runtime::engine::interrupt::{Deadline, Interrupt};
use crate::runtime::store::host_function::HostFunction;

/// The caps on what waits in an exchange.
#[derive(Clone, Copy)]
pub(crate) struct ExchangeLimits {
    /// The maximum number of calls that have not ended, and of imports that were called and have not.
    pub(crate) calls: u32,
    /// The maximum number of streams and futures that are open at a time.
    pub(crate) streams: u32,
}

impl ExchangeLimits {
    /// Returns the maximum number of entries in wasmtime's own table: tasks, threads, sets of what they wait for, streams and
    /// futures, and calls of functions that the host itself provides, such as those of WASI. A call has up to four.
    pub(crate) fn table_entries(&self) -> usize {
        let (calls, streams) = (self.calls as usize, self.streams as usize);
        (calls + streams) * 4 + MIN_TABLE_ENTRIES
    }
}

/// The number of entries in wasmtime's own table that a component has for its instances, whatever its caps are.
const MIN_TABLE_ENTRIES: usize = 1_000;

/// The exchange between the thread of a store and the driver of its calls.
pub(crate) struct Exchange {
    state: Mutex<State>,
    interrupt: Arc<Interrupt>,
    /// The host's functions for imports, by number.
    imports: OnceLock<Arc<[Arc<dyn HostFunction>]>>,
    limits: ExchangeLimits,
    /// The maximum duration for which tasks that no call waits for may go on without a pause.
    timeout: Option<Duration>,
    /// Notified when the driver pauses or gives the store back.
    paused: Condvar,
}

/// The body of a response that the host reads.
pub(crate) struct OpenBody(Arc<Exchange>);

impl Drop for OpenBody {
    fn drop(&mut self) {
        self.0.state().bodies -= 1;
    }
}

#[derive(Default)]
struct State {
    commands: VecDeque<Command>,
    /// The number of commands that the driver has taken.
    taken: u32,
    events: VecDeque<Event>,
    /// Whether a driver has the store, or will take it.
    is_driven: bool,
    /// Whether the driver has to look once more whether anything goes on, before it gives the store back.
    has_more: bool,
    driver: Option<Waker>,
    host: Option<Waker>,
    /// The number of bodies of responses that the host reads.
    bodies: usize,
    requests: HashMap<u32, oneshot::Sender<Answer>>,
    next_request: u32,
    /// The number of calls that have not ended.
    calls: u32,
    /// The deadlines of the calls that have one, by their numbers.
    deadlines: BTreeMap<u32, Deadline>,
    /// The deadline of tasks that no call waits for any more, until the driver pauses.
    task_deadline: Option<Deadline>,
    /// Whether nothing goes on.
    is_quiet: bool,
    /// Whether the driver has to give the store back although something goes on, since no call waits for it.
    wants_pause: bool,
    /// Whether the driver has done so.
    was_paused: bool,
    /// Whether the instance has ended.
    has_ended: bool,
    /// The number that the running session is watched by.
    watch: u64,
    sources: HashMap<u32, Arc<Source>>,
    sinks: HashMap<u32, Arc<Sink>>,
    next_sink: u32,
}

impl Exchange {
    pub(crate) fn new(
        interrupt: Arc<Interrupt>,
        limits: ExchangeLimits,
        timeout: Option<Duration>,
    ) -> Self {
        Self {
            state: Mutex::default(),
            interrupt,
            imports: OnceLock::new(),
            limits,
            timeout,
            paused: Condvar::new(),
        }
    }

    /// Sets the host's functions for imports.
    pub(crate) fn set_imports(&self, imports: Arc<[Arc<dyn HostFunction>]>) {
        // A store has one instance, which sets them once.
        let _ = self.imports.set(imports);
    }

    /// Returns the host's function for the import of this number.
    pub(super) fn import(&self, number: u32) -> Option<Arc<dyn HostFunction>> {
        self.imports.get()?.get(number as usize).cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event, and wakes the thread of the store.
    pub(super) fn push(&self, event: Event) {
        let mut state = self.state();
        state.events.push_back(event);
        let host = state.host.take();
        drop(state);
        wake(host);
    }

    /// Takes the next event.
    pub(crate) fn next_event(&self) -> Option<Event> {
        self.state().events.pop_front()
    }

    /// Takes the next call of an import, and leaves other events.
    pub(super) fn next_request(&self) -> Option<Request> {
        let events = &mut self.state().events;
        let place = events
            .iter()
            .position(|event| matches!(event, Event::Import(_)))?;
        match events.remove(place) {
            Some(Event::Import(request)) => Some(request),
            _ => None,
        }
    }

    /// Whether there is an event. Otherwise the waker is woken when there is one.
    pub(crate) fn poll_ready(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if !state.events.is_empty() {
            return Poll::Ready(());
        }
        let replaced = state.host.replace(context.waker().clone());
        drop(state);
        // The earlier one may wait in vain from now on: it looks again.
        wake(replaced.filter(|earlier| !earlier.will_wake(context.waker())));
        Poll::Pending
    }

    /// Whether a driver has the store, or there are events.
    pub(crate) fn is_active(&self) -> bool {
        let state = self.state();
        state.is_driven || !state.events.is_empty()
    }

    /// Whether the driver has found the instance ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.state().has_ended
    }

    /// Returns the number of calls that have not ended.
    pub(crate) fn calls(&self) -> u32 {
        self.state().calls
    }

    /// Checks that one more call can start.
    ///
    /// # Errors
    /// `RuntimeError` if too many have not ended.
    pub(crate) fn check_room_for_call(&self) -> Result<(), WasmError> {
        let cap = self.limits.calls;
        match self.calls() >= cap {
            true => Err(WasmError::runtime(format!(
                "too many calls of the component have not ended: the cap is {cap} (max_component_calls)"
            ))),
            false => Ok(()),
        }
    }

    /// Whether a stream or future of the host or of the component is open, or the body of a response.
    pub(crate) fn has_streams(&self) -> bool {
        let state = self.state();
        !state.sources.is_empty() || !state.sinks.is_empty() || state.bodies > 0
    }

    /// Says that the host reads the body of a response, until the value that it returns is dropped.
    pub(crate) fn body_begins(self: &Arc<Self>) -> OpenBody {
        self.state().bodies += 1;
        OpenBody(self.clone())
    }

    // For the thread of the store.

    /// Has the driver give the store back, and waits for it, unless calls have not ended. Tasks that no call waits for go on in
    /// the next session.
    pub(crate) fn settle(&self) {
        let mut state = self.state();
        if !state.is_driven || state.calls > 0 {
            return;
        }
        state.wants_pause = true;
        // It is quiet again where it cannot give the store back: a task is in the middle of an import.
        state.is_quiet = false;
        wake_driver(state);
        let mut state = self.state();
        while state.is_driven && !state.is_quiet {
            let waited = self.paused.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state.wants_pause = false;
    }

    /// Whether the driver has given the store back although tasks go on, since this was asked last.
    pub(crate) fn take_paused(&self) -> bool {
        std::mem::take(&mut self.state().was_paused)
    }

    /// Has the driver start a call.
    pub(crate) fn call(&self, number: u32, deadline: Option<Deadline>, start: StartCall) {
        let mut state = self.state();
        state.calls += 1;
        if let Some(deadline) = deadline {
            state.deadlines.insert(number, deadline);
            self.move_deadline(&state);
        }
        state.commands.push_back(Command::Call(number, start));
        wake_driver(state);
    }

    /// Has the driver end all calls, unless there are none.
    pub(crate) fn end(&self, error: WasmError) {
        let mut state = self.state();
        if state.is_driven {
            state.commands.push_back(Command::End(error));
            wake_driver(state);
        }
    }

    /// Has the driver end all calls at once, with [`Outcome::Aborted`].
    pub(crate) fn abort(&self) {
        let state = self.state();
        if state.is_driven {
            deadline::abort(state.watch, &self.interrupt);
        }
        wake_driver(state);
        self.interrupt.notify();
    }

    /// Has the driver end all calls, as [`Exchange::abort`] does. Nothing waits for that: there is an event at once.
    pub(crate) fn give_up(&self) {
        self.abort();
        self.push(Event::AtRest);
    }

    /// Answers the call of an import. Does nothing if the component does not wait for it.
    pub(crate) fn answer(&self, request: u32, answer: Answer) {
        let sender = self.state().requests.remove(&request);
        if let Some(sender) = sender {
            // The call may have been given up.
            drop(sender.send(answer));
        }
    }

    /// Whether a driver has to be started. It counts as started from now on. A driver that has the store looks once more
    /// whether anything goes on.
    pub(super) fn begin_driving(&self) -> bool {
        let mut state = self.state();
        state.has_more = state.is_driven;
        !std::mem::replace(&mut state.is_driven, true)
    }

    /// Undoes [`Exchange::begin_driving`] where no driver could be started.
    pub(super) fn not_driving(&self) {
        let mut state = self.state();
        state.is_driven = false;
        state.commands.clear();
        state.calls = 0;
        state.deadlines.clear();
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn wake_driver(mut state: MutexGuard<'_, State>) {
    let driver = state.driver.take();
    drop(state);
    wake(driver);
}
