//! The types that the codec knows, wherever their description is.

use super::layout::Layout;

/// An integer or a float.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    /// 1, 2, 4 or 8 bytes.
    pub(crate) size: u32,
    /// Whether it is a signed integer.
    pub(crate) is_signed: bool,
}

/// A type, with references to its parts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape<T> {
    Number(Number),
    Bool,
    Char,
    Text,
    List(T),
    FixedLengthList {
        element: T,
        length: u32,
    },
    /// A record or tuple with so many [parts](Types::part).
    Record(usize),
    /// A variant, enum, option or result with so many cases. The parts are the payloads.
    Variant(usize),
    /// So many flags.
    Flags(usize),
    /// A type whose values are more than bytes.
    Other,
}

/// A description of types.
pub(crate) trait Types {
    /// A reference to a type.
    type Ref: Copy;

    /// The shape of a type.
    fn shape(&self, ty: Self::Ref) -> Shape<Self::Ref>;

    /// The part of a record or variant with this index, if it has one.
    fn part(&self, ty: Self::Ref, index: usize) -> Option<Self::Ref>;

    /// The layout of a type.
    fn layout(&self, ty: Self::Ref) -> Layout;
}
