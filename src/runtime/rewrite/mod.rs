//! Transformations of modules before compilation, which keep their behaviour.

mod data;
mod exports;
mod legacy_exceptions;
mod offsets;

pub(crate) use data::{constant_offset, merge_data_segments};
pub(crate) use exports::{ExportNames, ExportOrder, Object, Searches, export_names};
pub(crate) use legacy_exceptions::{StandardModule, standard_exceptions, validate_legacy};
pub(crate) use offsets::OffsetMap;
