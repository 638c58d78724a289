//! Which functions cross by the [codec](crate::runtime::codec), and the layouts of their values.
//!
//! This is the only place that decides it: the runtime and the host's language both read it here.

use std::sync::OnceLock;

use serde::{Serialize, Serializer};

use super::types::{Function, FunctionType, Interface, TypeIndex, ValueType};
use crate::runtime::codec::{self, Element, Layout, Number, Shape, Types};

/// The most bytes of a head: the parameters, or the result, without their strings and lists.
const MAX_HEAD_BYTES: u32 = 1024;

/// The most parts of the types of one function: they are walked through in each call, which no fuel is taken for.
const MAX_PARTS: u32 = 1_000;

/// The most parts of the types of all functions: what is known of them is kept.
const MAX_ALL_PARTS: u32 = 100_000;

/// The layout of a type, with those of its parts in it.
#[derive(Debug, Serialize)]
pub(crate) struct TypeLayout {
    size: u32,
    align: u32,
    #[serde(skip)]
    flat: u32,
    /// The offsets of the fields of a record or tuple.
    offsets: Box<[u32]>,
    /// The offset of the payload of a variant, option or result. 0 for other types.
    payload: u32,
}

impl TypeLayout {
    fn layout(&self) -> Layout {
        let &Self {
            size, align, flat, ..
        } = self;
        Layout { size, align, flat }
    }

    fn of(ty: &ValueType, layouts: &[Self]) -> Self {
        let of = |ty: &TypeIndex| layouts[*ty as usize].layout();
        let mut offsets = Vec::new();
        let (layout, payload) = match ty {
            ValueType::Record { fields } => {
                let fields = fields.iter().map(|(_, ty)| of(ty));
                (codec::record(fields, |at| offsets.push(at)), 0)
            }
            ValueType::Tuple { types } => {
                let fields = types.iter().map(of);
                (codec::record(fields, |at| offsets.push(at)), 0)
            }
            ValueType::Variant { cases } => {
                codec::variant(cases.iter().map(|(_, ty)| ty.as_ref().map(of)))
            }
            ValueType::Enum { names } => codec::variant(names.iter().map(|_| None)),
            ValueType::Option { some } => codec::variant([None, Some(of(some))].into_iter()),
            ValueType::Result { ok, err } => {
                codec::variant([ok.as_ref().map(of), err.as_ref().map(of)].into_iter())
            }
            ValueType::FixedLengthList { element, length } => (of(element).repeated(*length), 0),
            ValueType::Flags { names } => (codec::flags_size(names.len()), 0),
            ValueType::Bool | ValueType::S8 | ValueType::U8 => (Layout::scalar(1), 0),
            ValueType::S16 | ValueType::U16 => (Layout::scalar(2), 0),
            ValueType::S64 | ValueType::U64 | ValueType::F64 => (Layout::scalar(8), 0),
            ValueType::S32
            | ValueType::U32
            | ValueType::F32
            | ValueType::Char
            | ValueType::Own { .. }
            | ValueType::Borrow { .. }
            | ValueType::Future { .. }
            | ValueType::Stream { .. }
            | ValueType::Other { .. } => (Layout::scalar(4), 0),
            ValueType::String | ValueType::List { .. } | ValueType::Map { .. } => (Layout::PAIR, 0),
        };
        let Layout { size, align, flat } = layout;
        Self {
            size,
            align,
            flat,
            offsets: offsets.into(),
            payload,
        }
    }
}

/// A function whose values cross by the codec.
#[derive(Debug)]
pub(crate) struct FunctionPlan {
    params: Layout,
    /// The offsets of the parameters.
    offsets: Box<[u32]>,
    result: Layout,
    heads: OnceLock<[Element; 2]>,
}

impl Serialize for FunctionPlan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Sizes<'a> {
            size: u32,
            offsets: &'a [u32],
        }
        let sizes = Sizes {
            size: self.params.size,
            offsets: &self.offsets,
        };
        sizes.serialize(serializer)
    }
}

impl FunctionPlan {
    fn of(function: &FunctionType, layouts: &[TypeLayout]) -> Self {
        let of = |ty: &TypeIndex| layouts[*ty as usize].layout();
        let mut offsets = Vec::new();
        let params = function.params.iter().map(|(_, ty)| of(ty));
        let params = codec::record(params, |at| offsets.push(at));
        let result = codec::record(function.result.iter().map(of), |_| ());
        Self {
            params,
            offsets: offsets.into(),
            result,
            heads: OnceLock::new(),
        }
    }

    /// The numbers of core values that the parameters and the result are.
    pub(crate) fn flat_counts(&self) -> codec::FlatCounts {
        codec::FlatCounts {
            params: self.params.flat,
            results: self.result.flat,
        }
    }

    /// The number of bytes of the head of the parameters.
    pub(crate) fn params_size(&self) -> u32 {
        self.params.size
    }

    /// The number of bytes of the head of the result.
    pub(crate) fn result_size(&self) -> u32 {
        self.result.size
    }

    /// The heads of the parameters and of the result of this function.
    pub(crate) fn heads(&self, interface: &Interface, function: &FunctionType) -> &[Element; 2] {
        self.heads.get_or_init(|| {
            let params = function.params.iter().map(|(_, ty)| *ty);
            [
                Element::head(interface, params, self.params),
                Element::head(interface, function.result, self.result),
            ]
        })
    }
}

/// How the values of all functions of an interface cross.
#[derive(Debug, Serialize)]
pub(crate) struct Plans {
    /// The layout of each type.
    layouts: Box<[TypeLayout]>,
    /// The imported functions that cross by the codec, by number.
    imports: Box<[Option<FunctionPlan>]>,
    /// The exported functions that cross by the codec, by number.
    exports: Box<[Option<FunctionPlan>]>,
}

