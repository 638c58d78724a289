//! wasmtime's description of types.

use wasmtime::component::__internal::{ComponentTypes, InterfaceType};

use super::layout::Layout;
use super::shape::{Number, Shape, Types};

/// The types of a component as wasmtime compiled them.
#[derive(Clone, Copy)]
pub(super) struct WasmtimeTypes<'a>(pub(super) &'a ComponentTypes);

impl WasmtimeTypes<'_> {
    /// The offset of the payload of a variant.
    pub(super) fn payload_offset(self, ty: InterfaceType) -> u32 {
        match ty {
            InterfaceType::Variant(ty) => self.0[ty].info.payload_offset32,
            InterfaceType::Option(ty) => self.0[ty].info.payload_offset32,
            InterfaceType::Result(ty) => self.0[ty].info.payload_offset32,
            _ => 0,
        }
    }
}

impl Types for WasmtimeTypes<'_> {
    type Ref = InterfaceType;

    fn shape(&self, ty: InterfaceType) -> Shape<InterfaceType> {
        let number = |size, is_signed| Shape::Number(Number { size, is_signed });
        match ty {
            InterfaceType::Bool => Shape::Bool,
            InterfaceType::S8 => number(1, true),
            InterfaceType::U8 => number(1, false),
            InterfaceType::S16 => number(2, true),
            InterfaceType::U16 => number(2, false),
            InterfaceType::S32 => number(4, true),
            InterfaceType::U32 | InterfaceType::Float32 => number(4, false),
            InterfaceType::S64 => number(8, true),
            InterfaceType::U64 | InterfaceType::Float64 => number(8, false),
            InterfaceType::Char => Shape::Char,
            InterfaceType::String => Shape::Text,
            InterfaceType::List(ty) => Shape::List(self.0[ty].element),
            InterfaceType::FixedLengthList(ty) => Shape::FixedLengthList {
                element: self.0[ty].element,
                length: self.0[ty].size,
            },
            InterfaceType::Record(ty) => Shape::Record(self.0[ty].fields.len()),
            InterfaceType::Tuple(ty) => Shape::Record(self.0[ty].types.len()),
            InterfaceType::Variant(ty) => Shape::Variant(self.0[ty].cases.len()),
            InterfaceType::Enum(ty) => Shape::Variant(self.0[ty].names.len()),
            InterfaceType::Option(_) | InterfaceType::Result(_) => Shape::Variant(2),
            InterfaceType::Flags(ty) => Shape::Flags(self.0[ty].names.len()),
            InterfaceType::Own(_)
            | InterfaceType::Borrow(_)
            | InterfaceType::Map(_)
            | InterfaceType::Future(_)
            | InterfaceType::Stream(_)
            | InterfaceType::ErrorContext(_) => Shape::Other,
        }
    }

    fn part(&self, ty: InterfaceType, index: usize) -> Option<InterfaceType> {
        match ty {
            InterfaceType::Record(ty) => Some(self.0[ty].fields.get(index)?.ty),
            InterfaceType::Tuple(ty) => self.0[ty].types.get(index).copied(),
            InterfaceType::Variant(ty) => *self.0[ty].cases.get_index(index)?.1,
            InterfaceType::Option(ty) => (index == 1).then(|| self.0[ty].ty),
            InterfaceType::Result(ty) if index == 0 => self.0[ty].ok,
            InterfaceType::Result(ty) => self.0[ty].err,
            _ => None,
        }
    }

    fn layout(&self, ty: InterfaceType) -> Layout {
        let abi = self.0.canonical_abi(&ty);
        Layout {
            size: abi.size32,
            align: abi.align32,
            flat: abi.flat_count.map_or(u32::MAX, u32::from),
        }
    }
}
