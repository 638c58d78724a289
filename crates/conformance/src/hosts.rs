//! The runtimes that scripts run on, one a lane.

pub mod engine;
mod helper;
pub mod runtime;
pub mod script;
