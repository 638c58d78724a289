//! The limits on the memory and tables of one store. wasmtime asks before a memory or table grows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use wasmtime::ResourceLimiter;

use crate::runtime::base::capabilities::WasmCapabilities;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::options::StoreOptions;
use crate::runtime::engine::MEMORY_RESERVATION;
use crate::runtime::engine::group::{Group, Total};
use crate::runtime::engine::instance_pool::PooledMemories;
use crate::runtime::engine::quota::{MAPPINGS, PER_MEMORY, Share};

/// The counted memories and tables of one store.
///
/// wasmtime asks about one memory at a time. With a cap for each memory alone a guest could use more by declaring
/// many memories, so the sizes are added up. A memory lives as long as its store, so the sum never decreases, with
/// one exception: a failed instantiation (see [`Limits::undo`]). A growth that was granted but failed later also
/// stays counted, because wasmtime reports failures of growths that it never asked about, and a guest could use
/// them to decrease its sum.
pub(crate) struct Limits {
    memory: Account,
    tables: Account,
    max_instances: usize,
    max_memories: usize,
    max_tables: usize,
    pub(crate) max_references: u32,
    /// The memory mappings that the store's memories use.
    mappings: Mappings,
    /// The reason why the last request got no mappings, if it was refused for that.
    mapping_refusal: Option<String>,
    /// Whether a memory or table was granted since the last [mark](Limits::mark).
    created: bool,
    /// Whether a memory or table was refused since then.
    refused: bool,
    /// Whether the counted mappings include those of the store's garbage-collected heap. They may have been counted
    /// during an instantiation that failed.
    heap_mapped: bool,
    /// Whether a memory may have grown since the last `WasmStore::take_grown`.
    pub(crate) grown: Arc<AtomicBool>,
}

/// The sums of one store. They can be read while a guest runs.
pub(crate) struct Usage {
    memory_bytes: Arc<AtomicU64>,
    table_elements: Arc<AtomicU64>,
}

impl Usage {
    /// Returns the counted bytes of all memories.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes.load(Ordering::Relaxed)
    }

    /// Returns the counted elements of all tables.
    pub(crate) fn table_elements(&self) -> u64 {
        self.table_elements.load(Ordering::Relaxed)
    }
}

impl Limits {
    pub(crate) fn new(
        options: &StoreOptions,
        capabilities: &WasmCapabilities,
        group: Option<&Group>,
        pooled: Option<PooledMemories>,
    ) -> Self {
        let memory_total = group.map(|group| group.memory_bytes.clone());
        let table_total = group.map(|group| group.table_elements.clone());
        Self {
            memory: Account::new(options.max_memory_bytes.unwrap_or(u64::MAX), memory_total),
            tables: Account::new(capabilities.max_table_elements, table_total),
            max_instances: capabilities.max_instances as usize,
            max_memories: capabilities.max_memories as usize,
            max_tables: capabilities.max_tables as usize,
            max_references: capabilities.max_references,
            mappings: Mappings {
                own: None,
                pooled: pooled.map(|memories| Pooled {
                    memories,
                    count: 0,
                    max: 0,
                }),
            },
            mapping_refusal: None,
            created: false,
            refused: false,
            heap_mapped: false,
            grown: Arc::default(),
        }
    }

    /// Returns the sums, which change with these limits.
    pub(crate) fn usage(&self) -> Usage {
        Usage {
            memory_bytes: self.memory.used.clone(),
            table_elements: self.tables.used.clone(),
        }
    }

    /// Counts the maximum growth of shared memories. wasmtime does not ask about their growth, which happens
    /// without the store, so it has to be counted before they are made.
    ///
    /// # Errors
    /// `InstantiateError` if the sum exceeds the cap.
    pub(crate) fn reserve_shared(&mut self, bytes: u64) -> Result<(), WasmError> {
        if bytes == 0 {
            return Ok(());
        }
        self.memory.add(bytes).map_err(|sum| {
            WasmError::instantiate(format!(
                "shared memories may grow to {sum} bytes, which exceeds the cap of {} bytes",
                self.memory.cap
            ))
        })
    }

