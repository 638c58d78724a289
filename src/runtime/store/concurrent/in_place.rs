//! Runs of asynchronous components for which the thread of the store waits.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use wasmtime::{AsContextMut as _, StoreContextMut};

use super::exchange::{Exchange, Request};
use crate::runtime::base::error::WasmError;
use crate::runtime::engine::interrupt::Interrupt;
use crate::runtime::store::component_values::ComponentValues;
use crate::runtime::store::host_function::Stop;
use crate::runtime::store::native_stack::ThreadStack;
use crate::runtime::store::{Outcome, StoreData, WasmStore};
use crate::runtime::wasi::call::{Unpark, tokio};

/// The longest time for which this thread sleeps. A task that yields to the event loop of the app, which stands still
/// meanwhile, is never woken, so it is polled again.
const MAX_SLEEP: Duration = Duration::from_millis(100);

impl WasmStore {
    /// Runs `work`, which enters a component, and answers the imports that it calls on this thread meanwhile. `failed` makes
    /// the outcome of an error of `work`.
    ///
    /// # Errors
    /// `RuntimeError` if the store is busy, the stack is used up, or the component waits for something that this thread
    /// would have to bring; otherwise those of `failed`.
    pub(crate) fn run_in_place<R>(
        &self,
        exchange: &Arc<Exchange>,
        has_own_events: bool,
        work: impl AsyncFnOnce(&mut StoreContextMut<'_, StoreData>) -> wasmtime::Result<R>,
        failed: impl FnOnce(
            StoreContextMut<'_, StoreData>,
            &wasmtime::Error,
        ) -> Result<Outcome<R>, WasmError>,
    ) -> Result<Outcome<R>, WasmError> {
        if !self.is_at_rest() {
            return Err(WasmError::busy());
        }
        ThreadStack::current().check()?;
        let _watch = self.begin(self.deadline(), false)?;
        let run = |mut store: StoreContextMut<'_, StoreData>| {
            let interrupt = store.data().interrupt.clone();
            let worked = {
                let mut context = store.as_context_mut();
                let future = work(&mut context);
                self.poll_in_place(exchange, has_own_events, &interrupt, future)
            };
            match worked {
                Ok(value) => Ok(Outcome::Returned(value)),
                Err(error) => failed(store, &error),
            }
        };
        // SAFETY: the store is at rest; the borrow in `begin` has ended.
        unsafe { self.take(run) }
    }

    fn poll_in_place<R>(
        &self,
        exchange: &Arc<Exchange>,
        has_own_events: bool,
        interrupt: &Interrupt,
        future: impl Future<Output = wasmtime::Result<R>>,
    ) -> wasmtime::Result<R> {
        let _entered = has_own_events
            .then(|| tokio().map(|tokio| tokio.enter()))
            .transpose()?;
        let mut future = pin!(::tokio::task::unconstrained(future));
        let unpark = Unpark::this_thread();
        let waker = Waker::from(unpark.clone());
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
                return result;
            }
            let mut has_served = false;
            while let Some(request) = exchange.next_request() {
                self.serve(exchange, request);
                has_served = true;
            }
            if let Some(due) = interrupt.due() {
                return Err(due);
            }
            if has_served || unpark.take_woken() {
                continue;
            }
            if !has_own_events {
                let message = "deadlock: the component waits for the host, which waits for this call; \
                               callAsync does not wait";
                return Err(WasmError::runtime(message).into());
            }
            let until = interrupt.deadline().map(|deadline| deadline.at);
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            thread::park_timeout(left.unwrap_or(MAX_SLEEP).min(MAX_SLEEP));
        }
    }

    /// Calls the function of the host for an import, and answers with its results.
    fn serve(&self, exchange: &Exchange, request: Request) {
        let Request {
            number,
            import,
            args,
        } = request;
        let Some(host) = exchange.import(import) else {
            let error = WasmError::runtime("an import that was not given");
            return exchange.answer(number, Err(Stop::Error(error)));
        };
        self.put_component_values(ComponentValues {
            import: Some(import),
            values: args,
        });
        let called = host.call(self, &mut []);
        let answer = called.map(|()| self.take_component_values().values);
        exchange.answer(number, answer);
    }
}
