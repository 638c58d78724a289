//! Modules that are changed before they are compiled, into others that do the same.

mod data;

pub(crate) use data::{constant_offset, merge_data_segments};
