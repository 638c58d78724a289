//! The driver of a store's calls.
//!
//! While calls of a store go on, a thread has the store and runs wasmtime's event loop, in which all of them take part. It
//! gives the store back as soon as no call is left, and nothing goes on by itself. Tasks of the component that wait for the
//! host beyond that, for example to write to a stream, go on in the next session.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use std::future::poll_fn;
use wasmtime::component::{Accessor, ResourceAny};
use wasmtime::{AsContextMut as _, StoreContextMut};

use super::exchange::{CallError, CallFuture, Command, Event, Exchange};
use crate::runtime::base::error::WasmError;
use crate::runtime::engine::deadline::Watch;
use crate::runtime::store::cell::Access;
use crate::runtime::store::thread::GuestThread;
use crate::runtime::store::{Outcome, StoreData, WasmStore, outcome};
use crate::runtime::wasi::call::{tokio, wait};

/// Handles of resources to drop before the calls of a session start: their destructors are guest code.
pub(crate) type LateResources = Box<dyn FnMut(&mut StoreData) -> Vec<ResourceAny> + Send>;

/// The thread of the driver, as long as it may be needed.
#[derive(Default)]
pub(crate) struct DriverThread(Cell<Option<GuestThread>>);

impl DriverThread {
    /// Keeps the thread for others, unless the store is driven.
    pub(crate) fn give_back(&self, exchange: &Exchange) {
        if exchange.is_active() {
            return;
        }
        if let Some(thread) = self.0.take() {
            thread.give_back();
        }
    }
}

/// The options of a session.
pub(crate) struct SessionOptions {
    pub(crate) late_resources: LateResources,
    /// Whether tasks may wait for time or files, which WASI 0.3 brings.
    pub(crate) has_own_events: bool,
    /// Dropped when the session has ended.
    pub(crate) held: Box<dyn Send>,
}

/// A driver with the store.
struct Session {
    exchange: Arc<Exchange>,
    options: SessionOptions,
}

impl WasmStore {
    /// Has a driver take the store and handle commands, unless one does.
    ///
    /// # Errors
    /// `RuntimeError` if the store is busy, or no thread can be started.
    pub(crate) fn drive(
        &self,
        exchange: &Arc<Exchange>,
        thread: &DriverThread,
        session: impl FnOnce() -> Result<SessionOptions, WasmError>,
    ) -> Result<(), WasmError> {
        if !exchange.begin_driving() {
            return Ok(());
        }
        let started = session().and_then(|options| {
            let session = Session {
                exchange: exchange.clone(),
                options,
            };
            self.start_driver(thread, session)
        });
        if started.is_err() {
            exchange.not_driving();
        }
        started
    }

    fn start_driver(&self, thread: &DriverThread, mut session: Session) -> Result<(), WasmError> {
        if !self.is_at_rest() {
            return Err(WasmError::busy());
        }
        let watch = self.begin(None, self.cell.interruptible)?;
        session
            .exchange
            .set_watch(watch.as_ref().map_or(0, Watch::number));
        let started = match thread.0.take() {
            Some(started) => started,
            None => GuestThread::take()?,
        };
        let cell = self.cell.clone();
        cell.access.set(Access::Taken);
        cell.guest_turn.store(true, Ordering::Release);
        started.start(move || {
            loop {
                // SAFETY: the store was at rest, and `access` has been `Taken` since then, so there is no other reference
                // to it until `end_driving` makes it rest again.
                let store = unsafe { &mut *cell.store.get() };
                let run = AssertUnwindSafe(|| session.run(store.as_context_mut()));
                if let Err(panic) = catch_unwind(run) {
                    session.exchange.ended(Event::Panicked(panic));
                }
                let rest = || {
                    cell.access.set(Access::Rest);
                    cell.guest_turn.store(false, Ordering::Release);
                };
                if session.exchange.end_driving(rest) {
                    break;
                }
            }
            drop((watch, session.options.held));
        });
        thread.0.set(Some(started));
        Ok(())
    }
}

impl Session {
    /// Runs calls until none is left, or one ends the instance.
    fn run(&mut self, mut store: StoreContextMut<'_, StoreData>) {
        let interrupt = store.data().interrupt.clone();
        let ended = match tokio() {
            Ok(tokio) => wait(
                tokio,
                interrupt.unless_due(self.run_calls(store.as_context_mut())),
            ),
            Err(error) => Err(error.into()),
        };
        let error = match ended {
            Ok(Ok(())) => return,
            Ok(Err(error)) | Err(error) => error,
        };
        // Nothing that the instance has open is of use any more.
        if let Some(wasi) = store.data_mut().wasi_p2.as_deref_mut() {
            wasi.close();
        }
        let ended = outcome::<()>(store, &error);
        self.exchange.ended(Event::Ended(match ended {
            Ok(Outcome::Threw(_) | Outcome::Exception(_)) => {
                Err(WasmError::runtime("uncaught WebAssembly exception"))
            }
            other => other,
        }));
    }

