//! Ops on components and their instances.

mod call;
mod compile;
mod http;
mod instance;

pub(crate) use call::*;
pub(crate) use compile::*;
pub(crate) use http::*;
pub(crate) use instance::*;
