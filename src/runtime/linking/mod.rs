//! What satisfies the imports of modules: functions of the host's that are the same for every store, and WASI.

pub(crate) mod host_imports;
pub(crate) mod wasi;
