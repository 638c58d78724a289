//! Instances of asynchronous components: several calls of one instance run at a time, and wait for the host.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use wasmtime::StoreContextMut;
use wasmtime::component::Val;

use super::instance::{ComponentCall, ComponentInstance, ended_by};
use super::{concurrent, http};
use crate::runtime::base::error::WasmError;
use crate::runtime::engine::interrupt::Deadline;
use crate::runtime::store::concurrent::driver::{DriverThread, SessionOptions};
use crate::runtime::store::concurrent::exchange::{Answer, Event, Exchange, StartCall};
use crate::runtime::store::concurrent::stream::{Sink, Source};
use crate::runtime::store::{Outcome, StoreData, WasmStore};
use crate::runtime::wasi::p2::http::incoming::Incoming;

/// The calls of an instance, which a driver runs. They end when the instance is dropped.
pub(super) struct Driven {
    exchange: Arc<Exchange>,
    thread: DriverThread,
    /// Whether tasks of the component may wait for time or files.
    has_own_events: bool,
    /// The number of the next call.
    next: Cell<u32>,
    /// The functions of the calls that have not ended, by the numbers of the calls.
    called: RefCell<HashMap<u32, u32>>,
    /// The number of commands that were given.
    commands: Cell<u32>,
}

impl Drop for Driven {
    fn drop(&mut self) {
        self.exchange.give_up();
    }
}

impl Driven {
    /// Makes the calls of a store. `None` if it is not for an asynchronous component. `has_own_events`: whether its tasks
    /// may wait for time or files.
    ///
    /// # Errors
    /// `RuntimeError` if the store is busy.
    pub(super) fn of(
        store: &WasmStore,
        has_own_events: bool,
    ) -> Result<Option<Rc<Self>>, WasmError> {
        store.with(|store| {
            let data = store.data();
            let driven = data.exchange.clone().map(|exchange| Self {
                exchange,
                thread: DriverThread::default(),
                has_own_events,
                next: Cell::default(),
                called: RefCell::default(),
                commands: Cell::default(),
            });
            Ok(driven.map(Rc::new))
        })
    }

    /// Whether the instance has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.exchange.has_ended()
    }

    /// Runs `work`, for which this thread waits: see [`WasmStore::run_in_place`].
    ///
    /// # Errors
    /// As [`WasmStore::run_in_place`].
    pub(super) fn run_in_place<R>(
        &self,
        store: &WasmStore,
        work: impl AsyncFnOnce(&mut StoreContextMut<'_, StoreData>) -> wasmtime::Result<R>,
        failed: impl FnOnce(
            StoreContextMut<'_, StoreData>,
            &wasmtime::Error,
        ) -> Result<Outcome<R>, WasmError>,
    ) -> Result<Outcome<R>, WasmError> {
        store.run_in_place(&self.exchange, self.has_own_events, work, failed)
    }
}

impl ComponentInstance {
    /// Runs `work`, which enters the component, for which this thread waits. The instance ends if it does not return.
    pub(super) fn enter_in_place<R>(
        &self,
        driven: &Driven,
        work: impl AsyncFnOnce(&mut StoreContextMut<'_, StoreData>) -> wasmtime::Result<R>,
    ) -> Result<Outcome<R>, WasmError> {
        let failed = |store: StoreContextMut<'_, StoreData>, error: &wasmtime::Error| {
            self.ended.store(true, Ordering::Release);
            ended_by(store, error)
        };
        let outcome = driven.run_in_place(self.store(), work, failed)?;
        self.resume()?;
        Ok(outcome)
    }

    fn driven(&self) -> Result<&Driven, WasmError> {
        let driven = self.driven.as_deref();
        driven.ok_or_else(|| WasmError::runtime("the component is not asynchronous"))
    }

    /// Starts a call that runs beside other calls, and returns its number. `held` is dropped when the driver has given the
    /// store back, if a driver is started for the call.
    ///
    /// # Errors
    /// `RuntimeError` if the instance has ended or is busy, too many calls run, or no thread can be started.
    pub(crate) fn start_concurrently(
        &self,
        number: u32,
        args: Vec<Val>,
        timeout: Option<Duration>,
        held: impl FnOnce() -> Result<Box<dyn Send>, WasmError>,
    ) -> Result<u32, WasmError> {
        let driven = self.driven()?;
        self.check_not_ended()?;
        let (_, func) = self.callable(number)?;
        driven.exchange.check_room_for_call()?;
        let call = ComponentCall {
            func,
            number,
            interface: self.component().code.interface.clone(),
            args,
            late_drops: self.late_drops.clone(),
        };
        let start: StartCall = Box::new(move |accessor| Box::pin(concurrent::call(accessor, call)));
        let id = self.begin(driven, start, timeout, held)?;
        driven.called.borrow_mut().insert(id, number);
        Ok(id)
    }

    /// Starts to handle a request beside calls, as [`ComponentInstance::start_concurrently`] starts a call. The call lasts until
    /// the body of the response is read to its end, or dropped.
    ///
    /// # Errors
    /// `FunctionNotFound` if the component handles no requests by WASI 0.3; otherwise as
    /// [`ComponentInstance::start_concurrently`].
    pub(crate) fn start_handling_concurrently(
        &self,
        incoming: Incoming,
        timeout: Option<Duration>,
        held: impl FnOnce() -> Result<Box<dyn Send>, WasmError>,
    ) -> Result<u32, WasmError> {
        let driven = self.driven()?;
        self.check_not_ended()?;
        let func = self.http_handler(true)?;
        driven.exchange.check_room_for_call()?;
        let start: StartCall =
            Box::new(move |accessor| Box::pin(http::handle(accessor, func, incoming)));
        self.begin(driven, start, timeout, held)
    }

