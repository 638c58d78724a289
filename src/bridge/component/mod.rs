//! Ops on components and their instances.

mod call;
mod compile;
mod events;
mod http;
mod images;
mod instance;

pub(crate) use call::*;
pub(crate) use compile::*;
pub(crate) use events::*;
pub(crate) use http::*;
pub(crate) use images::*;
pub(crate) use instance::*;
