//! The wasmtime engines and the limits of the process: configuration, queue of compilations, caches, deadlines,
//! quotas.

mod code_units;
pub(crate) mod compile_queue;
pub(crate) mod deadline;
pub(crate) mod disk_cache;
pub(crate) mod grants;
pub(crate) mod group;
pub(crate) mod instance_pool;
pub(crate) mod interrupt;
pub(crate) mod limiter;
pub(crate) mod network;
pub(crate) mod parallel_compile;
pub(crate) mod quota;
pub(crate) mod stack_class;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use wasmtime::{
    Cache, Collector, Config, Engine, Module, RegallocAlgorithm, StackCreator, Strategy,
    WasmBacktraceDetails,
};

use self::instance_pool::PooledEngine;
use self::stack_class::StackClass;
use crate::runtime::admission::DENSE_IMAGE_BYTES;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::instance_pool::InstancePool;
use crate::runtime::base::options::Checks;

/// The address space that is reserved for each linear memory, in bytes.
///
/// A memory never moves, so that a view of it stays valid for the life of its store. A 32-bit memory always fits; a
/// 64-bit memory cannot *grow* beyond this size (its initial size may be larger).
pub const MEMORY_RESERVATION: u64 = 4 << 30;

/// The size of the stack of a fiber, in bytes. Pages that are not used take no memory.
const FIBER_BYTES: usize = 1 << 20;

/// The part of a fiber's stack that guest code may use. The host's functions that convert values run below it.
const FIBER_GUEST_BYTES: usize = FIBER_BYTES / 2;

/// A change to the configuration of the engines, applied after the settings of this crate.
pub type Tune = Arc<dyn Fn(&mut Config) + Send + Sync>;

/// The kind of an engine. Code of one kind runs in stores of that kind only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum EngineKind {
    /// For modules, and for components without asynchronous functions, streams and futures. Guests and hosts call each
    /// other on one stack.
    #[default]
    Plain,
    /// For all other components. Guests run on stacks of their own (fibers), so that several calls of one instance can
    /// be suspended at a time. Each call takes longer.
    Async,
}

impl EngineKind {
    /// Turns the features of asynchronous components on or off.
    fn set_features(config: &mut Config, is_on: bool) {
        config
            .wasm_component_model_async(is_on)
            .wasm_component_model_async_stackful(is_on)
            .wasm_component_model_more_async_builtins(is_on)
            .wasm_component_model_threading(is_on);
    }
}

/// Which of the engines a store has. All code in a store is compiled for its engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EngineChoice {
    pub(crate) checks: Checks,
    /// Whether it is the engine with a pool of instances.
    pub(crate) is_pooled: bool,
}

impl EngineChoice {
    /// The number of choices.
    pub(crate) const WAYS: usize = 2 * Checks::WAYS;

    /// Returns the index of this choice, below [`EngineChoice::WAYS`].
    pub(crate) fn index(self) -> usize {
        self.checks.index() + if self.is_pooled { Checks::WAYS } else { 0 }
    }
}

impl From<Checks> for EngineChoice {
    fn from(checks: Checks) -> Self {
        Self {
            checks,
            is_pooled: false,
        }
    }
}

/// The engines: one for each combination of checks, since all code in a store has to have the same engine.
pub(crate) struct Engines {
    /// Each is made on first use.
    engines: [OnceLock<Engine>; Checks::WAYS],
    /// The engines for [asynchronous components](EngineKind::Async).
    async_engines: [OnceLock<Engine>; Checks::WAYS],
    /// The engines with a pool, where there is room for one.
    pooled: [OnceLock<Option<PooledEngine>>; Checks::WAYS],
    /// The engines with the single-pass register allocator. They only compile.
    single_pass: [OnceLock<Engine>; Checks::WAYS],
    /// The code that copies code units, for each of the engines.
    code_units: [OnceLock<Module>; EngineChoice::WAYS],
    /// The class of the native stacks that guests run on.
    stack: StackClass,
    /// Makes the stacks of fibers.
    fiber_stacks: Arc<dyn StackCreator>,
    tune: Option<Tune>,
    disk_cache: Option<Cache>,
    pool: Option<InstancePool>,
}

impl Engines {
    /// Makes engines with all features of WebAssembly 3.0 and shared memories, for threads with stacks of this
    /// class. `fiber_stacks` makes the stacks of fibers. `tune` may change the configuration. `cache` is the folder of
    /// wasmtime's cache of machine code; its path has no links. With `pool`, there are engines with pools of this size.
    ///
    /// # Errors
    /// `CompileError` if this machine or the tuned configuration is not supported, or the cache cannot be used.
    pub(crate) fn new(
        tune: Option<Tune>,
        cache: Option<&Path>,
        stack: StackClass,
        fiber_stacks: Arc<dyn StackCreator>,
        pool: Option<InstancePool>,
    ) -> Result<Self, WasmError> {
        let this = Self {
            engines: Default::default(),
            async_engines: Default::default(),
            pooled: Default::default(),
            single_pass: Default::default(),
            code_units: Default::default(),
            stack,
            fiber_stacks,
            tune,
            disk_cache: cache.map(disk_cache::open).transpose()?,
            pool,
        };
        this.get(Checks::default())?;
        Ok(this)
    }

    /// Returns the number of modules that were found in the cache of machine code.
    #[cfg(test)]
    pub(crate) fn disk_cache_hits(&self) -> usize {
        self.disk_cache.as_ref().map_or(0, Cache::cache_hits)
    }