    async fn run_calls(
        &mut self,
        mut store: StoreContextMut<'_, StoreData>,
    ) -> wasmtime::Result<()> {
        for resource in (self.options.late_resources)(store.data_mut()) {
            resource.resource_drop_async(store.as_context_mut()).await?;
        }
        let turns = &Turns::default();
        let (exchange, has_own_events) = (&self.exchange, self.options.has_own_events);
        let running = store.run_concurrent(async |accessor| {
            let mut calls = Calls::default();
            poll_fn(|context| calls.poll(accessor, exchange, turns, context)).await
        });
        let mut running = pin!(running);
        exchange.resumed();
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut reported = None;
        poll_fn(move |context| {
            woken.forward_to(context.waker());
            if woken.take() {
                reported = None;
                exchange.resumed();
            }
            turns.leave.set(false);
            let mut probes = 0;
            loop {
                turns.polls.set(0);
                let mut own = Context::from_waker(&waker);
                if let Poll::Ready(ended) = running.as_mut().poll(&mut own) {
                    return Poll::Ready(ended.flatten());
                }
                if woken.take() {
                    // It is polled again at once.
                    reported = None;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                // wasmtime polls the calls once more where its own list of futures is empty. To be sure that it was not a
                // future that became ready, it is polled again, while nothing is woken.
                let is_empty = turns.polls.get() == 2;
                if is_empty && probes == 0 {
                    probes = 1;
                    continue;
                }
                let awaits_host = is_empty || !has_own_events;
                if awaits_host && turns.calls.get() == 0 && !turns.leave.replace(true) {
                    continue;
                }
                exchange.pause();
                if reported != Some((awaits_host, is_empty)) {
                    reported = Some((awaits_host, is_empty));
                    exchange.quiet(awaits_host, is_empty);
                }
                return Poll::Pending;
            }
        })
        .await
    }
}

/// What the two loops of a session tell each other.
#[derive(Default)]
struct Turns {
    /// How often the calls were polled since the session was.
    polls: Cell<u32>,
    /// The number of calls that have not ended.
    calls: Cell<usize>,
    /// Whether the session ends, since nothing goes on.
    leave: Cell<bool>,
}

/// The calls that have not ended.
#[derive(Default)]
struct Calls<'a>(FuturesUnordered<NumberedCall<'a>>);

/// A call, with its number.
struct NumberedCall<'a>(u32, CallFuture<'a>);

impl Future for NumberedCall<'_> {
    type Output = (u32, Result<Vec<wasmtime::component::Val>, CallError>);

    fn poll(mut self: std::pin::Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let number = self.0;
        self.1.as_mut().poll(context).map(|ended| (number, ended))
    }
}

impl<'a> Calls<'a> {
    /// Handles commands and the ends of calls. Ready when the session ends.
    fn poll(
        &mut self,
        accessor: &'a Accessor<StoreData>,
        exchange: &Exchange,
        turns: &Turns,
        context: &mut Context<'_>,
    ) -> Poll<wasmtime::Result<()>> {
        turns.polls.set(turns.polls.get() + 1);
        if self.0.is_empty() && (turns.leave.get() || exchange.pauses()) {
            return Poll::Ready(Ok(()));
        }
        while let Some(command) = exchange.next_command(context) {
            match command {
                Command::Call(number, start) => {
                    self.0.push(NumberedCall(number, start(accessor)));
                }
                Command::End(error) => return Poll::Ready(Err(error.into())),
            }
        }
        while let Poll::Ready(Some((number, ended))) = self.0.poll_next_unpin(context) {
            match ended {
                Ok(values) => exchange.call_ended(number, Ok(values)),
                Err(CallError::Refused(error)) => exchange.call_ended(number, Err(error)),
                Err(CallError::Ended(error)) => return Poll::Ready(Err(error)),
            }
        }
        turns.calls.set(self.0.len());
        Poll::Pending
    }
}

/// A waker that remembers whether it was woken.
#[derive(Default)]
struct Woken {
    woken: AtomicBool,
    outer: Mutex<Option<Waker>>,
}

impl Woken {
    fn forward_to(&self, outer: &Waker) {
        let mut own = self.outer.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *own {
            Some(own) => own.clone_from(outer),
            None => *own = Some(outer.clone()),
        }
    }

    fn take(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        let outer = self.outer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outer) = &*outer {
            outer.wake_by_ref();
        }
    }
}
