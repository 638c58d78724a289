//! The data of this crate in a wasmtime store.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use wasmtime::{AsContext, Func, FuncType, Global, Memory, MemoryType, SharedMemory};
use wasmtime::{Table, Tag, ValType};

use crate::runtime::engine::interrupt::Interrupt;
use crate::runtime::engine::limiter::Limits;
use crate::runtime::store::backtrace::InstantiatedModule;
use crate::runtime::store::cell::StoreCell;
use crate::runtime::store::code_units::CodeUnits;
use crate::runtime::store::component_handles::ComponentHandles;
use crate::runtime::store::concurrent::exchange::Exchange;
use crate::runtime::store::handle_table::HandleTable;
use crate::runtime::store::host_function::{HostFunction, HostTags};
use crate::runtime::store::identity::FuncIdentities;
use crate::runtime::store::references::Refs;
use crate::runtime::wasi::Wasi;
use crate::runtime::wasi::p2::WasiP2;

/// The data of this crate in a wasmtime store.
pub(crate) struct StoreData {
    pub(super) cell: Weak<StoreCell>,
    /// The tag of exceptions that carry a host value, made on first use.
    pub(super) host_tags: HostTags,
    pub(crate) limits: Limits,
    pub(crate) wasi: Option<Wasi>,
    /// The WASI state of a component's instance. Boxed, since few stores have one.
    pub(crate) wasi_p2: Option<Box<WasiP2>>,
    pub(crate) interrupt: Arc<Interrupt>,
    pub(crate) refs: Refs,
    /// The host functions with a number, by that number.
    pub(super) host_funcs: HashMap<u32, Func>,
    pub(crate) funcs: HandleTable<FuncEntry>,
    pub(super) identities: FuncIdentities,
    /// The functions that copy code units, made on first use.
    pub(super) code_units: Option<CodeUnits>,
    pub(crate) memories: HandleTable<LinearMemory>,
    pub(crate) globals: HandleTable<Global>,
    pub(crate) tables: HandleTable<Table>,
    pub(crate) tags: HandleTable<Tag>,
    /// The modules that have instances in this store, by the address of their machine code.
    pub(super) modules: HashMap<usize, InstantiatedModule>,
    /// The host's functions for the imports of a component, by number.
    pub(crate) component_imports: Arc<[Arc<dyn HostFunction>]>,
    /// The resources of a component that the host has handles of.
    pub(crate) component_handles: ComponentHandles,
    /// The exchange with the driver of the store's calls, if the store is for an asynchronous component.
    pub(crate) exchange: Option<Arc<Exchange>>,
    /// The number of instances in this store, and the counter of the state's live instances, which includes them.
    pub(super) instances: u32,
    pub(super) fuel: FuelMeter,
    pub(super) live_instances: Arc<AtomicU32>,
}

impl Drop for StoreData {
    fn drop(&mut self) {
        self.live_instances
            .fetch_sub(self.instances, Ordering::Relaxed);
    }
}

/// Counts the fuel that guests use. wasmtime knows only how much is left.
#[derive(Default)]
pub(super) struct FuelMeter {
    /// The fuel used before the fuel was last set.
    used_before: u64,
    /// The value to which the fuel was last set.
    set_to: u64,
}

impl FuelMeter {
    /// Returns the fuel used so far, if this much is left.
    pub(super) fn used(&self, left: u64) -> u64 {
        let used = self.set_to.saturating_sub(left);
        self.used_before.saturating_add(used)
    }

    /// Records that the fuel is set to another value. `left` is the value before.
    pub(super) fn set(&mut self, left: u64, set_to: u64) {
        self.used_before = self.used(left);
        self.set_to = set_to;
    }
}

/// A function of the store with its type, which is kept to check calls.
#[derive(Clone)]
pub(crate) struct FuncEntry {
    pub(crate) func: Func,
    pub(crate) signature: Arc<Signature>,
}

impl FuncEntry {
    pub(crate) fn new(func: Func, ty: &FuncType) -> Self {
        Self {
            func,
            signature: Arc::new(Signature::new(ty)),
        }
    }
}

/// The type of a function.
#[derive(Debug)]
pub struct Signature {
    /// The types of the parameters.
    pub params: Box<[ValType]>,
    /// The types of the results.
    pub results: Box<[ValType]>,
    /// Whether a parameter or result is a reference, which has to be converted.
    pub(crate) refs: bool,
}

impl Signature {
    pub(crate) fn new(ty: &FuncType) -> Self {
        let params: Box<[_]> = ty.params().collect();
        let results: Box<[_]> = ty.results().collect();
        Self {
            refs: params.iter().chain(&results).any(ValType::is_ref),
            params,
            results,
        }
    }

    /// Returns the number of slots of a call frame.
    pub fn slots(&self) -> usize {
        self.params.len().max(self.results.len())
    }
}

/// A type of host functions.
pub(crate) struct HostType {
    pub(crate) ty: FuncType,
    /// The same type as `ty`.
    pub(crate) signature: Arc<Signature>,
}

impl HostType {
    pub(crate) fn new(ty: FuncType) -> Self {
        Self {
            signature: Arc::new(Signature::new(&ty)),
            ty,
        }
    }
}

impl StoreData {
    /// Returns the number of handles of the host, and of host values that guests hold.
    pub(super) fn handles(&self) -> usize {
        self.funcs.len()
            + self.memories.len()
            + self.globals.len()
            + self.tables.len()
            + self.tags.len()
            + self.refs.len()
    }

    /// Counts an instance until the store is dropped.
    pub(crate) fn count_instance(&mut self) {
        self.count_instances(1);
    }

    /// Counts instances until the store is dropped.
    pub(crate) fn count_instances(&mut self, count: u32) {
        self.instances += count;
        self.live_instances.fetch_add(count, Ordering::Relaxed);
    }
}

/// A linear memory of the store, or one that threads share.
#[derive(Clone)]
pub(crate) enum LinearMemory {
    Own(Memory),
    Shared(SharedMemory),
}

impl LinearMemory {
    pub(crate) fn len(&self, store: impl AsContext<Data = StoreData>) -> usize {
        match self {
            Self::Own(memory) => memory.data_size(store),
            Self::Shared(memory) => memory.data_size(),
        }
    }

    pub(crate) fn pages(&self, store: impl AsContext<Data = StoreData>) -> u64 {
        match self {
            Self::Own(memory) => memory.size(store),
            Self::Shared(memory) => memory.size(),
        }
    }

    pub(crate) fn ty(&self, store: impl AsContext<Data = StoreData>) -> MemoryType {
        match self {
            Self::Own(memory) => memory.ty(store),
            Self::Shared(memory) => memory.ty(),
        }
    }

    /// Returns a key that identifies the memory in its store. For a shared memory it is the address with the top
    /// bit set, which no index of another memory has.
    pub(crate) fn key(&self) -> u64 {
        match self {
            Self::Own(memory) => memory.debug_index_in_store(),
            Self::Shared(memory) => memory.data().as_ptr() as u64 | 1 << 63,
        }
    }
}
