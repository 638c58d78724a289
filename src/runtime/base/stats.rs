//! Numbers that say how much stores use.

use serde::Serialize;

/// The use of one store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StoreStats {
    /// The bytes of its memories and of its guests' garbage-collected objects, as the cap on memory counts them: a
    /// shared memory counts with its maximum size.
    pub memory_bytes: u64,
    /// The elements of its tables.
    pub table_elements: u64,
    /// The instances, including dropped ones: they are freed with their store.
    pub instances: u32,
    /// The functions, memories, globals, tables, tags and references that the host has handles to, and the host's
    /// values that guests hold.
    pub handles: u64,
    /// The fuel that its guests have used. `None` if the store has no fuel budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel_used: Option<u64>,
}

/// The use of all stores of one state together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateStats {
    /// The modules that were not dropped.
    pub modules: usize,
    /// The stores that were not dropped.
    pub stores: usize,
    /// The instances whose store is not freed.
    pub instances: u32,
    /// The places in the [pool of instances](crate::WasmCapabilities::instance_pool) that the stores have which were not
    /// dropped.
    pub pooled_instances: u32,
    /// The asynchronous calls that run.
    pub running_calls: u32,
    /// The sum of [`StoreStats::memory_bytes`] of the stores that were not dropped.
    pub memory_bytes: u64,
    /// The sum of [`StoreStats::table_elements`] of the stores that were not dropped.
    pub table_elements: u64,
}
