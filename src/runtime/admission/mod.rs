//! The checks of modules before compilation.
//!
//! For some modules, compilation takes far more than linear time, and for some of a few kilobytes it takes
//! gigabytes of memory. So each module is first analysed in linear time: its content is counted, and its
//! compilation cost is estimated ([`ModuleProfile`]). A module that exceeds a [limit](super::ModuleLimits) is
//! refused.

mod body;
mod code;
mod component;
mod cost;
mod deferred;
mod format;
mod images;
mod invalid;
mod liveness;
mod locals;
mod map;
mod numbering;
mod ops;
mod profile;
mod searches;
mod startup;
mod sums;
mod text;
mod text_profile;
mod types;
mod values;
mod walk;

pub(crate) use component::ComponentProfile;
pub(crate) use format::{check_binary, check_component_format, check_format};
pub(crate) use images::DENSE_IMAGE_BYTES;
pub(crate) use invalid::{invalid, invalid_at, invalid_component};
pub(crate) use profile::ModuleProfile;
pub(crate) use text::{
    check_bytes, check_size, encode, encode_component, exceeded_limits, least_steps,
};
