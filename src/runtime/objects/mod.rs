//! Host access to the objects of a store.

pub(crate) mod array16;
pub(crate) mod exception;
pub(crate) mod func;
pub(crate) mod global;
pub(crate) mod memory;
pub(crate) mod object;
pub(crate) mod table;
pub(crate) mod tag;