    /// Has the driver start a call, and returns its number.
    fn begin(
        &self,
        driven: &Driven,
        start: StartCall,
        timeout: Option<Duration>,
        held: impl FnOnce() -> Result<Box<dyn Send>, WasmError>,
    ) -> Result<u32, WasmError> {
        let id = driven.next.get();
        driven.next.set(id.wrapping_add(1));
        driven.commands.set(driven.commands.get().wrapping_add(1));
        let deadline = timeout.and_then(Deadline::after);
        driven.exchange.call(id, deadline, start);
        self.drive(driven, held)?;
        Ok(id)
    }

    /// Has a driver take the store, unless one has it.
    fn drive(
        &self,
        driven: &Driven,
        held: impl FnOnce() -> Result<Box<dyn Send>, WasmError>,
    ) -> Result<(), WasmError> {
        let late_drops = self.late_drops.clone();
        let has_own_events = driven.has_own_events;
        self.store().drive(&driven.exchange, &driven.thread, || {
            Ok(SessionOptions {
                late_resources: Box::new(move |data| late_drops.take(data)),
                has_own_events,
                held: held()?,
            })
        })
    }

    /// Has the component go on after the host has brought something.
    fn go_on(&self, driven: &Driven) -> Result<(), WasmError> {
        if self.check_not_ended().is_err() {
            return Ok(());
        }
        self.drive(driven, || Ok(Box::new(())))
    }

    /// Has the component pause, unless calls of it have not ended.
    pub(crate) fn settle(&self) {
        if let Some(driven) = &self.driven {
            driven.exchange.settle();
        }
    }

    /// Has the component go on after a [pause](Self::settle).
    ///
    /// # Errors
    /// `RuntimeError` if no thread can be started.
    pub(crate) fn resume(&self) -> Result<(), WasmError> {
        match &self.driven {
            Some(driven) if driven.exchange.take_paused() => self.go_on(driven),
            _ => Ok(()),
        }
    }

    /// Whether calls run, or there are [events](Self::next_event).
    ///
    /// # Errors
    /// `RuntimeError` if the component is not asynchronous.
    pub(crate) fn is_active(&self) -> Result<bool, WasmError> {
        Ok(self.driven()?.exchange.is_active())
    }

    /// Returns a future that is ready when there is an event.
    ///
    /// # Errors
    /// As [`ComponentInstance::is_active`].
    pub(crate) fn event_ready(&self) -> Result<impl Future<Output = ()> + use<>, WasmError> {
        let exchange = self.driven()?.exchange.clone();
        let poll = move |context: &mut Context<'_>| -> Poll<()> { exchange.poll_ready(context) };
        Ok(std::future::poll_fn(poll))
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// As [`ComponentInstance::is_active`].
    ///
    /// # Panics
    /// If the driver's thread panicked.
    pub(crate) fn next_event(&self) -> Result<Option<Event>, WasmError> {
        let driven = self.driven()?;
        let event = driven.exchange.next_event();
        match &event {
            Some(Event::Ended(_)) => self.ended.store(true, Ordering::Release),
            Some(Event::AtRest) => driven.thread.give_back(&driven.exchange),
            _ => {}
        }
        match event {
            Some(Event::Panicked(panic)) => {
                self.ended.store(true, Ordering::Release);
                std::panic::resume_unwind(panic)
            }
            event => Ok(event),
        }
    }

    /// Forgets a call that has ended, and returns the number of its function.
    pub(crate) fn take_called(&self, call: u32) -> Option<u32> {
        let driven = self.driven.as_deref()?;
        driven.called.borrow_mut().remove(&call)
    }

    /// Whether the component waits for something that only a new call could bring, and the host has given no command since.
    pub(crate) fn is_deadlocked(&self, commands: u32) -> bool {
        self.driven.as_deref().is_some_and(|driven| {
            let exchange = &driven.exchange;
            driven.commands.get() == commands && exchange.calls() > 0 && !exchange.has_streams()
        })
    }

    /// Ends all calls, and the instance, with an error.
    pub(crate) fn end_with(&self, error: WasmError) -> Result<(), WasmError> {
        self.driven()?.exchange.end(error);
        Ok(())
    }

    /// Ends all calls, and the instance, as soon as possible, with [`Outcome::Aborted`].
    pub(crate) fn abort_calls(&self) {
        if let Some(driven) = &self.driven {
            driven.exchange.abort();
        }
    }

    /// Answers the call of an import.
    ///
    /// # Errors
    /// `RuntimeError` if no thread can be started.
    pub(crate) fn answer_import(&self, request: u32, answer: Answer) -> Result<(), WasmError> {
        let driven = self.driven()?;
        driven.exchange.answer(request, answer);
        self.go_on(driven)
    }

    /// Does something with a stream or future of the host, if it is open.
    ///
    /// # Errors
    /// Those of `f`; `RuntimeError` if no thread can be started.
    pub(crate) fn with_source(
        &self,
        number: u32,
        f: impl FnOnce(&Source) -> Result<(), WasmError>,
    ) -> Result<(), WasmError> {
        let driven = self.driven()?;
        if let Some(source) = driven.exchange.source(number) {
            f(&source)?;
            self.go_on(driven)?;
        }
        Ok(())
    }

    /// Does something with a stream or future of the component, if it is open.
    ///
    /// # Errors
    /// `RuntimeError` if no thread can be started.
    pub(crate) fn with_sink(&self, number: u32, f: impl FnOnce(&Sink)) -> Result<(), WasmError> {
        let driven = self.driven()?;
        if let Some(sink) = driven.exchange.sink(number) {
            f(&sink);
            self.go_on(driven)?;
        }
        Ok(())
    }
}
