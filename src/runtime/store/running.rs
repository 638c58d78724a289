//! Asynchronous calls: the caller does not wait for the guest.
//!
//! The guest runs on its own thread while the caller's thread continues. The guest requests calls of host
//! functions, and waits until the caller's thread answers. Only the thread that has the *turn* uses the store. The
//! caller's thread has the turn from the time when it handles a request until it answers. Otherwise the guest's
//! thread has it. During its turn, the caller may use the store like an import.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use wasmtime::{AsContextMut, StoreContextMut, ValRaw};

use crate::runtime::base::error::WasmError;
use crate::runtime::engine::deadline::{self, Watch};
use crate::runtime::engine::interrupt::{Deadline, Interrupt};
use crate::runtime::store::cell::{Access, GuestLink, HostCalls, StoreCell};
use crate::runtime::store::group_fuel::{self, FuelShare};
use crate::runtime::store::host_function::{HostFunction, Stop};
use crate::runtime::store::thread::{GuestChannel, GuestThread};
use crate::runtime::store::{Outcome, StoreData, WasmStore, call_in};

/// An asynchronous call: it runs while its caller does other work.
///
/// Dropping it gives the call up: its guest is ended as soon as it can be interrupted.
pub struct RunningCall {
    store: WasmStore,
    thread: Cell<Option<GuestThread>>,
    /// The number to abort the call with.
    number: u64,
    interrupt: Arc<Interrupt>,
    events: RefCell<UnboundedReceiver<Event>>,
    sender: UnboundedSender<Event>,
    /// The last event that was received but not handled.
    event: RefCell<Option<Event>>,
    /// The host call that the guest waits for, after [`Stop::Later`].
    request: RefCell<Option<HostCallRequest>>,
    /// Notified when the guest no longer waits for the host call.
    answered: Notify,
    given_up: Cell<bool>,
    /// Whether [`RunningCall::ready`] is running.
    is_awaited: Cell<bool>,
}

/// Clears the flag on drop.
struct AwaitGuard<'a>(&'a Cell<bool>);

impl Drop for AwaitGuard<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// The state of a [`RunningCall`].
#[derive(Debug)]
pub enum Progress {
    /// The guest is running.
    Running,
    /// The guest waits for a host function that answers [later](Stop::Later).
    Waiting,
    /// The call has ended. The slots are as many as it got; they hold the results if it returned.
    Ended(Outcome<Vec<ValRaw>>),
}

/// An event of a call.
pub(super) enum Event {
    /// The guest calls a host function.
    HostCall(HostCallRequest),
    /// The call has ended, or panicked.
    Ended(Result<Ended, Box<dyn Any + Send>>, LastTurn),
    /// The call was given up.
    GivenUp,
}

type Ended = Result<Outcome<Vec<ValRaw>>, WasmError>;
/// The frame with the results.
type Answer = Result<Vec<ValRaw>, Stop>;

/// A call of a host function. The guest waits until this value is dropped.
pub(super) struct HostCallRequest {
    host: Arc<dyn HostFunction>,
    frame: Vec<ValRaw>,
    answer: Arc<Mutex<Option<Answer>>>,
    cell: Arc<StoreCell>,
}

/// The last turn of a guest. It ends when the event is handled or dropped.
pub(super) struct LastTurn(Arc<StoreCell>);

impl Drop for LastTurn {
    fn drop(&mut self) {
        self.0.guest_turn.store(false, Ordering::Release);
    }
}

impl HostCallRequest {
    /// Stores the result of `f` on the frame as the answer, and resumes the guest.
    fn answer(mut self, f: impl FnOnce(&mut [ValRaw]) -> Result<(), Stop>) {
        let mut frame = mem::take(&mut self.frame);
        let answer = f(&mut frame).map(|()| frame);
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }
}

impl Drop for HostCallRequest {
    fn drop(&mut self) {
        self.cell.resume();
    }
}

