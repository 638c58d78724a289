//! Streams and futures in the values of a component.
//!
//! A value of one of these types is the readable end. For the host it is a number: one that the host has chosen for a stream
//! or future that it gives to the component, or one that comes out of the component for the host to read.

use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::Val;

use super::concurrent::exchange_of;
use super::encoding::{self, Reader};
use super::resources;
use super::types::{Interface, TypeIndex, ValueType};
use crate::runtime::base::error::WasmError;
use crate::runtime::store::StoreData;
use crate::runtime::store::concurrent::stream::{self, Chunk, ElementType, Elements, EndKind};

/// The type of a readable end.
#[derive(Clone, Copy)]
pub(crate) struct EndType {
    pub(crate) kind: EndKind,
    /// The type of what it brings. `None` if that has no value.
    pub(crate) element: Option<TypeIndex>,
}

/// A function that converts the handles in the values of these types.
type ConvertHandles = fn(
    &mut StoreContextMut<'_, StoreData>,
    &Arc<Interface>,
    &mut dyn Iterator<Item = TypeIndex>,
    &mut [Val],
) -> wasmtime::Result<()>;

impl EndType {
    fn elements(self, interface: &Arc<Interface>, convert: ConvertHandles) -> Elements {
        let Self { element, .. } = self;
        let ty = element_type(interface, element);
        let interface = interface.clone();
        Elements {
            ty,
            number: element,
            convert: Arc::new(move |store, values| {
                convert(store, &interface, &mut element.into_iter().cycle(), values)
            }),
        }
    }
}

/// Makes the readable end of a stream or future of the host with this number.
///
/// # Errors
/// `RuntimeError` if there are too many, or the number is taken; an error of wasmtime's.
pub(super) fn to_component(
    store: &mut StoreContextMut<'_, StoreData>,
    interface: &Arc<Interface>,
    end: EndType,
    number: u32,
) -> wasmtime::Result<Val> {
    let exchange = exchange_of(store)?;
    let elements = end.elements(interface, |store, interface, types, values| {
        resources::lower(store, interface, types, values).map(drop)
    });
    stream::end_of_host(store, &exchange, end.kind, number, elements)
}

/// Has the host read a stream or future of the component. Returns its number.
///
/// # Errors
/// `RuntimeError` if there are too many; an error of wasmtime's.
pub(super) fn to_host(
    store: &mut StoreContextMut<'_, StoreData>,
    interface: &Arc<Interface>,
    end: EndType,
    value: Val,
) -> wasmtime::Result<u32> {
    let exchange = exchange_of(store)?;
    let elements = end.elements(interface, |store, interface, types, values| {
        resources::lift(store, interface, types, values).map(drop)
    });
    stream::read_end(store, &exchange, value, elements)
}

/// Returns the type of elements for the store.
fn element_type(interface: &Interface, element: Option<TypeIndex>) -> ElementType {
    let Some(element) = element else {
        return ElementType::Unit;
    };
    match interface.ty(element) {
        ValueType::S8 => ElementType::S8,
        ValueType::U8 => ElementType::U8,
        ValueType::S16 => ElementType::S16,
        ValueType::U16 => ElementType::U16,
        ValueType::S32 => ElementType::S32,
        ValueType::U32 => ElementType::U32,
        ValueType::S64 => ElementType::S64,
        ValueType::U64 => ElementType::U64,
        ValueType::F32 => ElementType::F32,
        ValueType::F64 => ElementType::F64,
        _ => ElementType::Value,
    }
}

/// The number of bytes of a number; `None` for other types.
fn number_bytes(ty: ElementType) -> Option<usize> {
    Some(match ty {
        ElementType::S8 | ElementType::U8 => 1,
        ElementType::S16 | ElementType::U16 => 2,
        ElementType::S32 | ElementType::U32 | ElementType::F32 => 4,
        ElementType::S64 | ElementType::U64 | ElementType::F64 => 8,
        ElementType::Unit | ElementType::Value => return None,
    })
}

/// Reads a chunk of elements of this type from bytes: their number, and the elements. The bytes are those of a `list`, except
/// that elements without a value have none. Values may take `max_room` bytes in memory.
///
/// # Errors
/// `TypeMismatch` if the bytes do not fit.
pub(crate) fn read_chunk(
    interface: &Interface,
    element: Option<TypeIndex>,
    bytes: &[u8],
    max_room: u64,
) -> Result<Chunk, WasmError> {
    let misfit = || WasmError::mismatch("the bytes of a stream's elements do not fit");
    let (count, rest) = bytes.split_first_chunk().ok_or_else(misfit)?;
    let count = u32::from_le_bytes(*count) as usize;
    let ty = element_type(interface, element);
    if ty == ElementType::Unit {
        return Ok(Chunk::Units(count));
    }
    if let Some(size) = number_bytes(ty) {
        return match count.checked_mul(size) {
            Some(length) if length == rest.len() => Ok(Chunk::Numbers(rest.to_vec())),
            _ => Err(misfit()),
        };
    }
    // Each element takes at least one byte.
    if count > rest.len() && count > 0 {
        return Err(misfit());
    }
    let types = element.into_iter().cycle().take(count);
    let values = Reader::read_all(interface, types, rest, max_room)?;
    Ok(Chunk::Values(values))
}

/// Appends a chunk of elements, as [`read_chunk`] reads it.
pub(crate) fn write_chunk(
    interface: &Interface,
    element: Option<TypeIndex>,
    chunk: &Chunk,
    bytes: &mut Vec<u8>,
) {
    let size = number_bytes(element_type(interface, element)).unwrap_or(1);
    let count = match chunk {
        Chunk::Numbers(numbers) => numbers.len() / size,
        Chunk::Values(values) => values.len(),
        Chunk::Units(count) => *count,
    };
    bytes.extend(u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
    match chunk {
        Chunk::Numbers(numbers) => bytes.extend_from_slice(numbers),
        Chunk::Values(values) => {
            for value in values {
                if let Some(element) = element {
                    encoding::write(interface, element, value, bytes);
                }
            }
        }
        Chunk::Units(_) => {}
    }
}
