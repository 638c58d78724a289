//! The functions that satisfy imports: host functions that are the same for every store, and WASI.

pub(crate) mod host_imports;
pub(crate) mod wasi;
