//! What a store holds beside wasmtime's own.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use wasmtime::{
    AsContext, Func, FuncType, Global, Memory, MemoryType, SharedMemory, StoreContextMut,
};
use wasmtime::{Table, Tag, ValType};

use crate::runtime::base::error::WasmError;
use crate::runtime::engine::interrupt::Interrupt;
use crate::runtime::engine::limiter::Limits;
use crate::runtime::store::cell::StoreCell;
use crate::runtime::store::handle_table::HandleTable;
use crate::runtime::store::references::Refs;
use crate::runtime::wasi::Wasi;

/// What wasmtime keeps beside the guest.
pub(crate) struct StoreData {
    pub(super) cell: Weak<StoreCell>,
    /// The tag of exceptions that carry a value of the host, made when first needed.
    pub(super) host_tag: Option<Tag>,
    pub(crate) limits: Limits,
    pub(crate) wasi: Option<Wasi>,
    pub(crate) interrupt: Arc<Interrupt>,
    pub(crate) refs: Refs,
    /// Functions of the host that have a number, by it.
    pub(super) host_funcs: HashMap<u32, Func>,
    pub(crate) funcs: HandleTable<FuncEntry>,
    pub(crate) memories: HandleTable<LinearMemory>,
    pub(crate) globals: HandleTable<Global>,
    pub(crate) tables: HandleTable<Table>,
    pub(crate) tags: HandleTable<Tag>,
    /// How many instances this store holds, and the count of the whole state that includes them.
    pub(super) instances: u32,
    pub(super) live_instances: Arc<AtomicU32>,
}

impl Drop for StoreData {
    fn drop(&mut self) {
        self.live_instances
            .fetch_sub(self.instances, Ordering::Relaxed);
    }
}

/// A function of the store, with its type at hand for checking calls.
#[derive(Clone)]
pub(crate) struct FuncEntry {
    pub(crate) func: Func,
    pub(crate) signature: Arc<Signature>,
}

/// A function's type, taken apart.
#[derive(Debug)]
pub struct Signature {
    /// What it takes.
    pub params: Box<[ValType]>,
    /// What it returns.
    pub results: Box<[ValType]>,
    /// Whether any of them is a reference, which needs translating.
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

    /// How many slots a call frame needs.
    pub fn slots(&self) -> usize {
        self.params.len().max(self.results.len())
    }
}

/// A type that functions of the host can have.
pub(crate) struct HostType {
    pub(super) ty: FuncType,
    /// Of `ty`.
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
    /// The number of `func`, the same each time for the same function.
    pub(crate) fn func_handle(
        mut store: StoreContextMut<'_, StoreData>,
        func: Func,
    ) -> Result<u32, WasmError> {
        let key = func.to_raw(&mut store).addr() as u64;
        if let Some(number) = store.data().funcs.find(key) {
            return Ok(number);
        }
        let ty = func.ty(&store);
        store.data_mut().funcs.insert(key, || FuncEntry {
            func,
            signature: Arc::new(Signature::new(&ty)),
        })
    }

    /// Counts one more instance, for as long as the store lives.
    pub(crate) fn count_instance(&mut self) {
        self.instances += 1;
        self.live_instances.fetch_add(1, Ordering::Relaxed);
    }
}

/// Either kind of memory: one store's own, or one that threads share.
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

    /// What identifies this memory in its store. Shared memories are told apart by where they
    /// are, with the top bit set, which no index of a store's own memory has.
    pub(crate) fn key(&self) -> u64 {
        match self {
            Self::Own(memory) => memory.debug_index_in_store(),
            Self::Shared(memory) => memory.data().as_ptr() as u64 | 1 << 63,
        }
    }
}
