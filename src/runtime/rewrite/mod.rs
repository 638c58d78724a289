//! Transformations of modules before compilation, which keep their behaviour.

mod data;
mod exports;

pub(crate) use data::{constant_offset, merge_data_segments};
pub(crate) use exports::{ExportNames, ExportOrder, Object, Searches, export_names};
