//! Ops on components and their instances.

mod call;
mod compile;
mod events;
mod instance;

pub(crate) use call::*;
pub(crate) use compile::*;
pub(crate) use events::*;
pub(crate) use instance::*;
