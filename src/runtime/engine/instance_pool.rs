//! Engines whose instances take their memories and tables from a pool.
//!
//! A pool never fails for want of room while an instance is made: an instance has a place before its store is made, and
//! each place has room for all that an instance of an admitted module can have.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::MEMORY_RESERVATION;
use super::quota::{ADDRESS_SPACE, GIB_PER_POOLED_INSTANCE, MAPPINGS, PER_MEMORY, Share};
use crate::runtime::base::instance_pool::InstancePool;

/// The size of each table of a pool, in elements. A table that may grow beyond it is not made in a pool.
pub(crate) const TABLE_ELEMENTS: u64 = 10_000_000;

/// The maximum number of tables of an instance: one of functions, and one of references of the host, as `wasm-bindgen`
/// makes them.
const TABLES: u32 = 2;

/// The number of memories that stay mapped for the next instance of the same module.
const WARM_MEMORIES: u32 = 100;

/// An engine with a pool.
pub(crate) struct PooledEngine {
    pub(crate) engine: Engine,
    places: Arc<Places>,
    memories: PooledMemories,
    _address_space: Share,
}

/// The places for instances in a pool.
#[derive(Debug)]
struct Places {
    free: AtomicU32,
}

/// The places of the instances of one store, which are given back on drop.
#[derive(Debug)]
pub(crate) struct PoolShare {
    places: Arc<Places>,
    count: u32,
    /// The number of them that no instance has yet.
    spare: u32,
}

/// The number of memories in a pool, and the mappings that they take.
///
/// A part of the pool that was used once stays divided into mappings after its memory is gone. So the mappings are those
/// of the largest number of memories that the pool ever had.
#[derive(Clone, Debug)]
pub(crate) struct PooledMemories(Arc<Mutex<Mapped>>);

#[derive(Debug)]
struct Mapped {
    live: u32,
    /// The number of memories that have mappings.
    peak: u32,
    mappings: Share,
}

impl PooledEngine {
    /// Makes an engine with this configuration and a pool. Returns `None` if the process has too little address space or
    /// too few mappings.
    pub(super) fn new(mut config: Config, pool: InstancePool) -> Option<Self> {
        let count = pool.instances;
        let mut allocation = PoolingAllocationConfig::new();
        allocation
            // A store has an instance that copies code units too.
            .total_core_instances(count.saturating_mul(2))
            // A store has a garbage-collected heap too, in the place of a memory.
            .total_memories(count.saturating_mul(2))
            .total_gc_heaps(count)
            .total_tables(count.saturating_mul(TABLES))
            .total_component_instances(0)
            .total_stacks(0)
            .max_memories_per_module(1)
            .max_tables_per_module(TABLES)
            .max_memory_size(usize::try_from(MEMORY_RESERVATION).ok()?)
            .table_elements(usize::try_from(TABLE_ELEMENTS).ok()?)
            .max_core_instance_size(pool.max_instance_bytes as usize)
            .linear_memory_keep_resident(pool.resident_bytes as usize)
            .table_keep_resident(pool.resident_bytes as usize)
            .max_unused_warm_slots(WARM_MEMORIES);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(allocation));
        let make = || {
            let gib = count.saturating_mul(GIB_PER_POOLED_INSTANCE);
            let address_space = ADDRESS_SPACE.take(gib)?;
            let mappings = MAPPINGS.take(WARM_MEMORIES * PER_MEMORY)?;
            let engine = Engine::new(&config).map_err(|error| format!("{error:#}"))?;
            Ok::<_, String>(Self {
                engine,
                places: Arc::new(Places {
                    free: AtomicU32::new(count),
                }),
                memories: PooledMemories::new(mappings),
                _address_space: address_space,
            })
        };
        make()
            .inspect_err(|error| tracing::warn!("no pool of instances: {error}"))
            .ok()
    }

    /// Takes a place for the first instance of a new store. Returns `None` if there is none.
    pub(crate) fn take_place(&self) -> Option<PoolShare> {
        let is_taken = self.places.take();
        is_taken.then(|| PoolShare {
            places: self.places.clone(),
            count: 1,
            spare: 1,
        })
    }

    /// Returns the memories of the pool.
    pub(crate) fn memories(&self) -> PooledMemories {
        self.memories.clone()
    }
}

impl Places {
    /// Takes a place. Returns whether there was one.
    fn take(&self) -> bool {
        let take = |free: u32| free.checked_sub(1);
        let taken = self
            .free
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, take);
        taken.is_ok()
    }
}

impl PoolShare {
    /// Returns the number of places.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Gives a place to one more instance of the store. Returns whether there was one.
    pub(crate) fn occupy(&mut self) -> bool {
        if self.spare == 0 && self.places.take() {
            self.count += 1;
            self.spare += 1;
        }
        let has_place = self.spare > 0;
        self.spare -= u32::from(has_place);
        has_place
    }

    /// Takes the place of an instance that could not be made. The next one of the store gets it.
    pub(crate) fn vacate(&mut self) {
        self.spare += 1;
    }
}

impl Drop for PoolShare {
    fn drop(&mut self) {
        // Whoever takes a place sees that the memories and tables of its last instance were given back.
        self.places.free.fetch_add(self.count, Ordering::Release);
    }
}

impl PooledMemories {
    pub(super) fn new(mappings: Share) -> Self {
        Self(Arc::new(Mutex::new(Mapped {
            live: 0,
            peak: 0,
            mappings,
        })))
    }

    /// Counts one more memory.
    ///
    /// # Errors
    /// A message if the process has too few mappings left.
    pub(super) fn add(&self) -> Result<(), String> {
        let mapped = &mut *self.lock();
        if mapped.live == mapped.peak {
            mapped.mappings.take(PER_MEMORY)?;
            mapped.peak += 1;
        }
        mapped.live += 1;
        Ok(())
    }

    /// Counts `count` memories less.
    pub(super) fn remove(&self, count: u32) {
        let mapped = &mut *self.lock();
        mapped.live = mapped.live.saturating_sub(count);
    }

    fn lock(&self) -> MutexGuard<'_, Mapped> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
