//! The wasmtime engines: how guest code is compiled.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use wasmtime::{Cache, Collector, Config, Engine, Strategy};

use super::admission::DENSE_IMAGE_BYTES;
use super::cache;
use super::error::WasmError;
use super::known::Known;
use super::store::{StackClass, ThreadStack};

/// The address space set aside for each linear memory, in bytes.
///
/// A memory never moves, so that a view of it stays valid for as long as its store lives: a
/// 32-bit memory fits whole, a 64-bit memory cannot *grow* past this (it may start larger).
pub const MEMORY_RESERVATION: u64 = 4 << 30;

/// A change to the engines' configuration, applied after our own settings.
pub type Tune = Arc<dyn Fn(&mut Config) + Send + Sync>;

/// What guest code checks for while it runs, which slows it down: only where it is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checks {
    /// Whether its fuel has run out.
    pub fuel: bool,
    /// Whether it should end: its deadline has passed, or the call was aborted.
    pub interrupt: bool,
}

impl Checks {
    /// How many ways there are to combine them.
    pub(crate) const WAYS: usize = 4;

    /// A number below [`Checks::WAYS`] for each way.
    pub(crate) fn index(self) -> usize {
        usize::from(self.fuel) + 2 * usize::from(self.interrupt)
    }
}

/// The engines: one for each way code is compiled, since wasmtime cannot mix them in one store.
///
/// A clone is another handle to the same ones.
#[derive(Clone)]
pub struct Engines(Arc<Shared>);

struct Shared {
    /// Made when first needed.
    engines: [OnceLock<Engine>; Checks::WAYS],
    /// The stacks that their guests run on.
    stack: StackClass,
    tune: Option<Tune>,
    cache: Option<Cache>,
    /// What they have compiled.
    known: Known,
}

impl Engines {
    /// Engines with every feature of WebAssembly 3.0, and shared memories, switched on; `tune`
    /// may change that. Without, those with the same cache, for threads with stacks of about the same
    /// size as this one's, are the same ones for the whole process, so that what one of its runtimes has
    /// compiled the others need not. `cache` is a folder without links, for wasmtime's own cache of
    /// machine code.
    ///
    /// # Errors
    /// `CompileError` if this machine or the tuned configuration is not supported, or the cache cannot
    /// be used.
    pub(crate) fn new(tune: Option<Tune>, cache: Option<PathBuf>) -> Result<Self, WasmError> {
        type Untuned = HashMap<(Option<PathBuf>, StackClass), Engines>;
        static UNTUNED: LazyLock<Mutex<Untuned>> = LazyLock::new(Mutex::default);
        let stack = ThreadStack::current().class();
        let this = match tune {
            Some(tune) => Self::with(Some(tune), cache.as_deref(), stack)?,
            None => {
                // The map is whole whatever panicked while it was locked.
                let untuned = &mut *UNTUNED.lock().unwrap_or_else(PoisonError::into_inner);
                let key = (cache, stack);
                match untuned.get(&key) {
                    Some(engines) => engines.clone(),
                    None => {
                        let engines = Self::with(None, key.0.as_deref(), stack)?;
                        untuned.insert(key, engines.clone());
                        engines
                    }
                }
            }
        };
        this.get(Checks::default())?;
        Ok(this)
    }

    fn with(
        tune: Option<Tune>,
        cache: Option<&Path>,
        stack: StackClass,
    ) -> Result<Self, WasmError> {
        Ok(Self(Arc::new(Shared {
            engines: Default::default(),
            stack,
            tune,
            cache: cache.map(cache::open).transpose()?,
            known: Known::default(),
        })))
    }

    /// How many modules were found in the cache.
    #[cfg(test)]
    pub(crate) fn cache_hits(&self) -> usize {
        self.0.cache.as_ref().map_or(0, Cache::cache_hits)
    }

    /// The code that they have compiled and somebody uses.
    pub(crate) fn known(&self) -> &Known {
        &self.0.known
    }

    /// The engine whose code checks for these.
    ///
    /// # Errors
    /// As [`Engines::new`].
    pub fn get(&self, checks: Checks) -> Result<&Engine, WasmError> {
        let slot = &self.0.engines[checks.index()];
        if let Some(engine) = slot.get() {
            return Ok(engine);
        }
        let engine = self.0.engine(checks)?;
        Ok(slot.get_or_init(|| engine))
    }
}

impl Shared {
    fn engine(&self, checks: Checks) -> Result<Engine, WasmError> {
        let mut config = Config::new();
        config
            .cache(self.cache.clone())
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
