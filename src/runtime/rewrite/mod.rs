//! Transformations of modules before compilation, which keep their behaviour.

mod data;

pub(crate) use data::{constant_offset, merge_data_segments};
