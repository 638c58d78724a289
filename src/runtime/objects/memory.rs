//! Host access to linear memories.

use std::ops::Range;

use wasmtime::{AsContextMut, Memory, MemoryType, SharedMemory, StoreContextMut};

use crate::runtime::base::error::WasmError;
use crate::runtime::base::text;
use crate::runtime::base::types::ExternInfo;
use crate::runtime::store::{
    LinearMemory, StoreData, StoreLease, WasmStore, read_shared, write_shared,
};

/// A linear memory of a store.
#[derive(Clone)]
pub struct WasmMemory {
    store: WasmStore,
    handle: u32,
}

/// The address of a memory's bytes, valid while `lease` is held.
///
/// The bytes do not move (see `MEMORY_RESERVATION`) and stay mapped until the lease is dropped. While the store is
/// alive, the guest may change them, and may grow the memory.
pub struct MemoryView {
    /// The first byte.
    pub base: *mut u8,
    /// The number of bytes at the time when the view was made.
    pub len: usize,
    /// Whether other threads may access the bytes.
    pub shared: bool,
    /// Keeps the bytes mapped.
    pub lease: StoreLease,
}

impl StoreData {
    /// Returns the handle of `memory`, which is the same each time.
    pub(crate) fn memory_handle(&mut self, memory: LinearMemory) -> Result<u32, WasmError> {
        self.memories.insert(memory.key(), || memory)
    }
}

impl WasmStore {
    /// Makes a memory.
    ///
    /// # Errors
    /// `InstantiateError` if the type is invalid or the memory would exceed the store's cap.
    pub fn new_memory(&self, ty: MemoryType) -> Result<WasmMemory, WasmError> {
        let handle = self.with(|mut store| {
            store.data_mut().limits.take_refusal();
            let mark = store.data_mut().limits.mark();
            let memory = if ty.is_shared() {
                let pages = ty.maximum().unwrap_or(u64::MAX);
                let bytes = pages.saturating_mul(ty.page_size());
                store.data_mut().limits.reserve_shared(bytes)?;
                SharedMemory::new(store.engine(), ty).map(LinearMemory::Shared)
            } else {
                Memory::new(&mut store, ty).map(LinearMemory::Own)
            };
            let memory = memory.map_err(|error| {
                store.data_mut().limits.undo(&mark);
                refused(&mut store, "memory", &error)
            })?;
            store.data_mut().memory_handle(memory)
        })?;
        self.memory(handle)
    }

    /// Adds a shared memory of a store on another thread, whose state has the
    /// [same engines](crate::runtime::WasmState::with_engines_of). The memory counts as if it was made in this store.
    ///
    /// # Errors
    /// `InstantiateError` if the memory would exceed the store's cap.
    #[cfg(feature = "testing")]
    pub fn add_shared_memory(&self, memory: SharedMemory) -> Result<WasmMemory, WasmError> {
        let handle = self.with(|mut store| {
            let ty = memory.ty();
            let pages = ty.maximum().unwrap_or(u64::MAX);
            let bytes = pages.saturating_mul(ty.page_size());
            store.data_mut().limits.reserve_shared(bytes)?;
            store.data_mut().memory_handle(LinearMemory::Shared(memory))
        })?;
        self.memory(handle)
    }

    /// Returns the memory with this handle.
    ///
    /// # Errors
    /// `MemoryError` if there is none.
    pub fn memory(&self, handle: u32) -> Result<WasmMemory, WasmError> {
        let memory = WasmMemory {
            store: self.clone(),
            handle,
        };
        memory.with(|_, _| Ok(()))?;
        Ok(memory)
    }
}

/// Returns the error of a memory or table that could not be made.
pub(crate) fn refused(
    store: &mut StoreContextMut<'_, StoreData>,
    what: &str,
    error: &wasmtime::Error,
) -> WasmError {
    match store.data_mut().limits.take_refusal() {
        Some(why) => WasmError::instantiate(format!("cannot make the {what}: {why}")),
        None => {
            WasmError::instantiate(format!("cannot make the {what}: {}", text::one_line(error)))
        }
    }
}

impl WasmMemory {
    /// Returns the handle of the memory in its store.
    pub fn handle(&self) -> u32 {
        self.handle
    }

    /// Returns the type of the memory, with the current size as the minimum.
    ///
    /// # Errors
    /// `RuntimeError` if the store is busy. This applies to the other methods too.
    pub fn info(&self) -> Result<ExternInfo, WasmError> {
        self.with(|store, memory| {
            let mut info = ExternInfo::memory(&memory.ty(&store));
            if let ExternInfo::Memory { minimum, .. } = &mut info {
                *minimum = memory.pages(&store);
            }
            Ok(info)
        })
    }