/// Requests a host call and waits for the answer. Called on the guest's thread.
pub(super) fn request_host_call(
    cell: &Arc<StoreCell>,
    channel: &GuestChannel,
    events: &UnboundedSender<Event>,
    host: &Arc<dyn HostFunction>,
    frame: &mut [ValRaw],
) -> Result<(), Stop> {
    let answer = Arc::default();
    let request = HostCallRequest {
        host: host.clone(),
        frame: frame.to_vec(),
        answer: Arc::clone(&answer),
        cell: cell.clone(),
    };
    // If the receiver has been dropped, `send` returns the request, which is dropped here and resumes the guest.
    drop(events.send(Event::HostCall(request)));
    channel.wait();
    let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
    match answer {
        Some(answer) => {
            frame.copy_from_slice(&answer?);
            Ok(())
        }
        None => Err(Stop::Error(WasmError::given_up())),
    }
}

impl WasmStore {
    /// Starts a call of the function with handle `func`, like [`WasmFunc::call_frame`], and returns while it runs.
    /// `timeout` replaces the store's timeout. `held` is dropped when the call has ended.
    ///
    /// # Errors
    /// `RuntimeError` if the store is busy, or no thread can be started.
    pub(crate) fn start(
        &self,
        func: u32,
        mut frame: Vec<ValRaw>,
        timeout: Option<Duration>,
        held: impl Send + 'static,
    ) -> Result<RunningCall, WasmError> {
        if !self.is_at_rest() {
            return Err(WasmError::busy());
        }
        self.check_bytes_unused()?;
        let func = self.func_entry(func)?;
        self.start_with(timeout, held, move |store| {
            let called = call_in(store, &func, &mut frame);
            Ok(Outcome::of(called)?.map(|()| frame))
        })
    }

    /// Starts `run`, which runs guest code, as [`WasmStore::start`] does. It returns the slots of the call.
    ///
    /// # Errors
    /// As [`WasmStore::start`].
    pub(crate) fn start_with(
        &self,
        timeout: Option<Duration>,
        held: impl Send + 'static,
        run: impl FnOnce(StoreContextMut<'_, StoreData>) -> Result<Outcome<Vec<ValRaw>>, WasmError>
        + Send
        + 'static,
    ) -> Result<RunningCall, WasmError> {
        if !self.is_at_rest() {
            return Err(WasmError::busy());
        }
        self.check_bytes_unused()?;
        let watch = self.begin(timeout.and_then(Deadline::after), true)?;
        let thread = GuestThread::take()?;
        let number = watch.as_ref().map_or(0, Watch::number);
        let (sender, events) = unbounded_channel();
        let cell = self.cell.clone();
        cell.guest.replace(Some(GuestLink {
            channel: thread.channel(),
            host_calls: HostCalls::Requested(sender.clone()),
        }));
        cell.access.set(Access::Taken);
        cell.guest_turn.store(true, Ordering::Release);
        let ended_sender = sender.clone();
        let task = move || {
            // SAFETY: the store was at rest, and `access` has been `Taken` since then, so there is no other
            // reference to it. Until it is at rest again, other code reaches it only through the context that is
            // lent while this reference waits.
            let store = unsafe { &mut *cell.store.get() };
            let ended = catch_unwind(AssertUnwindSafe(|| {
                let (mut store, group) = (store.as_context_mut(), cell.group.as_deref());
                group_fuel::with_share(&mut store, group, FuelShare::Half, |store| {
                    run(store.as_context_mut())
                })?
            }));
            drop((watch, held));
            cell.guest.replace(None);
            cell.access.set(Access::Rest);
            // If the call was dropped, `send` returns the event, which is dropped here.
            drop(ended_sender.send(Event::Ended(ended, LastTurn(cell))));
        };
        thread.start(task);
        Ok(RunningCall {
            interrupt: self.cell.interrupt.clone(),
            store: self.clone(),
            thread: Cell::new(Some(thread)),
            number,
            events: RefCell::new(events),
            sender,
            event: RefCell::default(),
            request: RefCell::default(),
            answered: Notify::new(),
            given_up: Cell::default(),
            is_awaited: Cell::default(),
        })
    }
}

impl RunningCall {
    /// Returns the store of the call.
    pub fn store(&self) -> &WasmStore {
        &self.store
    }