impl Plans {
    /// Decides about functions of these types.
    pub(super) fn of(types: &[ValueType], imports: &[Function], exports: &[Function]) -> Self {
        let mut layouts = Vec::with_capacity(types.len());
        for ty in types {
            let layout = TypeLayout::of(ty, &layouts);
            layouts.push(layout);
        }
        let parts = parts_of(types);
        let mut left = MAX_ALL_PARTS;
        let mut plan = |function: &Function| {
            let function = &function.ty;
            let types = function.params.iter().map(|(_, ty)| *ty);
            let parts = types
                .chain(function.result)
                .map(|ty| parts[ty as usize])
                .try_fold(0_u32, |all, parts| all.checked_add(parts?))?;
            let plan = FunctionPlan::of(function, &layouts);
            let fits = !function.is_async
                && parts <= MAX_PARTS.min(left)
                && plan.params.size.max(plan.result.size) <= MAX_HEAD_BYTES;
            left -= if fits { parts } else { 0 };
            fits.then_some(plan)
        };
        let exports = exports.iter().map(&mut plan).collect();
        let imports = imports.iter().map(plan).collect();
        Self {
            layouts: layouts.into(),
            imports,
            exports,
        }
    }

    /// Has no function cross by the codec, whose calls cannot be suspended.
    pub(super) fn forget(&mut self) {
        for plan in self.imports.iter_mut().chain(&mut self.exports) {
            *plan = None;
        }
    }

    /// The offsets of the fields of a record or tuple.
    pub(super) fn offsets(&self, ty: TypeIndex) -> &[u32] {
        &self.layouts[ty as usize].offsets
    }

    /// The offset of the payload of a variant, option or result.
    pub(super) fn payload_offset(&self, ty: TypeIndex) -> u32 {
        self.layouts[ty as usize].payload
    }

    /// The plan of an imported function, if it crosses by the codec.
    pub(crate) fn import(&self, number: u32) -> Option<&FunctionPlan> {
        self.imports.get(number as usize)?.as_ref()
    }

    /// The plan of an exported function, if it crosses by the codec.
    pub(crate) fn export(&self, number: u32) -> Option<&FunctionPlan> {
        self.exports.get(number as usize)?.as_ref()
    }
}

/// The number of parts of each type, with those of the parts. `None` for types whose values the codec does not know.
fn parts_of(types: &[ValueType]) -> Vec<Option<u32>> {
    let mut all: Vec<Option<u32>> = Vec::with_capacity(types.len());
    for ty in types {
        let mut parts = match ty {
            ValueType::Map { .. }
            | ValueType::Own { .. }
            | ValueType::Borrow { .. }
            | ValueType::Future { .. }
            | ValueType::Stream { .. }
            | ValueType::Other { .. } => None,
            ValueType::Enum { names } | ValueType::Flags { names } => {
                u32::try_from(names.len()).ok()
            }
            ValueType::Variant { cases } => u32::try_from(cases.len()).ok(),
            _ => Some(1),
        };
        ty.for_each_part(|part| {
            parts = parts.and_then(|parts| Some(parts.saturating_add(all[part as usize]?)));
        });
        all.push(parts);
    }
    all
}

impl Types for Interface {
    type Ref = TypeIndex;

    fn shape(&self, ty: TypeIndex) -> Shape<TypeIndex> {
        let number = |size, is_signed| Shape::Number(Number { size, is_signed });
        match self.ty(ty) {
            ValueType::Bool => Shape::Bool,
            ValueType::S8 => number(1, true),
            ValueType::U8 => number(1, false),
            ValueType::S16 => number(2, true),
            ValueType::U16 => number(2, false),
            ValueType::S32 => number(4, true),
            ValueType::U32 | ValueType::F32 => number(4, false),
            ValueType::S64 => number(8, true),
            ValueType::U64 | ValueType::F64 => number(8, false),
            ValueType::Char => Shape::Char,
            ValueType::String => Shape::Text,
            ValueType::List { element } => Shape::List(*element),
            ValueType::FixedLengthList { element, length } => Shape::FixedLengthList {
                element: *element,
                length: *length,
            },
            ValueType::Record { fields } => Shape::Record(fields.len()),
            ValueType::Tuple { types } => Shape::Record(types.len()),
            ValueType::Variant { cases } => Shape::Variant(cases.len()),
            ValueType::Enum { names } => Shape::Variant(names.len()),
            ValueType::Option { .. } | ValueType::Result { .. } => Shape::Variant(2),
            ValueType::Flags { names } => Shape::Flags(names.len()),
            ValueType::Map { .. }
            | ValueType::Own { .. }
            | ValueType::Borrow { .. }
            | ValueType::Future { .. }
            | ValueType::Stream { .. }
            | ValueType::Other { .. } => Shape::Other,
        }
    }

    fn part(&self, ty: TypeIndex, index: usize) -> Option<TypeIndex> {
        match self.ty(ty) {
            ValueType::Record { fields } => Some(fields.get(index)?.1),
            ValueType::Tuple { types } => types.get(index).copied(),
            ValueType::Variant { cases } => cases.get(index)?.1,
            ValueType::Option { some } => (index == 1).then_some(*some),
            ValueType::Result { ok, err } => {
                if index == 0 {
                    *ok
                } else {
                    *err
                }
            }
            _ => None,
        }
    }

    fn layout(&self, ty: TypeIndex) -> Layout {
        self.plans.layouts[ty as usize].layout()
    }
}
