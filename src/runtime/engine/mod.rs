//! The wasmtime engines: how guest code is compiled.

pub(crate) mod compile_queue;
pub(crate) mod deadline;
pub(crate) mod disk_cache;
pub(crate) mod grants;
pub(crate) mod interrupt;
pub(crate) mod limiter;
pub(crate) mod native_stack;
pub(crate) mod quota;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use wasmtime::{Cache, Collector, Config, Engine, Strategy};

use self::native_stack::StackClass;
use crate::runtime::admission::DENSE_IMAGE_BYTES;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::options::Checks;

/// The address space set aside for each linear memory, in bytes.
///
/// A memory never moves, so that a view of it stays valid for as long as its store lives: a
/// 32-bit memory fits whole, a 64-bit memory cannot *grow* past this (it may start larger).
pub const MEMORY_RESERVATION: u64 = 4 << 30;

/// A change to the engines' configuration, applied after our own settings.
pub type Tune = Arc<dyn Fn(&mut Config) + Send + Sync>;

/// The engines: one for each way code is compiled, since wasmtime cannot mix them in one store.
pub(crate) struct Engines {
    /// Made when first needed.
    engines: [OnceLock<Engine>; Checks::WAYS],
    /// The stacks that their guests run on.
    stack: StackClass,
    tune: Option<Tune>,
    disk_cache: Option<Cache>,
}

impl Engines {
    /// Engines with every feature of WebAssembly 3.0, and shared memories, switched on, for threads with
    /// stacks of this class; `tune` may change that. `cache` is a folder without links, for wasmtime's own
    /// cache of machine code.
    ///
    /// # Errors
    /// `CompileError` if this machine or the tuned configuration is not supported, or the cache cannot
    /// be used.
    pub(crate) fn new(
        tune: Option<Tune>,
        cache: Option<&Path>,
        stack: StackClass,
    ) -> Result<Self, WasmError> {
        let this = Self {
            engines: Default::default(),
            stack,
            tune,
            disk_cache: cache.map(disk_cache::open).transpose()?,
        };
        this.get(Checks::default())?;
        Ok(this)
    }

    /// How many modules were found in the cache of machine code.
    #[cfg(test)]
    pub(crate) fn disk_cache_hits(&self) -> usize {
        self.disk_cache.as_ref().map_or(0, Cache::cache_hits)
    }

    /// The engine whose code checks for these.
    ///
    /// # Errors
    /// As [`Engines::new`].
    pub(crate) fn get(&self, checks: Checks) -> Result<&Engine, WasmError> {
        let slot = &self.engines[checks.index()];
        if let Some(engine) = slot.get() {
            return Ok(engine);
        }
        let engine = self.engine(checks)?;
        Ok(slot.get_or_init(|| engine))
    }

    fn engine(&self, checks: Checks) -> Result<Engine, WasmError> {
        let mut config = Config::new();
        config
            .cache(self.disk_cache.clone())
            .strategy(Strategy::Cranelift)
            .collector(Collector::Auto)
            .consume_fuel(checks.fuel)
            .epoch_interruption(checks.interrupt)
            .memory_reservation(MEMORY_RESERVATION)
            .memory_guaranteed_dense_image_size(DENSE_IMAGE_BYTES)
            .memory_may_move(false)
            .shared_memory(true)
            .wasm_threads(true)
            .wasm_reference_types(true)
            .wasm_simd(true)
            .wasm_relaxed_simd(true)
            .wasm_multi_memory(true)
            .wasm_memory64(true)
            .wasm_tail_call(true)
            .wasm_function_references(true)
            .wasm_gc(true)
            .wasm_exceptions(true)
            .wasm_extended_const(true);
        if let Some(tune) = &self.tune {
            tune(&mut config);
        }
        // Not for a tune to change: stores are entered only where this much is left. wasmtime wants its
        // own fibers, of which there are none here, to be as large.
        config
            .max_wasm_stack(self.stack.guest_bytes())
            .async_stack_size(self.stack.guest_bytes());
        Engine::new(&config)
            .map_err(|error| WasmError::compile(format!("no engine for this machine: {error:#}")))
    }
}
