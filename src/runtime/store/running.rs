//! Calls that their caller does not wait for.
//!
//! The guest runs on a thread of its own, and the caller's goes on. What the guest wants of the
//! host it asks for, and waits until somebody there has time to answer. Of the two threads only the
//! one whose *turn* it is uses the store: the caller's from where it takes notice of what the guest
//! asks for until it answers, and the guest's otherwise. In its turn the caller may do with the store
//! whatever an import may.

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
use wasmtime::{AsContextMut, ValRaw};

use super::cell::{Access, Bound, StoreCell};
use super::thread::{GuestThread, Way};
use super::{Outcome, WasmStore, call_in};
use crate::runtime::deadline::{self, Watch};
use crate::runtime::error::WasmError;
use crate::runtime::host::{HostFunction, Stop};
use crate::runtime::interrupt::Interrupt;

/// A call that goes on while its caller does something else.
///
/// To drop it is to give it up: its guest ends as soon as it can be interrupted.
pub struct RunningCall {
    store: WasmStore,
    thread: Cell<Option<GuestThread>>,
    /// The number by which it is aborted.
    number: u64,
    interrupt: Arc<Interrupt>,
    events: RefCell<UnboundedReceiver<Event>>,
    sender: UnboundedSender<Event>,
    /// What has happened, and nobody has looked at yet.
    event: RefCell<Option<Event>>,
    /// What the guest waits for.
    request: RefCell<Option<Request>>,
    /// Tells that it waits no longer.
    answered: Notify,
    given_up: Cell<bool>,
    /// Whether somebody waits for something to happen.
    is_awaited: Cell<bool>,
}

/// Says that nobody waits any more, when it is dropped.
struct Awaited<'a>(&'a Cell<bool>);

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// Where a [`RunningCall`] has got to.
#[derive(Debug)]
pub enum Progress {
    /// The guest runs.
    Running,
    /// The guest waits for a host function that answers [later](Stop::Later).
    Waiting,
    /// It has ended; with its results if it returned, as many slots as the call was given.
    Ended(Outcome<Vec<ValRaw>>),
}

/// What happens to a call.
pub(super) enum Event {
    /// Its guest wants something.
    Asks(Request),
    /// It has ended, or panicked.
    Ended(Result<Ended, Box<dyn Any + Send>>, LastTurn),
    /// It was given up.
    GivenUp,
}

type Ended = Result<Outcome<Vec<ValRaw>>, WasmError>;
/// The frame again, with the results in it.
type Answer = Result<Vec<ValRaw>, Stop>;

/// A host function that a guest has called, and waits for until this is dropped.
pub(super) struct Request {
    host: Arc<dyn HostFunction>,
    frame: Vec<ValRaw>,
    answer: Arc<Mutex<Option<Answer>>>,
    cell: Arc<StoreCell>,
}

/// The last turn of a guest, which ends when somebody has taken notice, or nobody will.
pub(super) struct LastTurn(Arc<StoreCell>);

impl Drop for LastTurn {
    fn drop(&mut self) {
        self.0.away.store(false, Ordering::Release);
    }
}

impl Request {
    /// Answers what `f` makes of the frame, and has the guest go on.
    fn answer(mut self, f: impl FnOnce(&mut [ValRaw]) -> Result<(), Stop>) {
        let mut frame = mem::take(&mut self.frame);
        let answer = f(&mut frame).map(|()| frame);
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.cell.go_on();
    }
}