    /// Waits until there is an event for [`advance`](Self::advance).
    ///
    /// # Errors
    /// `RuntimeError` if another `ready` of this call is waiting.
    pub async fn ready(&self) -> Result<(), WasmError> {
        if self.is_awaited.replace(true) {
            return Err(WasmError::runtime("somebody waits for the call already"));
        }
        let _guard = AwaitGuard(&self.is_awaited);
        poll_fn(|context| {
            let mut event = self.event.borrow_mut();
            if event.is_none() {
                match self.events.borrow_mut().poll_recv(context) {
                    Poll::Ready(received) => *event = received,
                    Poll::Pending => return Poll::Pending,
                }
            }
            Poll::Ready(())
        })
        .await;
        Ok(())
    }

    /// Handles the next event: runs the host function that the guest waits for, or returns the result of the call.
    /// To be called again after [`ready`](Self::ready), until the call has ended or failed.
    ///
    /// # Errors
    /// As [`WasmFunc::call_frame`](crate::runtime::WasmFunc::call_frame); `RuntimeError` if the call was given up.
    ///
    /// # Panics
    /// If the guest's thread panicked.
    pub fn advance(&self) -> Result<Progress, WasmError> {
        if self.given_up.get() {
            return Err(WasmError::given_up());
        }
        let event = self.event.take();
        match event.or_else(|| self.events.borrow_mut().try_recv().ok()) {
            None => Ok(match *self.request.borrow() {
                Some(_) => Progress::Waiting,
                None => Progress::Running,
            }),
            Some(Event::HostCall(request)) => Ok(self.run_host_call(request)),
            Some(Event::Ended(Ok(ended), turn)) => {
                drop(turn);
                if let Some(thread) = self.thread.take() {
                    thread.give_back();
                }
                // Wakes a `ready` that is waiting although `advance` was called before it returned: no other event
                // will come.
                drop(self.sender.send(Event::GivenUp));
                ended.map(Progress::Ended)
            }
            Some(Event::Ended(Err(panic), _)) => resume_unwind(panic),
            Some(Event::GivenUp) => Err(WasmError::given_up()),
        }
    }

    fn run_host_call(&self, mut request: HostCallRequest) -> Progress {
        request.cell.guest_turn.store(false, Ordering::Release);
        let group = self.store.cell.group.as_deref();
        let _entered = group.map(|group| group.enter(self.interrupt.deadline()));
        let called = request.host.call(&self.store, &mut request.frame);
        // The function may have given the call up. Then no guest waits for an answer.
        if self.given_up.get() {
            return Progress::Running;
        }
        if let Err(Stop::Later) = called {
            self.request.replace(Some(request));
            return Progress::Waiting;
        }
        request.answer(|_| called);
        Progress::Running
    }

    /// Answers the host call that the guest waits for, in the same way as [`HostFunction::call`]. Does nothing if
    /// the guest does not wait.
    pub fn answer(&self, answer: impl FnOnce(&mut [ValRaw]) -> Result<(), Stop>) {
        if let Some(request) = self.request.take() {
            request.answer(answer);
            self.answered.notify_waiters();
        }
    }

    /// Whether the call has a deadline.
    pub fn has_deadline(&self) -> bool {
        self.interrupt.deadline().is_some()
    }

    /// Waits until the guest has to end, or its host call is answered. Returns `true` if it has to end. A host
    /// function that [answers](Self::answer) later uses it to stop early.
    pub async fn interrupted(&self) -> bool {
        let answered = self.answered.notified();
        let waits = self.request.borrow().is_some();
        let ends = waits && self.interrupt.unless_due(answered).await.is_err();
        ends || self.given_up.get()
    }

    /// Ends the guest as soon as possible with [`Outcome::Aborted`], if its code [can be
    /// interrupted](crate::runtime::StoreOptions::interruptible). Otherwise the guest ends when it waits the next
    /// time.
    pub fn abort(&self) {
        deadline::abort(self.number, &self.interrupt);
    }

    /// Aborts the call, and stops waiting for it.
    pub fn give_up(&self) {
        if self.given_up.replace(true) {
            return;
        }
        self.abort();
        drop(self.request.take());
        self.answered.notify_waiters();
        // Wakes a `ready` that is waiting.
        drop(self.sender.send(Event::GivenUp));
    }
}

impl Drop for RunningCall {
    fn drop(&mut self) {
        self.give_up();
    }
}