    /// Returns the class of the stacks that the engines are for.
    #[cfg(feature = "testing")]
    pub(crate) fn stack(&self) -> StackClass {
        self.stack
    }

    /// Returns the engine whose code has these checks.
    ///
    /// # Errors
    /// As [`Engines::new`].
    pub(crate) fn get(&self, checks: Checks) -> Result<&Engine, WasmError> {
        let slot = &self.engines[checks.index()];
        self.get_or_make(
            slot,
            EngineKind::Plain,
            checks,
            RegallocAlgorithm::Backtracking,
        )
    }

    /// Returns the engine of this kind whose code has these checks.
    ///
    /// # Errors
    /// As [`Engines::new`].
    pub(crate) fn of_kind(&self, kind: EngineKind, checks: Checks) -> Result<&Engine, WasmError> {
        match kind {
            EngineKind::Plain => self.get(checks),
            EngineKind::Async => {
                let slot = &self.async_engines[checks.index()];
                self.get_or_make(slot, kind, checks, RegallocAlgorithm::Backtracking)
            }
        }
    }

    /// Returns the engine with a pool whose code has these checks, if there is to be one, and there is room for it.
    pub(crate) fn pooled(&self, checks: Checks) -> Option<&PooledEngine> {
        let pool = self.pool?;
        let slot = &self.pooled[checks.index()];
        let made = slot.get_or_init(|| {
            let config = self.config(EngineKind::Plain, checks, RegallocAlgorithm::Backtracking);
            PooledEngine::new(config, pool)
        });
        made.as_ref()
    }

    /// Returns the chosen engine for modules.
    ///
    /// # Errors
    /// As [`Engines::new`], and if there is no such engine.
    pub(crate) fn chosen(&self, choice: EngineChoice) -> Result<&Engine, WasmError> {
        match choice.is_pooled {
            false => self.get(choice.checks),
            true => match self.pooled(choice.checks) {
                Some(pooled) => Ok(&pooled.engine),
                None => Err(WasmError::instantiate("there is no pool of instances")),
            },
        }
    }

    /// Returns an engine with these checks whose register allocator takes time in proportion to the size of a
    /// function. No store uses the engine: its modules have to be moved to the engine of [`Engines::get`].
    ///
    /// # Errors
    /// As [`Engines::new`].
    pub(crate) fn single_pass(&self, checks: Checks) -> Result<&Engine, WasmError> {
        let slot = &self.single_pass[checks.index()];
        self.get_or_make(
            slot,
            EngineKind::Plain,
            checks,
            RegallocAlgorithm::SinglePass,
        )
    }

    /// Returns the code that copies code units, for stores with this engine.
    ///
    /// # Errors
    /// As [`Engines::chosen`].
    pub(crate) fn code_units(&self, choice: EngineChoice) -> Result<&Module, WasmError> {
        let slot = &self.code_units[choice.index()];
        if let Some(module) = slot.get() {
            return Ok(module);
        }
        let module = code_units::compile(self.chosen(choice)?)?;
        Ok(slot.get_or_init(|| module))
    }

    fn get_or_make<'a>(
        &'a self,
        slot: &'a OnceLock<Engine>,
        kind: EngineKind,
        checks: Checks,
        allocator: RegallocAlgorithm,
    ) -> Result<&'a Engine, WasmError> {
        if let Some(engine) = slot.get() {
            return Ok(engine);
        }
        let engine = Engine::new(&self.config(kind, checks, allocator)).map_err(|error| {
            WasmError::compile(format!("no engine for this machine: {error:#}"))
        })?;
        Ok(slot.get_or_init(|| engine))
    }

    fn config(&self, kind: EngineKind, checks: Checks, allocator: RegallocAlgorithm) -> Config {
        let mut config = Config::new();
        config
            .cache(self.disk_cache.clone())
            .strategy(Strategy::Cranelift)
            .cranelift_regalloc_algorithm(allocator)
            .collector(Collector::Auto)
            .consume_fuel(checks.fuel)
            .epoch_interruption(checks.interrupt)
            .memory_reservation(MEMORY_RESERVATION)
            .memory_guaranteed_dense_image_size(DENSE_IMAGE_BYTES)
            .memory_may_move(false)
            // An environment variable could turn it on. It reads debug information of any size.
            .wasm_backtrace_details(WasmBacktraceDetails::Disable)
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
            .wasm_extended_const(true)
            .wasm_component_model(true)
            .wasm_component_model_fixed_length_lists(true)
            .wasm_component_model_implements(true)
            .wasm_component_model_map(true);
        // `tune` may turn them off.
        EngineKind::set_features(&mut config, true);
        if let Some(tune) = &self.tune {
            tune(&mut config);
        }
        // wasmtime takes them only together with concurrency.
        if kind == EngineKind::Plain {
            EngineKind::set_features(&mut config, false);
        }
        config.concurrency_support(kind == EngineKind::Async);
        // After `tune`, which must not change it: a store is only entered if this much stack is left. wasmtime
        // requires that its fibers' stacks are at least as large, also where no fibers are used.
        match kind {
            EngineKind::Plain => config
                .max_wasm_stack(self.stack.guest_bytes())
                .async_stack_size(self.stack.guest_bytes()),
            EngineKind::Async => config
                .with_host_stack(self.fiber_stacks.clone())
                .max_wasm_stack(FIBER_GUEST_BYTES)
                .async_stack_size(FIBER_BYTES),
        };
        config
    }
}
