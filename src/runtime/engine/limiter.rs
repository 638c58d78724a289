//! How much one store may use: wasmtime asks before a memory or table grows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wasmtime::ResourceLimiter;

use crate::runtime::base::capabilities::WasmCapabilities;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::options::StoreOptions;
use crate::runtime::engine::MEMORY_RESERVATION;
use crate::runtime::engine::quota::{MAPPINGS, PER_MEMORY, Share};

/// The account of one store's memories and tables.
///
/// wasmtime asks for one memory at a time; a cap for each alone could be passed by declaring
/// many, so the account adds them up. A memory lives as long as its store, so what is counted stays
/// counted, except for what an instantiation was granted that then came to nothing: see
/// [`Limits::undo`]. A growth that was granted and then failed stays counted, because wasmtime also
/// reports failures of growths that it never asked about, and a guest could use those to talk
/// its account down.
pub(crate) struct Limits {
    memory: Account,
    tables: Account,
    max_instances: usize,
    max_memories: usize,
    max_tables: usize,
    pub(crate) max_references: u32,
    /// The mappings that the store's memories take.
    mappings: Option<Share>,
    /// Why there were no more mappings for the last request, if there were none.
    unmapped: Option<String>,
    /// Whether a memory or table was granted since the last [mark](Limits::mark).
    created: bool,
    /// Whether one was refused since then.
    refused: bool,
    /// Whether mappings are counted for the store's garbage-collected heap, which may be among those of
    /// an instantiation that came to nothing.
    heap_mapped: bool,
    /// Whether a memory was allowed to grow, until somebody has asked: see `WasmStore::take_grown`.
    pub(crate) grown: Arc<AtomicBool>,
}

impl Limits {
    pub(crate) fn new(options: &StoreOptions, capabilities: &WasmCapabilities) -> Self {
        Self {
            memory: Account::new(options.max_memory_bytes.unwrap_or(u64::MAX)),
            tables: Account::new(capabilities.max_table_elements),
            max_instances: capabilities.max_instances as usize,
            max_memories: capabilities.max_memories as usize,
            max_tables: capabilities.max_tables as usize,
            max_references: capabilities.max_references,
            mappings: None,
            unmapped: None,
            created: false,
            refused: false,
            heap_mapped: false,
            grown: Arc::default(),
        }
    }

    /// Counts memory that wasmtime does not ask about: what shared memories may grow by. Their
    /// growth goes past the store, so that it has to be granted before they are made.
    ///
    /// # Errors
    /// `InstantiateError` if that exceeds the cap.
    pub(crate) fn reserve_shared(&mut self, bytes: u64) -> Result<(), WasmError> {
        let sum = self.memory.used.saturating_add(bytes);
        if bytes > 0 && sum > self.memory.cap {
            return Err(WasmError::instantiate(format!(
                "shared memories may grow to {sum} bytes, which exceeds the cap of {} bytes",
                self.memory.cap
            )));
        }
        self.memory.used = sum;
        Ok(())
    }

    /// What is counted now, before memories and tables are made that may come to nothing.
    pub(crate) fn mark(&mut self) -> Mark {
        (self.created, self.refused) = (false, false);
        Mark {
            memory: self.memory.used,
            tables: self.tables.used,
            mappings: self.mappings.as_ref().map_or(0, Share::count),
        }
    }

    /// Counts no more than at the mark, after memories and tables have not been made: wasmtime has freed
    /// those that were, if it is one of them that was refused, or none was reached. If the system itself
    /// refused one, all that was granted stays counted.
    pub(crate) fn undo(&mut self, mark: &Mark) {
        if self.created && !self.refused {
            return;
        }
        self.memory.used = mark.memory;
        self.tables.used = mark.tables;
        if let Some(share) = &mut self.mappings {
            let more = share.count() - mark.mappings;
            // The first of them may be those of the store's garbage-collected heap, which stays, and has
            // no bytes at first.
            let heap = if self.heap_mapped {
                0
            } else {
                more.min(PER_MEMORY)
            };
            self.heap_mapped |= heap > 0;
            share.give_back(more - heap);
        }
    }

    /// The cap that refused the last request, in words, if one did since this was last asked.
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
        memory.or(tables).or(self.unmapped.take())
    }

    /// Remembers whether a memory or table that is made, which has nothing in it yet, was granted.
    fn note(&mut self, current: usize, granted: bool) {
        if current == 0 {
            self.created |= granted;
            self.refused |= !granted;
        }
    }

    /// Takes the mappings of one more memory.
    fn map(&mut self) -> bool {
        let taken = match &mut self.mappings {
            Some(share) => share.take(PER_MEMORY),
            None => MAPPINGS
                .take(PER_MEMORY)
                .map(|share| self.mappings = Some(share)),
        };
        self.unmapped = taken.err();
        self.unmapped.is_none()
    }
}

/// What a store's account counted at some time.
pub(crate) struct Mark {
    memory: u64,
    tables: u64,
    mappings: u32,
}

/// A sum that may not pass a cap.
#[derive(Debug)]
struct Account {
    used: u64,
    cap: u64,
    /// The sum that a refused growth would have led to.
    refused: Option<u64>,
}

impl Account {
    fn new(cap: u64) -> Self {
        Self {
            used: 0,
            cap,
            refused: None,
        }
    }

    fn grow(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> bool {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return false;
        }
        let more = desired.saturating_sub(current) as u64;
        let sum = self.used.saturating_add(more);
        if sum > self.cap {
            self.refused = Some(sum);
            return false;
        }
        self.used = sum;
        true
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
        // A memory that is made has no bytes yet. Its mappings come last: a guest can repeat a growth
        // that its memory cap or its maximum refuses without end.
        let granted =
            !moves && self.memory.grow(current, desired, maximum) && (current > 0 || self.map());
        self.grown.fetch_or(granted, Ordering::Relaxed);
        self.note(current, granted);
        Ok(granted)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = self.tables.grow(current, desired, maximum);
        self.note(current, granted);
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
