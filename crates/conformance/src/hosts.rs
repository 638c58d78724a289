//! The runtimes that scripts run on, one a lane.

pub mod engine;
