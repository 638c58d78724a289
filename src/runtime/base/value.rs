//! Values that are passed between the host and the guest.

use wasmtime::{Val, ValRaw, ValType};

use crate::runtime::base::error::WasmError;
use crate::runtime::base::types::type_name;

/// A WebAssembly value on the host's side.
///
/// Floats keep all their bits, including the payload of a NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum WasmValue {
    /// 32 bits, as a signed integer.
    I32(i32),
    /// 64 bits, as a signed integer.
    I64(i64),
    /// A 32-bit float. The payload of a NaN is kept.
    F32(f32),
    /// A 64-bit float. The payload of a NaN is kept.
    F64(f64),
    /// 128 bits, of which the first lane is the lowest: the 16 bytes in little-endian order.
    V128(u128),
    /// A reference of any type.
    Ref(RefHandle),
}

macro_rules! from_number {
    ($($type:ty => $variant:ident;)*) => {$(
        impl From<$type> for WasmValue {
            fn from(value: $type) -> Self {
                Self::$variant(value)
            }
        }
    )*};
}

from_number! {
    i32 => I32;
    i64 => I64;
    f32 => F32;
    f64 => F64;
    u128 => V128;
    RefHandle => Ref;
}

/// A reference on the host's side. The numbers are handles of the reference's store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefHandle {
    /// The null reference.
    Null,
    /// A value of the host, with the number that the host gave to it.
    Host(u32),
    /// A function of the store.
    Func(u32),
    /// Another object that the store keeps for the host: a struct, an array, an exception, or, in a store without a
    /// group, an i31.
    Object(u32),
    /// A 31-bit number. A store of a group passes it as this, and so takes no room for it.
    I31(i32),
}

impl RefHandle {
    /// Returns the reference as one integer, 0 for null. The kind is in the upper 32 bits.
    pub const fn to_bits(self) -> u64 {
        match self {
            Self::Null => 0,
            Self::Host(index) => 1 << 32 | index as u64,
            Self::Func(index) => 2 << 32 | index as u64,
            Self::Object(index) => 3 << 32 | index as u64,
            Self::I31(value) => 4 << 32 | value as u32 as u64,
        }
    }

    /// The inverse of [`RefHandle::to_bits`]; `None` for an integer that `to_bits` never returns.
    pub const fn from_bits(bits: u64) -> Option<Self> {
        let index = bits as u32;
        match bits >> 32 {
            0 if index == 0 => Some(Self::Null),
            1 => Some(Self::Host(index)),
            2 => Some(Self::Func(index)),
            3 => Some(Self::Object(index)),
            4 => Some(Self::I31(index as i32)),
            _ => None,
        }
    }
}

impl WasmValue {
    /// Returns the name of the value's type for messages.
    fn describe(&self) -> &'static str {
        match self {
            Self::I32(_) => "i32",
            Self::I64(_) => "i64",
            Self::F32(_) => "f32",
            Self::F64(_) => "f64",
            Self::V128(_) => "v128",
            Self::Ref(_) => "reference",
        }
    }

    /// Returns the value as a slot of type `ty` in a call frame. A reference is stored as the bits of its handle.
    ///
    /// # Errors
    /// `TypeMismatch` if the value does not have that type. For references only the kind of value is checked here;
    /// the referent is checked when the handle is resolved.
    pub(crate) fn to_slot(self, ty: &ValType) -> Result<ValRaw, WasmError> {
        Ok(match (self, ty) {
            (Self::I32(value), ValType::I32) => ValRaw::i32(value),
            (Self::I64(value), ValType::I64) => ValRaw::i64(value),
            (Self::F32(value), ValType::F32) => ValRaw::f32(value.to_bits()),
            (Self::F64(value), ValType::F64) => ValRaw::f64(value.to_bits()),
            (Self::V128(value), ValType::V128) => ValRaw::v128(value),
            (Self::Ref(handle), ValType::Ref(_)) => ValRaw::u64(handle.to_bits()),
            (value, ty) => {
                return Err(WasmError::mismatch(format!(
                    "expected {}, got {}",
                    type_name(ty),
                    value.describe()
                )));
            }
        })
    }

    /// Returns the value of a slot of type `ty` that the runtime filled.
    pub(crate) fn from_slot(slot: &ValRaw, ty: &ValType) -> Self {
        match ty {
            ValType::I32 => Self::I32(slot.get_i32()),
            ValType::I64 => Self::I64(slot.get_i64()),
            ValType::F32 => Self::F32(f32::from_bits(slot.get_f32())),
            ValType::F64 => Self::F64(f64::from_bits(slot.get_f64())),
            ValType::V128 => Self::V128(slot.get_v128()),
            ValType::Ref(_) => {
                Self::Ref(RefHandle::from_bits(slot.get_u64()).unwrap_or(RefHandle::Null))
            }
        }
    }
}

/// Returns the number or vector in a slot of type `ty`; `None` for reference types.
pub(crate) fn number(slot: &ValRaw, ty: &ValType) -> Option<Val> {
    Some(match ty {
        ValType::I32 => Val::I32(slot.get_i32()),
        ValType::I64 => Val::I64(slot.get_i64()),
        ValType::F32 => Val::F32(slot.get_f32()),
        ValType::F64 => Val::F64(slot.get_f64()),
        ValType::V128 => Val::V128(slot.get_v128().into()),
        ValType::Ref(_) => return None,
    })
}