    /// Returns the memory itself if it is shared, for
    /// [`add_shared_memory`](WasmStore::add_shared_memory) of a store on another thread.
    #[cfg(feature = "testing")]
    pub fn shared(&self) -> Result<Option<SharedMemory>, WasmError> {
        self.with(|_, memory| {
            Ok(match memory {
                LinearMemory::Own(_) => None,
                LinearMemory::Shared(memory) => Some(memory),
            })
        })
    }

    /// Returns the size in bytes.
    pub fn byte_len(&self) -> Result<usize, WasmError> {
        self.with(|store, memory| Ok(memory.len(store)))
    }

    /// Copies bytes from `offset` on into `to`.
    ///
    /// # Errors
    /// `MemoryError` if a byte is out of bounds.
    pub fn read(&self, offset: u64, to: &mut [u8]) -> Result<(), WasmError> {
        self.with(|store, memory| {
            let range = bounds(offset, to.len() as u64, memory.len(&store), "read")?;
            match memory {
                LinearMemory::Own(memory) => to.copy_from_slice(&memory.data(&store)[range]),
                LinearMemory::Shared(memory) => read_shared(&memory.data()[range], to),
            }
            Ok(())
        })
    }

    /// Returns a copy of `len` bytes from `offset` on.
    ///
    /// # Errors
    /// `MemoryError` if a byte is out of bounds. This is checked before anything is allocated.
    pub fn read_vec(&self, offset: u64, len: u64) -> Result<Vec<u8>, WasmError> {
        self.with(|store, memory| {
            let range = bounds(offset, len, memory.len(&store), "read")?;
            let mut bytes = Vec::new();
            bytes
                .try_reserve_exact(range.len())
                .map_err(|_| WasmError::memory(format!("there is no room for {len} bytes")))?;
            match memory {
                LinearMemory::Own(memory) => bytes.extend_from_slice(&memory.data(&store)[range]),
                LinearMemory::Shared(memory) => {
                    bytes.resize(range.len(), 0);
                    read_shared(&memory.data()[range], &mut bytes);
                }
            }
            Ok(bytes)
        })
    }

    /// Copies `from` into the memory from `offset` on.
    ///
    /// # Errors
    /// `MemoryError` if a byte is out of bounds. Nothing is written then.
    pub fn write(&self, offset: u64, from: &[u8]) -> Result<(), WasmError> {
        self.with(|mut store, memory| {
            let range = bounds(offset, from.len() as u64, memory.len(&store), "write")?;
            match memory {
                LinearMemory::Own(memory) => {
                    memory.data_mut(&mut store)[range].copy_from_slice(from);
                }
                LinearMemory::Shared(memory) => write_shared(from, &memory.data()[range]),
            }
            Ok(())
        })
    }

    /// Adds `pages` zeroed pages. Returns the previous number of pages.
    ///
    /// # Errors
    /// `MemoryError` if the memory's maximum, the store's cap or the address space does not allow it.
    pub fn grow(&self, pages: u64) -> Result<u64, WasmError> {
        self.with(|mut store, memory| {
            let grown = match &memory {
                LinearMemory::Own(memory) => memory.grow(&mut store, pages),
                LinearMemory::Shared(memory) => memory.grow(pages),
            };
            grown.map_err(|_| {
                let now = memory.pages(&store);
                match store.data_mut().limits.take_refusal() {
                    Some(why) => WasmError::memory(format!("cannot grow the memory: {why}")),
                    None => {
                        WasmError::memory(format!("cannot grow a memory of {now} pages by {pages}"))
                    }
                }
            })
        })
    }

    /// Returns the address and the size of the memory's bytes.
    pub fn view(&self) -> Result<MemoryView, WasmError> {
        self.with(|store, memory| {
            let shared = matches!(memory, LinearMemory::Shared(_));
            Ok(MemoryView {
                base: match &memory {
                    LinearMemory::Own(memory) => memory.data_ptr(&store),
                    LinearMemory::Shared(memory) => memory.data().as_ptr().cast_mut().cast(),
                },
                len: memory.len(&store),
                shared,
                lease: match shared {
                    true => self.store.lease(),
                    false => self.store.exclusive_lease(),
                },
            })
        })
    }

    fn with<R>(
        &self,
        f: impl FnOnce(StoreContextMut<'_, StoreData>, LinearMemory) -> Result<R, WasmError>,
    ) -> Result<R, WasmError> {
        self.store.with(|mut store| {
            let memory = store.data().memories.get(self.handle);
            let memory = memory
                .map_err(|error| WasmError::memory(error.message))?
                .clone();
            f(store.as_context_mut(), memory)
        })
    }
}

/// Returns the range of `len` bytes from `offset`, if it is inside a memory of `size` bytes.
fn bounds(offset: u64, len: u64, size: usize, verb: &str) -> Result<Range<usize>, WasmError> {
    match offset.checked_add(len) {
        Some(end) if end <= size as u64 => Ok(offset as usize..end as usize),
        _ => Err(WasmError::memory(format!(
            "cannot {verb} {len} bytes at offset {offset}: the memory has {size} bytes"
        ))),
    }
}