    /// Lets one more instance have its memories in the pool, if the store is in one.
    pub(crate) fn expect_instance(&mut self) {
        if let Some(pooled) = &mut self.mappings.pooled {
            pooled.max = pooled.max.saturating_add(PER_INSTANCE);
        }
    }

    /// Takes back [`Limits::expect_instance`], for an instance that could not be made. A script could otherwise count any
    /// number of memories of the host as those of a pool, by instantiations that fail.
    pub(crate) fn forget_instance(&mut self) {
        if let Some(pooled) = &mut self.mappings.pooled {
            pooled.max = pooled.max.saturating_sub(PER_INSTANCE);
        }
    }

    /// Returns the current counts. Called before an instantiation that may fail.
    pub(crate) fn mark(&mut self) -> Mark {
        (self.created, self.refused) = (false, false);
        Mark {
            memory: self.memory.used(),
            tables: self.tables.used(),
            memories: self.mappings.memories(),
        }
    }

    /// Restores the counts of the mark after a failed instantiation. wasmtime has freed the memories and tables
    /// that it made, if one was refused here, or none was reached. If the system itself refused one, all granted
    /// memories stay counted.
    pub(crate) fn undo(&mut self, mark: &Mark) {
        if self.created && !self.refused {
            return;
        }
        self.memory.go_back_to(mark.memory);
        self.tables.go_back_to(mark.tables);
        let more = self.mappings.memories() - mark.memories;
        // The first one may be the store's garbage-collected heap. It stays, and has no bytes at first.
        let heap = if self.heap_mapped { 0 } else { more.min(1) };
        self.heap_mapped |= heap > 0;
        self.mappings.remove(more - heap);
    }

    /// Returns a description of the cap that refused the last request, if one did since the last call of this
    /// method.
    pub(crate) fn take_refusal(&mut self) -> Option<String> {
        let memory = self.memory.refused.take().map(|wanted| {
            format!(
                "{wanted} bytes of memory exceed the cap of {} bytes",
                self.memory.cap
            )
        });
        let tables = self.tables.refused.take().map(|wanted| {
            format!(
                "{wanted} table elements exceed the cap of {}",
                self.tables.cap
            )
        });
        memory.or(tables).or(self.mapping_refusal.take())
    }

    /// Records whether a new memory or table, which has size 0, was granted.
    fn record_creation(&mut self, current: usize, granted: bool) {
        if current == 0 {
            self.created |= granted;
            self.refused |= !granted;
        }
    }

    /// Counts the mappings of one more memory.
    fn map(&mut self) -> bool {
        self.mapping_refusal = self.mappings.add().err();
        self.mapping_refusal.is_none()
    }
}

/// The counts of a store at some time.
pub(crate) struct Mark {
    memory: u64,
    tables: u64,
    memories: u32,
}

/// The number of memories that an instance can have in a pool: its own, and its store's garbage-collected heap.
const PER_INSTANCE: u32 = 2;

/// The memory mappings of a store's memories.
struct Mappings {
    own: Option<Share>,
    pooled: Option<Pooled>,
}

/// The memories of a store in a pool.
struct Pooled {
    memories: PooledMemories,
    count: u32,
    /// The maximum of the count. The host makes the other memories of the store outside of the pool.
    max: u32,
}

impl Pooled {
    /// Removes up to so many memories. Returns their number.
    fn remove(&mut self, memories: u32) -> u32 {
        let gone = memories.min(self.count);
        self.memories.remove(gone);
        self.count -= gone;
        gone
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        self.remove(self.count);
    }
}

impl Mappings {
    /// Returns the number of memories.
    fn memories(&self) -> u32 {
        let own = self.own.as_ref().map_or(0, Share::count) / PER_MEMORY;
        own + self.pooled.as_ref().map_or(0, |pooled| pooled.count)
    }

