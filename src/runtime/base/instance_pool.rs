//! The option for a pool of instances.

use serde::Deserialize;

/// The size of a pool of instances.
///
/// Making and dropping an instance in a pool takes less time: the process keeps the address space of its memory and its
/// tables, and clears them for the next instance. A pool takes address space for all its instances at once, 9 GiB
/// for each. All pools of a process together may take 96 TiB, three quarters of what a process has on most machines: there
/// is no pool where that is too little. States of one process with pools of the same size share one pool for
/// each combination of fuel and deadlines: each may fill it.
#[derive(Clone, Copy, Debug, Deserialize, Hash, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct InstancePool {
    /// The maximum number of instances in the pool at one time. Default: 1,000.
    pub instances: u32,
    /// The maximum size of what wasmtime keeps about one instance beside its memory and tables, in bytes: about 16 for
    /// each function and each global. Larger modules are instantiated outside of the pool. Default: 1 MiB.
    pub max_instance_bytes: u32,
    /// The number of bytes of each memory, and of each table, that are cleared by writing zeros and stay in physical memory
    /// after their instance was dropped. The rest is given back to the system. Default: 64 KiB.
    pub resident_bytes: u32,
}

impl Default for InstancePool {
    fn default() -> Self {
        Self {
            instances: 1_000,
            max_instance_bytes: 1 << 20,
            resident_bytes: 64 << 10,
        }
    }
}

impl InstancePool {
    /// Returns a pool for so many instances.
    #[must_use]
    pub fn of(instances: u32) -> Self {
        Self {
            instances,
            ..Self::default()
        }
    }
}
