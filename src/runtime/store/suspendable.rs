//! Calls that can be suspended: their caller waits for the guest, but not for a host function that answers later.
//!
//! The guest has its own thread, and its stack stays there while the call is suspended. The guest runs only while
//! the caller's thread waits for it, so both are one thread in effect.
//!
//! While a call is suspended, its store can be used as in a host function. A call that starts then runs on the same
//! thread, above the suspended one. So only the innermost call of a store can be resumed.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use wasmtime::{AsContextMut, StoreContextMut, ValRaw};

use crate::runtime::base::error::WasmError;
use crate::runtime::engine::group::Group;
use crate::runtime::store::cell::{Access, GuestLink, HostCalls, StoreCell};
use crate::runtime::store::group_fuel::{self, FuelShare};
use crate::runtime::store::host_function::{HostFunction, Stop};
use crate::runtime::store::native_stack::ThreadStack;
use crate::runtime::store::thread::{GuestChannel, WaitingThread};
use crate::runtime::store::{FuncEntry, Outcome, StoreData, WasmStore, call_in};

/// A call that is suspended while a host function [answers later](Stop::Later).
///
/// Dropping it ends its guest.
pub struct SuspendableCall {
    store: WasmStore,
    /// The thread of the guest, unless the call runs above another one. `None` also after the call has ended.
    thread: Cell<Option<WaitingThread>>,
    channel: GuestChannel,
    exchange: Arc<Exchange>,
    /// The number of calls of the store that began before and have not ended, with this one.
    depth: u32,
    state: Cell<State>,
    /// The frame of the host function that answers later.
    waiting: RefCell<Option<Vec<ValRaw>>>,
    given_up: Cell<bool>,
    /// Notified when the guest no longer waits for the host function.
    answered: Notify,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The guest runs, or a host function that it called.
    Running,
    Suspended,
    Ended,
}

/// How a turn of a [`SuspendableCall`] ended.
#[derive(Debug)]
pub enum Turn {
    /// The guest waits for a host function that answers [later](Stop::Later).
    Suspended,
    /// The call has ended. The slots are as many as it got; they hold the results if it returned.
    Ended(Outcome<Vec<ValRaw>>),
}

/// What the guest of a suspendable call and its caller pass to each other, in turns.
pub(super) struct Exchange(Mutex<Message>);

enum Message {
    None,
    /// The guest calls a host function, and waits for its answer.
    Suspended(Arc<dyn HostFunction>, Vec<ValRaw>),
    /// The frame with the results of the host function.
    Answer(Result<Vec<ValRaw>, Stop>),
    /// The call has ended, or panicked.
    Ended(Result<Ended, Box<dyn Any + Send>>),
}

type Ended = Result<Outcome<Vec<ValRaw>>, WasmError>;

impl Exchange {
    fn lock(&self) -> MutexGuard<'_, Message> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Message {
        mem::replace(&mut self.lock(), Message::None)
    }

    fn put(&self, message: Message) {
        *self.lock() = message;
    }

    /// Suspends the guest, and waits for the answer of a host function. Called on the guest's thread.
    pub(super) fn suspend(
        &self,
        channel: &GuestChannel,
        host: &Arc<dyn HostFunction>,
        frame: &mut [ValRaw],
    ) -> Result<(), Stop> {
        self.put(Message::Suspended(host.clone(), frame.to_vec()));
        channel.suspend();
        match self.take() {
            Message::Answer(answer) => {
                frame.copy_from_slice(&answer?);
                Ok(())
            }
            _ => Err(Stop::Error(WasmError::given_up())),
        }
    }
}

/// The function of a call, with its arguments.
struct Guest {
    cell: Arc<StoreCell>,
    func: FuncEntry,
    frame: Vec<ValRaw>,
}

impl Guest {
    fn run(mut self, mut store: StoreContextMut<'_, StoreData>) -> Ended {
        ThreadStack::current().check()?;
        let group = self.cell.group.as_deref();
        let called = group_fuel::with_share(&mut store, group, FuelShare::All, |store| {
            call_in(store.as_context_mut(), &self.func, &mut self.frame)
        })?;
        Ok(Outcome::of(called)?.map(|()| self.frame))
    }
}

/// The context that a suspended call has lent.
struct LentContext(NonNull<StoreContextMut<'static, StoreData>>);

// SAFETY: the context is used on the thread that has lent it: that of the suspended guest.
unsafe impl Send for LentContext {}

impl LentContext {
    fn into_pointer(self) -> NonNull<StoreContextMut<'static, StoreData>> {
        self.0
    }
}

