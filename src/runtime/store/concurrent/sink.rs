//! Streams and futures that a component gives to the host.

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use wasmtime::StoreContextMut;
use wasmtime::component::{FutureConsumer, Source, StreamConsumer, StreamResult};

use super::chunk::Item;
use super::element::Element;
use super::exchange::Event;
use super::stream::{End, wake};
use crate::runtime::store::StoreData;

/// A stream or future that a component gives to the host.
#[derive(Default)]
pub(crate) struct Sink(Mutex<SinkState>);

#[derive(Default)]
struct SinkState {
    /// Whether the host wants elements.
    is_wanted: bool,
    /// Whether the host wants none any more.
    is_cancelled: bool,
    writer: Option<Waker>,
}

impl Sink {
    fn state(&self) -> MutexGuard<'_, SinkState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for elements.
    pub(crate) fn want(&self) {
        let mut state = self.state();
        state.is_wanted = true;
        wake(state.writer.take());
    }

    /// Takes no more elements: the component finds its stream dropped.
    pub(crate) fn cancel(&self) {
        let mut state = self.state();
        state.is_cancelled = true;
        wake(state.writer.take());
    }
}

/// The reading end of a stream or future of a component.
pub(super) struct Reader(pub(super) End<Sink>);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.exchange.sink_ended(self.0.number);
    }
}

impl Reader {
    /// Gives the host the elements that the component writes, up to so many.
    fn read<T: Item>(
        &self,
        mut store: StoreContextMut<'_, StoreData>,
        mut source: Source<'_, T>,
        max: usize,
    ) -> wasmtime::Result<()> {
        let mut items = Vec::with_capacity(max);
        Element::begin_list();
        source.read(&mut store, &mut items)?;
        let mut chunk = T::to_chunk(items);
        let End {
            number,
            exchange,
            elements,
            ..
        } = &self.0;
        elements.convert(store, &mut chunk)?;
        exchange.push(Event::Chunk(*number, elements.number, chunk));
        Ok(())
    }
}

pub(super) struct StreamSink<T>(pub(super) Reader, pub(super) PhantomData<fn() -> T>);

impl<T: Item> StreamConsumer<StoreData> for StreamSink<T> {
    type Item = T;

    fn poll_consume(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'_, StoreData>,
        source: Source<'_, T>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let available = source.remaining(&mut store);
        let mut state = self.0.0.shared.state();
        if state.is_cancelled {
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
        if !state.is_wanted {
            if finish {
                return Poll::Ready(Ok(StreamResult::Cancelled));
            }
            state.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        if available > 0 {
            state.is_wanted = false;
            drop(state);
            let max = available.min(T::AT_ONCE);
            self.0.read(store, source, max)?;
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

pub(super) struct FutureSink<T>(pub(super) Reader, pub(super) PhantomData<fn() -> T>);

impl<T: Item> FutureConsumer<StoreData> for FutureSink<T> {
    type Item = T;

    fn poll_consume(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        store: StoreContextMut<'_, StoreData>,
        source: Source<'_, T>,
        _: bool,
    ) -> Poll<wasmtime::Result<()>> {
        Poll::Ready(self.0.read(store, source, 1))
    }
}