    /// Adds a memory.
    ///
    /// # Errors
    /// A message if too few mappings are left.
    fn add(&mut self) -> Result<(), String> {
        if let Some(pooled) = &mut self.pooled
            && pooled.count < pooled.max
        {
            pooled.memories.add()?;
            pooled.count += 1;
            return Ok(());
        }
        match &mut self.own {
            Some(share) => share.take(PER_MEMORY),
            none => MAPPINGS.take(PER_MEMORY).map(|share| *none = Some(share)),
        }
    }

    /// Removes so many memories, those of the host first.
    fn remove(&mut self, memories: u32) {
        let mut rest = memories;
        if let Some(share) = &mut self.own {
            let gone = rest.min(share.count() / PER_MEMORY);
            share.give_back(gone * PER_MEMORY);
            rest -= gone;
        }
        if let Some(pooled) = &mut self.pooled {
            pooled.remove(rest);
        }
    }
}

/// A sum with a cap.
#[derive(Debug)]
struct Account {
    /// Only these limits change it, so no two threads do at a time.
    used: Arc<AtomicU64>,
    cap: u64,
    /// The sum of all stores of the group, if the store is in one.
    total: Option<Arc<Total>>,
    /// The sum that a refused growth would have reached.
    refused: Option<u64>,
}

impl Drop for Account {
    fn drop(&mut self) {
        self.go_back_to(0);
    }
}

impl Account {
    fn new(cap: u64, total: Option<Arc<Total>>) -> Self {
        Self {
            used: Arc::default(),
            cap,
            total,
            refused: None,
        }
    }

    fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Adds to the sum. If the new sum would exceed the cap, returns that sum as the error, and adds nothing.
    fn add(&mut self, more: u64) -> Result<(), u64> {
        let sum = self.used().saturating_add(more);
        if sum > self.cap {
            return Err(sum);
        }
        if let Some(total) = &self.total {
            total.add(more)?;
        }
        self.used.store(sum, Ordering::Relaxed);
        Ok(())
    }

    /// Restores an earlier sum.
    fn go_back_to(&mut self, used: u64) {
        if let Some(total) = &self.total {
            total.give_back(self.used().saturating_sub(used));
        }
        self.used.store(used, Ordering::Relaxed);
    }

    fn grow(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> bool {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return false;
        }
        let more = desired.saturating_sub(current) as u64;
        match self.add(more) {
            Ok(()) => true,
            Err(sum) => {
                self.refused = Some(sum);
                false
            }
        }
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let moves = current > 0 && desired as u64 > MEMORY_RESERVATION;
        // A new memory has size 0. Its mappings are counted last: a guest can repeat a growth that the memory cap
        // or the maximum refuses without limit.
        let granted =
            !moves && self.memory.grow(current, desired, maximum) && (current > 0 || self.map());
        self.grown.fetch_or(granted, Ordering::Relaxed);
        self.record_creation(current, granted);
        Ok(granted)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = self.tables.grow(current, desired, maximum);
        self.record_creation(current, granted);
        Ok(granted)
    }

    fn instances(&self) -> usize {
        self.max_instances
    }

    fn memories(&self) -> usize {
        self.max_memories
    }

    fn tables(&self) -> usize {
        self.max_tables
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_of_the_host_do_not_count_in_the_pool() {
        let memories = PooledMemories::new(MAPPINGS.take(0).unwrap());
        let (options, capabilities) = (StoreOptions::default(), WasmCapabilities::default());
        let mut limits = Limits::new(&options, &capabilities, None, Some(memories));
        let add = |limits: &mut Limits| assert!(limits.memory_growing(0, 0, None).unwrap());
        let counts = |limits: &Limits| {
            let pooled = limits.mappings.pooled.as_ref().unwrap().count;
            (pooled, limits.mappings.memories())
        };
        add(&mut limits);
        assert_eq!(counts(&limits), (0, 1));
        limits.expect_instance();
        for _ in 0..100 {
            limits.expect_instance();
            limits.forget_instance();
        }
        for _ in 0..9 {
            add(&mut limits);
        }
        assert_eq!(counts(&limits), (2, 10));
    }
}