impl WasmStore {
    /// Runs the function with handle `func`, like [`WasmFunc::call_frame`], until it ends or is suspended. If it is
    /// suspended, it can be resumed. `held` is dropped when the call has ended.
    ///
    /// Returns `None`, without a call, if a call of the store is running that is not suspended.
    ///
    /// # Errors
    /// As [`WasmFunc::call_frame`]; `RuntimeError` if no thread can be started.
    ///
    /// [`WasmFunc::call_frame`]: crate::runtime::WasmFunc::call_frame
    pub(crate) fn start_suspendable(
        &self,
        func: u32,
        frame: Vec<ValRaw>,
        held: impl Send + 'static,
    ) -> Result<Option<(SuspendableCall, Turn)>, WasmError> {
        if !self.is_at_rest() && !self.cell.suspended.get() {
            return Ok(None);
        }
        let guest = Guest {
            cell: self.cell.clone(),
            func: self.func_entry(func)?,
            frame,
        };
        let exchange = Arc::new(Exchange(Mutex::new(Message::None)));
        let call = if self.is_at_rest() {
            self.start_on_thread(guest, exchange, held)?
        } else {
            self.start_above(guest, exchange, held)?
        };
        let turn = call.end_turn()?;
        Ok(Some((call, turn)))
    }

    /// Runs a guest on a thread of its own. The store has to be at rest.
    fn start_on_thread(
        &self,
        guest: Guest,
        exchange: Arc<Exchange>,
        held: impl Send + 'static,
    ) -> Result<SuspendableCall, WasmError> {
        let watch = self.begin(self.deadline(), false)?;
        let thread = WaitingThread::take()?;
        let channel = thread.channel();
        let cell = self.cell.clone();
        cell.guest.replace(Some(GuestLink {
            channel: channel.clone(),
            host_calls: HostCalls::Suspending(exchange.clone()),
        }));
        cell.access.set(Access::Taken);
        let call = self.suspendable(Some(thread), channel, exchange.clone());
        let task = move || {
            // SAFETY: the store was at rest, and `access` has been `Taken` since then, so there is no other
            // reference to it. Until it is at rest again, other code reaches it only through the context that a host
            // function of this guest lends.
            let store = unsafe { &mut *cell.store.get() };
            let run = AssertUnwindSafe(|| guest.run(store.as_context_mut()));
            let ended = catch_unwind(run);
            drop((watch, held));
            cell.guest.replace(None);
            cell.access.set(Access::Rest);
            exchange.put(Message::Ended(ended));
        };
        call.run(|channel| channel.run_until_suspended(task));
        Ok(call)
    }

    /// Runs a guest above the suspended call of the store, on the same thread.
    fn start_above(
        &self,
        guest: Guest,
        exchange: Arc<Exchange>,
        held: impl Send + 'static,
    ) -> Result<SuspendableCall, WasmError> {
        let cell = self.cell.clone();
        let Some(link) = cell.guest.borrow().clone() else {
            return Err(WasmError::busy());
        };
        let access = cell.access.replace(Access::Taken);
        let Access::Host(context) = access else {
            cell.access.set(access);
            return Err(WasmError::busy());
        };
        let context = LentContext(context);
        let outer = cell.set_host_calls(HostCalls::Suspending(exchange.clone()));
        let call = self.suspendable(None, link.channel, exchange.clone());
        let task = move || {
            let mut context = context.into_pointer();
            // SAFETY: the pointer is to a context on the stack of a `lend` in the suspended call below, which is
            // resumed only after this task has ended. `access` is `Taken` until then, so the context is borrowed
            // only once at a time.
            let store = unsafe { context.as_mut() };
            let ended = catch_unwind(AssertUnwindSafe(|| guest.run(store.as_context_mut())));
            drop(held);
            cell.set_host_calls(outer);
            cell.access.set(Access::Host(context));
            exchange.put(Message::Ended(ended));
        };
        call.run(|channel| channel.run_until_suspended(task));
        Ok(call)
    }

    fn suspendable(
        &self,
        thread: Option<WaitingThread>,
        channel: GuestChannel,
        exchange: Arc<Exchange>,
    ) -> SuspendableCall {
        let depth = self.cell.suspendable_calls.get() + 1;
        self.cell.suspendable_calls.set(depth);
        SuspendableCall {
            store: self.clone(),
            thread: Cell::new(thread),
            channel,
            exchange,
            depth,
            state: Cell::new(State::Running),
            waiting: RefCell::default(),
            given_up: Cell::new(false),
            answered: Notify::new(),
        }
    }
}

impl SuspendableCall {
    /// Returns the store of the call.
    pub fn store(&self) -> &WasmStore {
        &self.store
    }

    /// The number of calls of the store that began before and have not ended, with this one.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// Whether the call is suspended, and no call above it has yet to end.
    pub fn can_resume(&self) -> bool {
        let cell = &self.store.cell;
        self.state.get() == State::Suspended
            && cell.suspended.get()
            && cell.suspendable_calls.get() == self.depth
    }

