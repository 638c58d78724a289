//! The elements that pass through streams and futures, and their types.

use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Lower, Val};

use super::element::Element;
use crate::runtime::store::StoreData;

/// The maximum number of bytes of the elements that pass through a stream at once. No deadline ends their conversion.
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

impl Elements {
    /// Converts the handles in a chunk.
    pub(super) fn convert(
        &self,
        mut store: StoreContextMut<'_, StoreData>,
        chunk: &mut Chunk,
    ) -> wasmtime::Result<()> {
        match chunk {
            Chunk::Values(values) => (self.convert)(&mut store, values),
            Chunk::Numbers(_) | Chunk::Units(_) => Ok(()),
        }
    }
}

/// A type of elements, as wasmtime's functions have it.
pub(super) trait Item: ComponentType + Lift + Lower + Send + Sync + Sized + 'static {
    /// The number of bytes of an element in the host.
    const BYTES: usize = size_of::<Self>();

    /// The maximum number of elements that pass at once.
    const AT_ONCE: usize = MAX_CHUNK_BYTES / Self::BYTES;

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
