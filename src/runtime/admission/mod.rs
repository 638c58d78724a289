//! Which modules are compiled at all.
//!
//! A compiler takes far longer than linear for some modules, and some of a few kilobytes take it
//! gigabytes. So a module is looked through once, in linear time, before it is compiled: what it holds
//! is counted, and what it costs is estimated ([`ModuleProfile`]). Whatever exceeds a
//! [limit](super::ModuleLimits) is refused.

mod ahead;
mod body;
mod cost;
mod deferred;
mod images;
mod locals;
mod numbering;
mod ops;
mod profile;
mod startup;
mod sums;
mod text;
mod types;
mod values;
mod walk;

pub(crate) use images::DENSE_IMAGE_BYTES;
pub(crate) use profile::ModuleProfile;
pub(crate) use text::{check_bytes, check_size, encode, least_steps, parse_steps};