    /// Answers the host function that the guest waits for, in the same way as [`HostFunction::call`], and runs the
    /// guest until the call ends or is suspended again.
    ///
    /// # Errors
    /// As [`WasmFunc::call_frame`](crate::runtime::WasmFunc::call_frame); `RuntimeError` if the call [cannot be
    /// resumed](Self::can_resume).
    ///
    /// # Panics
    /// If the guest's thread panicked.
    ///
    /// [`HostFunction::call`]: crate::runtime::HostFunction::call
    pub fn resume(
        &self,
        answer: impl FnOnce(&mut [ValRaw]) -> Result<(), Stop>,
    ) -> Result<Turn, WasmError> {
        if !self.can_resume() {
            return Err(WasmError::busy());
        }
        let Some(mut frame) = self.waiting.take() else {
            return Err(WasmError::busy());
        };
        let answer = answer(&mut frame).map(|()| frame);
        self.give(answer);
        self.end_turn()
    }

    /// Resumes the guest with the answer of the host function.
    fn give(&self, answer: Result<Vec<ValRaw>, Stop>) {
        let answer = match self.given_up.get() {
            true => Err(Stop::Error(WasmError::given_up())),
            false => answer,
        };
        self.exchange.put(Message::Answer(answer));
        self.state.set(State::Running);
        self.answered.notify_waiters();
        self.run(GuestChannel::resume_until_suspended);
    }

    /// Gives the turn to the guest.
    fn run(&self, turn: impl FnOnce(&GuestChannel)) {
        self.store.cell.suspended.set(false);
        self.within_group(|| turn(&self.channel));
    }

    /// Runs `f` within the limits of the store's group.
    fn within_group<R>(&self, f: impl FnOnce() -> R) -> R {
        let cell = &self.store.cell;
        let group: Option<&Group> = cell.group.as_deref();
        let _entered = group.map(|group| group.enter(cell.interrupt.deadline()));
        f()
    }

    /// Handles the end of a turn of the guest, and of each turn that follows at once.
    fn end_turn(&self) -> Result<Turn, WasmError> {
        loop {
            match self.exchange.take() {
                Message::Suspended(host, mut frame) => {
                    self.state.set(State::Suspended);
                    self.store.cell.suspended.set(true);
                    // A guest whose call was given up ends at once, and its host functions no longer run.
                    let called = match self.given_up.get() {
                        true => Ok(()),
                        false => self.within_group(|| host.call(&self.store, &mut frame)),
                    };
                    if let Err(Stop::Later) = called
                        && !self.given_up.get()
                    {
                        self.waiting.replace(Some(frame));
                        return Ok(Turn::Suspended);
                    }
                    if !self.can_resume() {
                        return Err(WasmError::busy());
                    }
                    self.give(called.map(|()| frame));
                }
                Message::Ended(ended) => {
                    self.ended();
                    return match ended {
                        Ok(ended) => ended.map(Turn::Ended),
                        Err(panic) => resume_unwind(panic),
                    };
                }
                Message::None | Message::Answer(_) => return Err(WasmError::given_up()),
            }
        }
    }

    fn ended(&self) {
        self.state.set(State::Ended);
        let cell = &self.store.cell;
        cell.suspendable_calls.set(self.depth - 1);
        // The call below, if there is one, is suspended.
        cell.suspended.set(self.depth > 1);
        drop(self.thread.take());
    }

    /// Whether the call has a deadline.
    pub fn has_deadline(&self) -> bool {
        self.store.cell.interrupt.deadline().is_some()
    }

    /// Waits until the guest has to end, or its host function has answered. Returns `true` if it has to end.
    pub async fn interrupted(&self) -> bool {
        let answered = self.answered.notified();
        let waits = self.state.get() == State::Suspended;
        let interrupt = &self.store.cell.interrupt;
        let ends = waits && interrupt.unless_due(answered).await.is_err();
        ends || self.given_up.get()
    }

    /// Ends the guest, which cannot catch this. If a host function of the guest runs, the guest ends after that
    /// function. If a call above this one has not ended, the guest stays suspended for ever.
    pub fn give_up(&self) {
        if self.given_up.replace(true) {
            return;
        }
        self.answered.notify_waiters();
        if self.can_resume()
            && let Some(frame) = self.waiting.take()
        {
            self.give(Ok(frame));
            // The guest has ended with an error, for which nobody waits any longer.
            let _ = self.end_turn();
        }
    }
}

impl Drop for SuspendableCall {
    fn drop(&mut self) {
        self.give_up();
        if self.state.get() != State::Ended {
            // Another guest runs on the thread.
            mem::forget(self.thread.take());
        }
    }
}
