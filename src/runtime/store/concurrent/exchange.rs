//! What the thread of a store and the driver of its calls tell each other.

use std::any::Any;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::oneshot;
use wasmtime::component::{Accessor, Val};

use super::stream::{Chunk, Sink, Source};
use crate::runtime::base::error::WasmError;
use crate::runtime::engine::deadline;
use crate::runtime::engine::interrupt::{Aborted, Deadline, Interrupt};
use crate::runtime::store::host_function::{HostFunction, Stop};
use crate::runtime::store::{Outcome, StoreData};

/// The future of a call, which the driver polls.
pub(crate) type CallFuture<'a> = Pin<Box<dyn Future<Output = Result<Vec<Val>, CallError>> + 'a>>;

/// Starts a call.
pub(crate) type StartCall =
    Box<dyn for<'a> FnOnce(&'a Accessor<StoreData>) -> CallFuture<'a> + Send>;

/// The reason why a call did not return.
pub(crate) enum CallError {
    /// The component was not entered.
    Refused(WasmError),
    /// The instance has ended.
    Ended(wasmtime::Error),
}

impl From<wasmtime::Error> for CallError {
    fn from(error: wasmtime::Error) -> Self {
        Self::Ended(error)
    }
}

/// What the thread of the store has the driver do.
pub(super) enum Command {
    /// Start a call.
    Call(u32, StartCall),
    /// End all calls with this error.
    End(WasmError),
}

/// Something that the thread of the store has to handle.
pub(crate) enum Event {
    /// The component calls an import, and waits for its answer.
    Import(Request),
    /// A call has returned.
    Returned(u32, Vec<Val>),
    /// A call was refused before the component was entered.
    Refused(u32, WasmError),
    /// All calls have ended otherwise, and so has the instance.
    Ended(Result<Outcome<()>, WasmError>),
    /// The driver's thread has panicked.
    Panicked(Box<dyn Any + Send>),
    /// Nothing goes on before the thread of the store does something, or time passes.
    Quiet(Quiet),
    /// The driver has given the store back.
    AtRest,
    /// The component wants elements of a stream or the value of a future of the host: at most so many elements.
    Wanted(u32, u32),
    /// The component has dropped its end of a stream or future of the host.
    SourceDropped(u32),
    /// Elements of a stream, or the value of a future, of the component, and the number of their type.
    Chunk(u32, Option<u32>, Chunk),
    /// A stream or future of the component has ended.
    SinkEnded(u32),
}

/// How things stand when nothing goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quiet {
    /// Whether only a function, a stream or a new call of the host could make anything go on, and no time or file.
    pub(crate) awaits_host: bool,
    /// Whether nothing but a new call could.
    pub(crate) is_stuck: bool,
    /// Whether a call has a deadline.
    pub(crate) has_deadline: bool,
    /// The number of commands that the driver had got.
    pub(crate) commands: u32,
}

/// The call of an import.
pub(crate) struct Request {
    /// The number to answer with.
    pub(crate) number: u32,
    /// The number of the import.
    pub(crate) import: u32,
    pub(crate) args: Vec<Val>,
}

/// The results of an import.
pub(crate) type Answer = Result<Vec<Val>, Stop>;

