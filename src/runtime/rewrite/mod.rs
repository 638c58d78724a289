//! Transformations of modules before compilation, which keep their behaviour.

mod data;
mod legacy_exceptions;
mod offsets;

pub(crate) use data::{constant_offset, merge_data_segments};
pub(crate) use legacy_exceptions::standard_exceptions;
pub(crate) use offsets::OffsetMap;
