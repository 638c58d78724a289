//! NumericSignature, between JavaScript and slots of the call frame.
//!
//! What `ts/codec.ts` does for every type this does again for those that are JavaScript's numbers, on
//! paths where that is much quicker: an import is called from here anyway.

use deno_core::v8;
use wasmtime::ValRaw;

use crate::runtime::ExternInfo;

/// The types whose values are numbers in JavaScript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumericType {
    I32,
    F32,
    F64,
}

impl NumericType {
    fn named(ty: &str) -> Option<Self> {
        match ty {
            "i32" => Some(Self::I32),
            "f32" => Some(Self::F32),
            "f64" => Some(Self::F64),
            _ => None,
        }
    }

    /// The value as a slot of this type; `None` if it does not fit.
    pub(super) fn slot(self, value: v8::Local<'_, v8::Value>) -> Option<ValRaw> {
        if self == Self::I32
            && let Ok(value) = v8::Local::<v8::Int32>::try_from(value)
        {
            return Some(ValRaw::i32(value.value()));
        }
        let value: v8::Local<'_, v8::Number> = value.try_into().ok()?;
        self.slot_of(value.value())
    }

    /// As [`NumericType::slot`].
    #[inline]
    pub(super) fn slot_of(self, value: f64) -> Option<ValRaw> {
        match self {
            Self::I32 => {
                let signed = value as i32;
                if f64::from(signed) == value {
                    return Some(ValRaw::i32(signed));
                }
                let unsigned = value as u32;
                (f64::from(unsigned) == value).then(|| ValRaw::u32(unsigned))
            }
            Self::F32 => Some(ValRaw::f32((value as f32).to_bits())),
            Self::F64 => Some(ValRaw::f64(value.to_bits())),
        }
    }

    /// The value in a slot of this type. A double holds each value of each of these types.
    #[inline]
    pub(super) fn double_of(self, slot: &ValRaw) -> f64 {
        match self {
            Self::I32 => slot.get_i32().into(),
            Self::F32 => f32::from_bits(slot.get_f32()).into(),
            Self::F64 => f64::from_bits(slot.get_f64()),
        }
    }

    /// The value in a slot of this type.
    pub(super) fn value<'s>(
        self,
        scope: &mut v8::PinScope<'s, '_>,
        slot: &ValRaw,
    ) -> v8::Local<'s, v8::Value> {
        match self {
            Self::I32 => v8::Integer::new(scope, slot.get_i32()).into(),
            Self::F32 | Self::F64 => v8::Number::new(scope, self.double_of(slot)).into(),
        }
    }
}

/// The most parameters of a [`NumericSignature`].
pub(super) const MAX_PARAMS: usize = 8;

/// The type of a function that takes a few numbers and returns at most one.
pub(super) struct NumericSignature {
    params: [NumericType; MAX_PARAMS],
    count: usize,
    pub result: Option<NumericType>,
}

impl NumericSignature {
    /// `None` if the type is no such type.
    pub(super) fn of(ty: &ExternInfo) -> Option<Self> {
        let ExternInfo::Function { params, results } = ty else {
            return None;
        };
        let mut types = [NumericType::I32; MAX_PARAMS];
        for (param, ty) in types.get_mut(..params.len())?.iter_mut().zip(params) {
            *param = NumericType::named(ty)?;
        }
        let result = match &results[..] {
            [] => None,
            [result] => Some(NumericType::named(result)?),
            _ => return None,
        };
        Some(Self {
            params: types,
            count: params.len(),
            result,
        })
    }

    pub(super) fn params(&self) -> &[NumericType] {
        &self.params[..self.count]
    }
}
