//! Streams and futures between a component and the host.
//!
//! A stream or future that the host gives to a component is a [`Source`]: the component asks for elements, and the host
//! puts them there. One that a component gives to the host is a [`Sink`]: the host asks, and the component's elements go
//! to the host as an event. Either side gets only what it has asked for, so that at most one chunk of a stream waits.

use std::marker::PhantomData;
use std::sync::Arc;
use std::task::Waker;

use wasmtime::StoreContextMut;
use wasmtime::component::{FutureAny, FutureReader, StreamAny, StreamReader, Val};

use super::chunk::Item;
pub(crate) use super::chunk::{Chunk, ElementType, Elements};
use super::element::Element;
use super::exchange::Exchange;
pub(crate) use super::sink::Sink;
use super::sink::{FutureSink, Reader, StreamSink};
pub(crate) use super::source::Source;
use super::source::{FutureWriter, StreamWriter, Writer};
use crate::runtime::base::error::WasmError;
use crate::runtime::store::StoreData;

pub(super) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// One end of a stream or future that the host has.
pub(super) struct End<S> {
    pub(super) number: u32,
    pub(super) shared: Arc<S>,
    pub(super) exchange: Arc<Exchange>,
    pub(super) elements: Elements,
}

/// Calls `f` with a type of elements as its type parameter.
macro_rules! with_type {
    ($ty:expr, $f:ident($($arg:expr),*)) => {
        match $ty {
            ElementType::Unit => $f::<()>($($arg),*),
            ElementType::S8 => $f::<i8>($($arg),*),
            ElementType::U8 => $f::<u8>($($arg),*),
            ElementType::S16 => $f::<i16>($($arg),*),
            ElementType::U16 => $f::<u16>($($arg),*),
            ElementType::S32 => $f::<i32>($($arg),*),
            ElementType::U32 => $f::<u32>($($arg),*),
            ElementType::S64 => $f::<i64>($($arg),*),
            ElementType::U64 => $f::<u64>($($arg),*),
            ElementType::F32 => $f::<f32>($($arg),*),
            ElementType::F64 => $f::<f64>($($arg),*),
            ElementType::Value => $f::<Element>($($arg),*),
        }
    };
}

/// A stream, or a future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndKind {
    Stream,
    Future,
}

/// Makes the readable end of a stream or future of the host with this number.
///
/// # Errors
/// `RuntimeError` if there are too many, or the number is taken; an error of wasmtime's.
pub(crate) fn end_of_host(
    store: &mut StoreContextMut<'_, StoreData>,
    exchange: &Arc<Exchange>,
    kind: EndKind,
    number: u32,
    elements: Elements,
) -> wasmtime::Result<Val> {
    fn make<T: Item>(
        store: &mut StoreContextMut<'_, StoreData>,
        kind: EndKind,
        writer: Writer,
    ) -> wasmtime::Result<Val> {
        Ok(match kind {
            EndKind::Stream => {
                let writer = StreamWriter::<T>(writer, PhantomData);
                let reader = StreamReader::new(&mut *store, writer)?;
                Val::Stream(StreamAny::try_from_stream_reader(store, reader)?)
            }
            EndKind::Future => {
                let writer = FutureWriter::<T>(writer, PhantomData);
                let reader = FutureReader::new(&mut *store, writer)?;
                Val::Future(FutureAny::try_from_future_reader(store, reader)?)
            }
        })
    }
    let ty = elements.ty;
    let writer = Writer(End {
        number,
        shared: exchange.open_source(number, elements.number)?,
        exchange: exchange.clone(),
        elements,
    });
    with_type!(ty, make(store, kind, writer))
}

/// Has the host read a stream or future of a component. Returns its number.
///
/// # Errors
/// `RuntimeError` if the value is neither, or there are too many; an error of wasmtime's.
pub(crate) fn read_end(
    store: &mut StoreContextMut<'_, StoreData>,
    exchange: &Arc<Exchange>,
    end: Val,
    elements: Elements,
) -> wasmtime::Result<u32> {
    fn pipe<T: Item>(
        store: &mut StoreContextMut<'_, StoreData>,
        end: Val,
        reader: Reader,
    ) -> wasmtime::Result<()> {
        match end {
            Val::Stream(stream) => {
                let sink = StreamSink::<T>(reader, PhantomData);
                stream.try_into_stream_reader::<T>()?.pipe(store, sink)
            }
            Val::Future(future) => {
                let sink = FutureSink::<T>(reader, PhantomData);
                future.try_into_future_reader::<T>()?.pipe(store, sink)
            }
            _ => Err(WasmError::runtime("neither a stream nor a future").into()),
        }
    }
    let ty = elements.ty;
    let (number, shared) = exchange.open_sink()?;
    let reader = Reader(End {
        number,
        shared,
        exchange: exchange.clone(),
        elements,
    });
    with_type!(ty, pipe(store, end, reader))?;
    Ok(number)
}
