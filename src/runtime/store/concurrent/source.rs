//! Streams and futures that the host gives to a component.

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use wasmtime::StoreContextMut;
use wasmtime::component::{Destination, FutureProducer, StreamProducer, StreamResult, VecBuffer};

use super::chunk::{Chunk, Item};
use super::exchange::Event;
use super::stream::{End, wake};
use crate::runtime::base::error::WasmError;
use crate::runtime::store::StoreData;

/// A stream or future that the host gives to a component.
pub(crate) struct Source {
    state: Mutex<SourceState>,
    /// The number of the type of its elements, if they have a value.
    element: Option<u32>,
}

#[derive(Default)]
struct SourceState {
    /// The elements that the component has not read yet.
    chunk: Option<Chunk>,
    /// Whether the host knows that the component wants elements.
    is_wanted: bool,
    /// Whether the host has no more.
    is_closed: bool,
    reader: Option<Waker>,
}

impl Source {
    pub(super) fn new(element: Option<u32>) -> Self {
        Self {
            state: Mutex::default(),
            element,
        }
    }

    /// Returns the number of the type of its elements, if they have a value.
    pub(crate) fn element(&self) -> Option<u32> {
        self.element
    }

    fn state(&self) -> MutexGuard<'_, SourceState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the component elements that it wants.
    ///
    /// # Errors
    /// `RuntimeError` if it wants none.
    pub(crate) fn put(&self, chunk: Chunk) -> Result<(), WasmError> {
        let mut state = self.state();
        if !state.is_wanted || state.is_closed {
            return Err(WasmError::runtime(
                "the component wants no elements of the stream",
            ));
        }
        state.is_wanted = false;
        state.chunk = Some(chunk);
        wake(state.reader.take());
        Ok(())
    }

    /// Ends the stream behind the elements that are there.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        wake(state.reader.take());
    }
}

/// The writing end of a stream or future of the host.
pub(super) struct Writer(pub(super) End<Source>);

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.exchange.source_dropped(self.0.number);
    }
}

/// What a [`Writer`] has for the component.
enum Written<T> {
    Items(Vec<T>),
    Closed,
    Nothing,
}

impl Writer {
    /// Takes up to so many elements for the component. Asks the host for them if there are none.
    fn take<T: Item>(
        &self,
        store: StoreContextMut<'_, StoreData>,
        context: &Context<'_>,
        max: usize,
    ) -> wasmtime::Result<Written<T>> {
        let End {
            number,
            shared,
            exchange,
            elements,
        } = &self.0;
        let max = max.min(T::AT_ONCE);
        let mut state = shared.state();
        if let Some(chunk) = state.chunk.take() {
            let mut now = split(&mut state.chunk, chunk, max, T::BYTES);
            drop(state);
            elements.convert(store, &mut now)?;
            return Ok(Written::Items(T::from_chunk(now)));
        }
        if state.is_closed {
            return Ok(Written::Closed);
        }
        let asks = !std::mem::replace(&mut state.is_wanted, true);
        state.reader = Some(context.waker().clone());
        drop(state);
        if asks {
            let max = u32::try_from(max).unwrap_or(u32::MAX);
            exchange.push(Event::Wanted(*number, max));
        }
        Ok(Written::Nothing)
    }

    fn has_chunk(&self) -> bool {
        self.0.shared.state().chunk.is_some()
    }
}

/// Returns the first `max` elements of a chunk, and puts the others into `rest`.
fn split(rest: &mut Option<Chunk>, chunk: Chunk, max: usize, element_bytes: usize) -> Chunk {
    match chunk {
        Chunk::Numbers(mut bytes) if bytes.len() / element_bytes > max => {
            *rest = Some(Chunk::Numbers(bytes.split_off(max * element_bytes)));
            Chunk::Numbers(bytes)
        }
        Chunk::Values(mut values) if values.len() > max => {
            *rest = Some(Chunk::Values(values.split_off(max)));
            Chunk::Values(values)
        }
        Chunk::Units(count) if count > max => {
            *rest = Some(Chunk::Units(count - max));
            Chunk::Units(max)
        }
        all => all,
    }
}

pub(super) struct StreamWriter<T>(pub(super) Writer, pub(super) PhantomData<fn() -> T>);

impl<T: Item> StreamProducer<StoreData> for StreamWriter<T> {
    type Item = T;
    type Buffer = VecBuffer<T>;

    fn poll_produce<'a>(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'a, StoreData>,
        mut destination: Destination<'a, T, VecBuffer<T>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let max = destination.remaining(&mut store).unwrap_or(usize::MAX);
        if max == 0 && self.0.has_chunk() {
            // The component asks whether there are elements.
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        Poll::Ready(Ok(match self.0.take(store, context, max)? {
            Written::Items(items) => {
                destination.set_buffer(items.into());
                StreamResult::Completed
            }
            Written::Closed => StreamResult::Dropped,
            Written::Nothing if finish => StreamResult::Cancelled,
            Written::Nothing => return Poll::Pending,
        }))
    }
}

pub(super) struct FutureWriter<T>(pub(super) Writer, pub(super) PhantomData<fn() -> T>);

impl<T: Item> FutureProducer<StoreData> for FutureWriter<T> {
    type Item = T;

    fn poll_produce(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        store: StoreContextMut<'_, StoreData>,
        finish: bool,
    ) -> Poll<wasmtime::Result<Option<T>>> {
        match self.0.take(store, context, 1)? {
            Written::Items(mut items) => Poll::Ready(Ok(items.pop())),
            Written::Closed => {
                let message = "the host has dropped a future without a value";
                Poll::Ready(Err(WasmError::runtime(message).into()))
            }
            Written::Nothing if finish => Poll::Ready(Ok(None)),
            Written::Nothing => Poll::Pending,
        }
    }
}
