//! Streams and futures between a component and the host.
//!
//! A stream or future that the host gives to a component is a [`Source`]: the component asks for elements, and the host
//! puts them there. One that a component gives to the host is a [`Sink`]: the host asks, and the component's elements go
//! to the host as an event. Either side gets only what it has asked for, so that at most one chunk of a stream waits.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use wasmtime::StoreContextMut;
use wasmtime::component::Source as ComponentSource;
use wasmtime::component::{
    ComponentType, Destination, FutureAny, FutureConsumer, FutureProducer, FutureReader, Lift,
    Lower, StreamAny, StreamConsumer, StreamProducer, StreamReader, StreamResult, Val, VecBuffer,
};

use super::element::Element;
use super::exchange::{Event, Exchange};
use crate::runtime::base::error::WasmError;
use crate::runtime::store::StoreData;

/// The maximum number of bytes of the elements that the host takes from a stream at once.
const MAX_CHUNK_BYTES: usize = 1 << 20;

/// Elements of a stream, or the value of a future.
#[derive(Debug)]
pub(crate) enum Chunk {
    /// Numbers in little-endian order.
    Numbers(Vec<u8>),
    /// Values. Handles in them are numbers of the host.
    Values(Vec<Val>),
    /// So many elements without a value.
    Units(usize),
}

/// The type of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ElementType {
    Unit,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    F32,
    F64,
    /// Any other type.
    Value,
}

/// The elements of a stream, or the value of a future.
#[derive(Clone)]
pub(crate) struct Elements {
    pub(crate) ty: ElementType,
    /// The number of their type, which comes with each chunk.
    pub(crate) number: Option<u32>,
    /// Converts the handles in them: to wasmtime's where they go into the component, and to numbers where they come out.
    pub(crate) convert: Convert,
}

/// Converts the handles in values.
pub(crate) type Convert = Arc<
    dyn Fn(&mut StoreContextMut<'_, StoreData>, &mut [Val]) -> wasmtime::Result<()> + Send + Sync,
>;

/// A stream or future that the host gives to a component.
#[derive(Default)]
pub(crate) struct Source(Mutex<SourceState>);

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
    fn state(&self) -> MutexGuard<'_, SourceState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// A type of elements, as wasmtime's functions have it.
trait Item: ComponentType + Lift + Lower + Send + Sync + Sized + 'static {
    /// The number of bytes of an element in the host.
    const BYTES: usize = size_of::<Self>();

    /// Returns the elements of a chunk.
    fn from_chunk(chunk: Chunk) -> Vec<Self>;

    fn to_chunk(items: Vec<Self>) -> Chunk;
}

macro_rules! numbers {
    ($($ty:ty)*) => {$(
        impl Item for $ty {
            fn from_chunk(chunk: Chunk) -> Vec<Self> {
                let Chunk::Numbers(bytes) = chunk else { return Vec::new() };
                let (numbers, _) = bytes.as_chunks();
                numbers.iter().map(|bytes| <$ty>::from_le_bytes(*bytes)).collect()
            }

            fn to_chunk(items: Vec<Self>) -> Chunk {
                Chunk::Numbers(items.into_iter().flat_map(<$ty>::to_le_bytes).collect())
            }
        }
    )*};
}

numbers! { i8 i16 u16 i32 u32 i64 u64 f32 f64 }

impl Item for u8 {
    fn from_chunk(chunk: Chunk) -> Vec<Self> {
        match chunk {
            Chunk::Numbers(bytes) => bytes,
            Chunk::Values(_) | Chunk::Units(_) => Vec::new(),
        }
    }

    fn to_chunk(items: Vec<Self>) -> Chunk {
        Chunk::Numbers(items)
    }
}

impl Item for () {
    const BYTES: usize = 1;

    fn from_chunk(chunk: Chunk) -> Vec<Self> {
        match chunk {
            Chunk::Units(count) => vec![(); count],
            Chunk::Numbers(_) | Chunk::Values(_) => Vec::new(),
        }
    }

    fn to_chunk(items: Vec<Self>) -> Chunk {
        Chunk::Units(items.len())
    }
}

impl Item for Element {
    fn from_chunk(chunk: Chunk) -> Vec<Self> {
        match chunk {
            Chunk::Values(values) => values.into_iter().map(Element).collect(),
            Chunk::Numbers(_) | Chunk::Units(_) => Vec::new(),
        }
    }

    fn to_chunk(items: Vec<Self>) -> Chunk {
        Chunk::Values(items.into_iter().map(|Element(value)| value).collect())
    }
}

/// Converts the handles in a chunk.
fn convert(
    elements: &Elements,
    mut store: StoreContextMut<'_, StoreData>,
    chunk: &mut Chunk,
) -> wasmtime::Result<()> {
    match chunk {
        Chunk::Values(values) => (elements.convert)(&mut store, values),
        Chunk::Numbers(_) | Chunk::Units(_) => Ok(()),
    }
}

/// One end of a stream or future that the host has.
struct End<S> {
    number: u32,
    shared: Arc<S>,
    exchange: Arc<Exchange>,
    elements: Elements,
}

/// The writing end of a stream or future of the host.
struct Writer(End<Source>);

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
        let mut state = shared.state();
        if let Some(chunk) = state.chunk.take() {
            let mut now = split(&mut state.chunk, chunk, max, T::BYTES);
            drop(state);
            convert(elements, store, &mut now)?;
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

struct StreamWriter<T>(Writer, std::marker::PhantomData<fn() -> T>);

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

struct FutureWriter<T>(Writer, std::marker::PhantomData<fn() -> T>);

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

/// The reading end of a stream or future of a component.
struct Reader(End<Sink>);

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
        mut source: ComponentSource<'_, T>,
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
        convert(elements, store, &mut chunk)?;
        exchange.push(Event::Chunk(*number, elements.number, chunk));
        Ok(())
    }
}

struct StreamSink<T>(Reader, std::marker::PhantomData<fn() -> T>);

impl<T: Item> StreamConsumer<StoreData> for StreamSink<T> {
    type Item = T;

    fn poll_consume(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'_, StoreData>,
        source: ComponentSource<'_, T>,
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
            let max = available.min((MAX_CHUNK_BYTES / T::BYTES).max(1));
            self.0.read(store, source, max)?;
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

struct FutureSink<T>(Reader, std::marker::PhantomData<fn() -> T>);

impl<T: Item> FutureConsumer<StoreData> for FutureSink<T> {
    type Item = T;

    fn poll_consume(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        store: StoreContextMut<'_, StoreData>,
        source: ComponentSource<'_, T>,
        _: bool,
    ) -> Poll<wasmtime::Result<()>> {
        Poll::Ready(self.0.read(store, source, 1))
    }
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
        let writer = StreamWriter::<T>(writer, std::marker::PhantomData);
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
        let writer = FutureWriter::<T>(writer, std::marker::PhantomData);
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
        let sink = StreamSink::<T>(reader, std::marker::PhantomData);
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
        let sink = FutureSink::<T>(reader, std::marker::PhantomData);
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
