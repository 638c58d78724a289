//! The codec of component values: bytes in the layout of the canonical ABI, which cross by one copy of each block.
//!
//! wasmtime's own dynamic values take 40 bytes and tens of nanoseconds for each element of a list. Here the values of a
//! call are an *image* instead:
//!
//! - The *head* is the parameters, or the result, as fields of a record in the 32-bit layout of the canonical ABI. Zeros
//!   fill it up to a multiple of eight bytes.
//! - The *heap* follows: one block for each string and each list, in the order in which a walk through the values meets
//!   them, so that the strings of an element of a list come behind the whole list. A string is UTF-8 whatever the encoding
//!   of the guest is. Each block is aligned as its elements are.
//! - A string or list in the head or in a block is a pair of numbers as in the memory of a guest. The first is not read,
//!   and is 0 in values that come out of a guest: the order says where the block is, so no two values can share one. The
//!   second is the number of bytes or elements.
//!
//! An image that is [checked](Element::check) cannot fail when it is lowered, for another reason than the guest: a failed
//! lowering would end the instance. Values that come out of a guest are held to the rules of the canonical ABI, as wasmtime
//! does it, and make an image that the check accepts.
//!
//! wasmtime has this for types that Rust knows when it compiles. The traits are public and their contents hidden, so the
//! version of wasmtime is pinned. The layouts that memory safety and the guest depend on are wasmtime's own: the check
//! alone uses those of the [interface](crate::runtime::component), and a test holds both against each other.

mod check;
mod function;
mod layout;
mod lift;
mod lower;
mod shape;
mod slots;
mod steps;
mod wasmtime_types;

pub(crate) use self::check::Misfit;
pub(crate) use self::function::{FlatCounts, add_import, call};
pub(crate) use self::layout::{Layout, align_up, discriminant_size, flags_size, record, variant};
pub(crate) use self::lift::Lifted;
pub(crate) use self::shape::{Number, Shape, Types};
pub(crate) use self::slots::{pack, unpack};
pub(crate) use self::steps::Element;

/// The alignment of the heap, and of all that is in it at most.
pub(crate) const HEAP_ALIGN: usize = 8;

/// The number of bytes of a head of this size, with the zeros that fill it up.
pub(crate) fn head_bytes(size: u32) -> usize {
    align_up(size as usize, HEAP_ALIGN)
}
