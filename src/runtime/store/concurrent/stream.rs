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
pub(crate) use super::chunk::{Chunk, Convert, ElementType, Elements};
use super::element::Element;
use super::exchange::Exchange;
pub(crate) use super::sink::Sink;
use super::sink::{FutureSink, Reader, StreamSink};
pub(crate) use super::source::Source;
use super::source::{FutureWriter, StreamWriter, Writer};
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

/// Makes the readable end of a stream of the host with this number.
///
/// # Errors
/// `RuntimeError` if there are too many streams, or the number is taken; an error of wasmtime's.
pub(crate) fn stream_of_host(
    store: &mut StoreContextMut<'_, StoreData>,
    exchange: &Arc<Exchange>,
    number: u32,
    elements: Elements,
) -> wasmtime::Result<Val> {
    fn make<T: Item>(
        store: &mut StoreContextMut<'_, StoreData>,
        writer: Writer,
    ) -> wasmtime::Result<Val> {
        let writer = StreamWriter::<T>(writer, PhantomData);
        let reader = StreamReader::new(&mut *store, writer)?;
        Ok(Val::Stream(StreamAny::try_from_stream_reader(
            store, reader,
        )?))
    }
    let ty = elements.ty;
    let writer = writer(exchange, number, elements)?;
    with_type!(ty, make(store, writer))
}

/// Makes the readable end of a future of the host, as [`stream_of_host`].
///
/// # Errors
/// As [`stream_of_host`].
pub(crate) fn future_of_host(
    store: &mut StoreContextMut<'_, StoreData>,
    exchange: &Arc<Exchange>,
    number: u32,
    elements: Elements,
) -> wasmtime::Result<Val> {
    fn make<T: Item>(
        store: &mut StoreContextMut<'_, StoreData>,
        writer: Writer,
    ) -> wasmtime::Result<Val> {
        let writer = FutureWriter::<T>(writer, PhantomData);
        let reader = FutureReader::new(&mut *store, writer)?;
        Ok(Val::Future(FutureAny::try_from_future_reader(
            store, reader,
        )?))
    }
    let ty = elements.ty;
    let writer = writer(exchange, number, elements)?;
    with_type!(ty, make(store, writer))
}

fn writer(exchange: &Arc<Exchange>, number: u32, elements: Elements) -> wasmtime::Result<Writer> {
    let shared = exchange.open_source(number)?;
    Ok(Writer(End {
        number,
        shared,
        exchange: exchange.clone(),
        elements,
    }))
}

/// Has the host read a stream of a component. Returns its number.
///
/// # Errors
/// `RuntimeError` if there are too many streams; an error of wasmtime's.
pub(crate) fn read_stream(
    store: &mut StoreContextMut<'_, StoreData>,
    exchange: &Arc<Exchange>,
    stream: StreamAny,
    elements: Elements,
) -> wasmtime::Result<u32> {
    fn pipe<T: Item>(
        store: &mut StoreContextMut<'_, StoreData>,
        stream: StreamAny,
        reader: Reader,
    ) -> wasmtime::Result<()> {
        let sink = StreamSink::<T>(reader, PhantomData);
        stream.try_into_stream_reader::<T>()?.pipe(store, sink)
    }
    let ty = elements.ty;
    let (number, reader) = reader(exchange, elements)?;
    with_type!(ty, pipe(store, stream, reader))?;
    Ok(number)
}

/// Has the host read a future of a component, as [`read_stream`].
///
/// # Errors
/// As [`read_stream`].
pub(crate) fn read_future(
    store: &mut StoreContextMut<'_, StoreData>,
    exchange: &Arc<Exchange>,
    future: FutureAny,
    elements: Elements,
) -> wasmtime::Result<u32> {
    fn pipe<T: Item>(
        store: &mut StoreContextMut<'_, StoreData>,
        future: FutureAny,
        reader: Reader,
    ) -> wasmtime::Result<()> {
        let sink = FutureSink::<T>(reader, PhantomData);
        future.try_into_future_reader::<T>()?.pipe(store, sink)
    }
    let ty = elements.ty;
    let (number, reader) = reader(exchange, elements)?;
    with_type!(ty, pipe(store, future, reader))?;
    Ok(number)
}

fn reader(exchange: &Arc<Exchange>, elements: Elements) -> wasmtime::Result<(u32, Reader)> {
    let (number, shared) = exchange.open_sink()?;
    let reader = Reader(End {
        number,
        shared,
        exchange: exchange.clone(),
        elements,
    });
    Ok((number, reader))
}
