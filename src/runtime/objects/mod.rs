//! The objects of a store, as the host uses them.

pub(crate) mod func;
pub(crate) mod global;
pub(crate) mod memory;
pub(crate) mod table;
pub(crate) mod tag;