/// The caps on what waits in an exchange.
#[derive(Clone, Copy)]
pub(crate) struct ExchangeLimits {
    /// The maximum number of calls that have not ended, and of imports that were called and have not.
    pub(crate) calls: u32,
    /// The maximum number of streams and futures that are open at a time.
    pub(crate) streams: u32,
}

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

    /// Whether a stream or future of the host or of the component is open.
    pub(crate) fn has_streams(&self) -> bool {
        let state = self.state();
        !state.sources.is_empty() || !state.sinks.is_empty()
    }

    // For the thread of the store.

    /// Waits until the driver has given the store back, if it does so by itself: no call is left, and what goes on does not
    /// wait for anything.
    pub(crate) fn settle(&self) {
        let mut state = self.state();
        while state.is_driven && state.calls == 0 && !state.is_quiet {
            let waited = self.paused.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
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

    // For the driver.

    /// Sets the number that the session is watched by.
    pub(super) fn set_watch(&self, watch: u64) {
        let mut state = self.state();
        state.watch = watch;
        self.move_deadline(&state);
    }

    /// Takes the next command. The waker is woken when there is another one.
    pub(super) fn next_command(&self, context: &Context<'_>) -> Option<Command> {
        let mut state = self.state();
        match state.commands.pop_front() {
            Some(command) => {
                state.taken = state.taken.wrapping_add(1);
                Some(command)
            }
            None => {
                state.driver = Some(context.waker().clone());
                None
            }
        }
    }

    /// Reports the end of a call, unless the instance has ended with it.
    pub(super) fn call_ended(&self, number: u32, ended: Result<Vec<Val>, WasmError>) {
        let mut state = self.state();
        state.calls = state.calls.saturating_sub(1);
        if let Some(deadline) = state.deadlines.remove(&number) {
            // Its task may go on.
            let others = state.task_deadline.filter(|other| other.at < deadline.at);
            state.task_deadline = others.or(Some(deadline));
        }
        drop(state);
        self.push(match ended {
            Ok(values) => Event::Returned(number, values),
            Err(error) => Event::Refused(number, error),
        });
    }

    /// Reports that the instance has ended.
    pub(super) fn ended(&self, event: Event) {
        let mut state = self.state();
        state.has_ended = true;
        state.calls = 0;
        state.deadlines.clear();
        state.commands.clear();
        state.requests.clear();
        state.sources.clear();
        state.sinks.clear();
        drop(state);
        self.push(event);
    }

    /// Something goes on.
    pub(super) fn resumed(&self) {
        let mut state = self.state();
        state.is_quiet = false;
        if state.task_deadline.is_none() {
            state.task_deadline = self.timeout.and_then(Deadline::after);
            self.move_deadline(&state);
        }
    }

    /// Nothing goes on.
    pub(super) fn pause(&self) {
        let mut state = self.state();
        state.is_quiet = true;
        if state.task_deadline.take().is_some() {
            self.move_deadline(&state);
        }
        self.paused.notify_all();
    }

    /// Reports that nothing goes on.
    pub(super) fn quiet(&self, awaits_host: bool, is_stuck: bool) {
        let mut state = self.state();
        // The thread of the store needs to know only the last one of several in a row.
        if let Some(Event::Quiet(_)) = state.events.back() {
            state.events.pop_back();
        }
        let quiet = Quiet {
            awaits_host,
            is_stuck,
            has_deadline: !state.deadlines.is_empty(),
            commands: state.taken,
        };
        drop(state);
        self.push(Event::Quiet(quiet));
    }

    /// Ends the driver's turn by `rest`, unless there are commands. Returns whether it did.
    pub(super) fn end_driving(&self, rest: impl FnOnce()) -> bool {
        let mut state = self.state();
        if std::mem::take(&mut state.has_more) || !state.commands.is_empty() {
            return false;
        }
        rest();
        state.is_driven = false;
        state.task_deadline = None;
        self.paused.notify_all();
        drop(state);
        self.push(Event::AtRest);
        true
    }

    /// Moves the deadline of the session to the earliest of its calls.
    fn move_deadline(&self, state: &State) {
        let all = state.deadlines.values().chain(&state.task_deadline);
        let earliest = all.min_by_key(|deadline| deadline.at);
        deadline::set(state.watch, &self.interrupt, earliest.copied());
    }

    // For imports.

    /// Calls an import, and waits for its results.
    ///
    /// # Errors
    /// The error with which the instance has to end.
    pub(crate) async fn request(
        self: &Arc<Self>,
        import: u32,
        args: Vec<Val>,
    ) -> wasmtime::Result<Vec<Val>> {
        let (sender, answer) = oneshot::channel();
        let number = {
            let mut state = self.state();
            let cap = self.limits.calls;
            if state.requests.len() >= cap as usize {
                return Err(WasmError::runtime(format!(
                    "too many calls of imports have not ended: the cap is {cap} (max_component_calls)"
                ))
                .into());
            }
            let number = state.next_request;
            state.next_request = number.wrapping_add(1);
            state.requests.insert(number, sender);
            number
        };
        self.push(Event::Import(Request {
            number,
            import,
            args,
        }));
        let _guard = GiveUp(self, number);
        match answer.await {
            Ok(Ok(values)) => Ok(values),
            // A component cannot catch anything.
            Ok(Err(Stop::Abort)) => Err(Aborted.into()),
            Ok(Err(Stop::Error(error))) => Err(error.into()),
            Ok(Err(_)) => {
                Err(WasmError::runtime("a function of the host ended in an unknown way").into())
            }
            Err(_) => Err(WasmError::given_up().into()),
        }
    }

    // For streams and futures.

    /// Opens a stream or future of the host under the number that the host has given it.
    ///
    /// # Errors
    /// `RuntimeError` if there are too many, or the number is taken.
    pub(super) fn open_source(&self, number: u32) -> Result<Arc<Source>, WasmError> {
        let mut state = self.state();
        self.check_room(&state)?;
        if state.sources.contains_key(&number) {
            return Err(WasmError::runtime(
                "a stream or future of the host is passed twice",
            ));
        }
        let source = Arc::<Source>::default();
        state.sources.insert(number, source.clone());
        Ok(source)
    }

    /// Opens a stream or future of the component, and returns its number.
    ///
    /// # Errors
    /// `RuntimeError` if there are too many.
    pub(super) fn open_sink(&self) -> Result<(u32, Arc<Sink>), WasmError> {
        let mut state = self.state();
        self.check_room(&state)?;
        let number = state.next_sink;
        state.next_sink = number.wrapping_add(1);
        let sink = Arc::<Sink>::default();
        state.sinks.insert(number, sink.clone());
        Ok((number, sink))
    }

    fn check_room(&self, state: &State) -> Result<(), WasmError> {
        let cap = self.limits.streams;
        if state.sources.len() + state.sinks.len() >= cap as usize {
            return Err(WasmError::runtime(format!(
                "too many streams and futures are open: the cap is {cap} (max_component_streams)"
            )));
        }
        Ok(())
    }

    /// Returns the open stream or future of the host with this number.
    pub(crate) fn source(&self, number: u32) -> Option<Arc<Source>> {
        self.state().sources.get(&number).cloned()
    }

    /// Returns the open stream or future of the component with this number.
    pub(crate) fn sink(&self, number: u32) -> Option<Arc<Sink>> {
        self.state().sinks.get(&number).cloned()
    }

    /// Forgets a stream or future of the host that the component has dropped.
    pub(super) fn source_dropped(&self, number: u32) {
        if self.state().sources.remove(&number).is_some() {
            self.push(Event::SourceDropped(number));
        }
    }

    /// Forgets a stream or future of the component that has ended.
    pub(super) fn sink_ended(&self, number: u32) {
        if self.state().sinks.remove(&number).is_some() {
            self.push(Event::SinkEnded(number));
        }
    }
}

/// Forgets the call of an import for whose answer nothing waits any more.
struct GiveUp<'a>(&'a Exchange, u32);

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        self.0.state().requests.remove(&self.1);
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
