//! Random inputs for `host:wasm`: `cargo conformance fuzz`.
//!
//! There are three kinds: modules that another engine runs beside it ([`differential`]), programs over its API
//! ([`api`]), and values of components ([`codec`]). Tests use a fourth: programs with legacy exceptions and the result that each must have
//! ([`legacy_exceptions`]). All are made of bytes. Here a seed makes the bytes, so that a seed is all that it takes to see an input
//! again, and [`campaign`] runs many seeds in processes of their own. In the folder `fuzz/` of the repository, libFuzzer
//! makes the bytes, guided by the code that they reach.

pub mod api;
pub mod campaign;
pub mod codec;
pub mod command;
pub mod differential;
pub mod legacy_exceptions;

use crate::features::{Feature, Features, Version};

/// The features of `host:wasm`. Modules use those of them that both engines have, as wasm-smith is told to.
pub fn features() -> Features {
    Features::of(Version::V3).with([Feature::Threads])
}
