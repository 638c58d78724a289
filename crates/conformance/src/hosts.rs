//! Runtimes that scripts run on: those of the lanes, and an independent one.

pub mod engine;
mod helper;
pub mod runtime;
pub mod script;
pub mod wasmi;
