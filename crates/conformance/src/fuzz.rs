//! Random modules, run by `host:wasm` and by an engine that shares no code with it: `cargo conformance fuzz`.
//!
//! A [`Case`] is made from a seed alone, so a seed is all that it takes to see it again. [`compare`] runs it on the
//! script lane and on [`wasmi`](crate::hosts::wasmi) and looks for the first [`Difference`]. That happens in processes
//! of their own ([`worker`]), so that a crash or a hang is a difference like any other. What is found is
//! [made smaller](minimise) and [written](wast) where the suite `spec-tests` finds it.

pub mod case;
pub mod command;
pub mod compare;
pub mod minimise;
pub mod wast;
pub mod worker;

pub use case::Case;
pub use compare::{Difference, Tally};

use crate::features::{Feature, Features, Version};

/// The features of `host:wasm`. Modules use those of them that both engines have, as wasm-smith is told to.
pub fn features() -> Features {
    Features::of(Version::V3).with([Feature::Threads])
}