/// On the guest's thread: asks for a function of the host, and waits for its answer.
pub(super) fn ask(
    cell: &Arc<StoreCell>,
    way: &Way,
    events: &UnboundedSender<Event>,
    host: &Arc<dyn HostFunction>,
    frame: &mut [ValRaw],
) -> Result<(), Stop> {
    let answer = Arc::default();
    let request = Request {
        host: host.clone(),
        frame: frame.to_vec(),
        answer: Arc::clone(&answer),
        cell: cell.clone(),
    };
    // If there is nobody any more, the request comes back and is dropped here.
    drop(events.send(Event::Asks(request)));
    way.wait();
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
    /// Starts a call of the function of handle `func`, as [`WasmFunc::call_frame`], and returns
    /// while it runs. It may take as long as `timeout`, whatever the store's calls may otherwise;
    /// `held` is kept until it has ended.
    ///
    /// # Errors
    /// `RuntimeError` if the store is busy, or there can be no thread.
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
        let func = self.func(func)?.entry;
        let watch = self.with(|store| deadline::begin(store, timeout, true))?;
        let thread = GuestThread::take()?;
        let number = watch.as_ref().map_or(0, Watch::number);
        let (sender, events) = unbounded_channel();
        let cell = self.cell.clone();
        cell.way.replace(Some(Bound {
            way: thread.way(),
            asks: Some(sender.clone()),
        }));
        cell.access.set(Access::Taken);
        cell.away.store(true, Ordering::Release);
        let tell = sender.clone();
        let task = move || {
            // SAFETY: the store was at rest, and `Taken` since: nobody has made a reference to it,
            // and until it is at rest again nobody does but through the context that is lent out
            // while this one waits.
            let store = unsafe { &mut *cell.store.get() };
            let ended = catch_unwind(AssertUnwindSafe(|| {
                let called = call_in(store.as_context_mut(), &func, &mut frame);
                Ok(Outcome::of(called)?.map(|()| frame))
            }));
            drop((watch, held));
            cell.way.replace(None);
            cell.access.set(Access::Rest);
            // It comes back if nobody wants to know.
            drop(tell.send(Event::Ended(ended, LastTurn(cell))));
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
    /// The store that it runs in.
    pub fn store(&self) -> &WasmStore {
        &self.store
    }

    /// Waits until there is something to [`advance`](Self::advance) over.
    ///
    /// # Errors
    /// `RuntimeError` if somebody waits for that already.
    pub async fn ready(&self) -> Result<(), WasmError> {
        if self.is_awaited.replace(true) {
            return Err(WasmError::runtime("somebody waits for the call already"));
        }
        let _awaited = Awaited(&self.is_awaited);
        poll_fn(|context| {
            let mut event = self.event.borrow_mut();
            if event.is_none() {
                match self.events.borrow_mut().poll_recv(context) {
                    Poll::Ready(happened) => *event = happened,
                    Poll::Pending => return Poll::Pending,
                }
            }
            Poll::Ready(())
        })
        .await;
        Ok(())
    }

    /// Runs the host function that the guest waits for, if it does, or tells how the call ended. To
    /// be called again, after [`ready`](Self::ready), until it has ended or fails.
    ///
    /// # Errors
    /// As [`WasmFunc::call_frame`](crate::runtime::WasmFunc::call_frame); `RuntimeError` if the call was given up.
    ///
    /// # Panics
    /// If the guest's thread did.
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
            Some(Event::Asks(request)) => Ok(self.serve(request)),
            Some(Event::Ended(Ok(ended), turn)) => {
                drop(turn);
                if let Some(thread) = self.thread.take() {
                    thread.give_back();
                }
                // Nothing else will happen to whoever waits although this was not said to be ready.
                drop(self.sender.send(Event::GivenUp));
                ended.map(Progress::Ended)
            }
            Some(Event::Ended(Err(panic), _)) => resume_unwind(panic),
            Some(Event::GivenUp) => Err(WasmError::given_up()),
        }
    }

    fn serve(&self, mut request: Request) -> Progress {
        request.cell.away.store(false, Ordering::Release);
        let called = request.host.call(&self.store, &mut request.frame);
        // The function may have given the call up: then there is nothing to answer.
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

    /// Answers for the host function that the guest waits for, as [`HostFunction::call`] would have.
    /// Does nothing if the guest does not wait.
    pub fn answer(&self, answer: impl FnOnce(&mut [ValRaw]) -> Result<(), Stop>) {
        if let Some(request) = self.request.take() {
            request.answer(answer);
            self.answered.notify_waiters();
        }
    }

    /// Whether its time ends.
    pub fn has_deadline(&self) -> bool {
        self.interrupt.has_deadline()
    }

    /// Waits until the guest has to end, or has: `true` if it has to. For whoever
    /// [answers](Self::answer) later, so as not to keep it waiting.
    pub async fn interrupted(&self) -> bool {
        let answered = self.answered.notified();
        let waits = self.request.borrow().is_some();
        let ends = waits && self.interrupt.unless_due(answered).await.is_err();
        ends || self.given_up.get()
    }

    /// Has the guest end as soon as can be, with [`Outcome::Aborted`], if the code of its store's
    /// guests [can be interrupted](crate::runtime::StoreOptions::interruptible). Otherwise it ends
    /// where it next waits.
    pub fn abort(&self) {
        deadline::abort(self.number, &self.interrupt);
    }

    /// Aborts it, and waits for it no longer.
    pub fn give_up(&self) {
        if self.given_up.replace(true) {
            return;
        }
        self.abort();
        drop(self.request.take());
        self.answered.notify_waiters();
        // Wakes whoever waits for it to be ready.
        drop(self.sender.send(Event::GivenUp));
    }
}

impl Drop for RunningCall {
    fn drop(&mut self) {
        self.give_up();
    }
}
