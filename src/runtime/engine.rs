//! The wasmtime engines: how guest code is compiled.

use std::sync::{Arc, OnceLock};

use wasmtime::{Collector, Config, Engine, Strategy};

use super::error::WasmError;

/// The address space set aside for each linear memory, in bytes.
///
/// A memory never moves, so that a view of it stays valid for as long as its store lives: a
/// 32-bit memory fits whole, a 64-bit memory cannot *grow* past this (it may start larger).
pub const MEMORY_RESERVATION: u64 = 4 << 30;

/// A change to the engines' configuration, applied after our own settings.
pub type Tune = Arc<dyn Fn(&mut Config) + Send + Sync>;

/// The two ways code is compiled. Fuel slows code down, so that only stores with a budget run
/// the metered kind; wasmtime cannot mix both in one store.
#[derive(Clone)]
pub struct Engines {
    plain: Engine,
    /// Made when first needed, and shared by the clones: code runs on the engine that made it.
    metered: Arc<OnceLock<Engine>>,
    tune: Option<Tune>,
}

impl Engines {
    /// Engines with every feature of WebAssembly 3.0, and shared memories, switched on; `tune`
    /// may change that.
    ///
    /// # Errors
    /// `CompileError` if this machine or the tuned configuration is not supported.
    pub fn new(tune: Option<Tune>) -> Result<Self, WasmError> {
        Ok(Self {
            plain: engine(false, tune.as_ref())?,
            metered: Arc::default(),
            tune,
        })
    }

    /// The engine whose code counts fuel, or the one whose code does not.
    ///
    /// # Errors
    /// As [`Engines::new`].
    pub fn get(&self, metered: bool) -> Result<&Engine, WasmError> {
        if !metered {
            return Ok(&self.plain);
        }
        if let Some(engine) = self.metered.get() {
            return Ok(engine);
        }
        let engine = engine(true, self.tune.as_ref())?;
        Ok(self.metered.get_or_init(|| engine))
    }
}

fn engine(metered: bool, tune: Option<&Tune>) -> Result<Engine, WasmError> {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .collector(Collector::Auto)
        .consume_fuel(metered)
        .memory_reservation(MEMORY_RESERVATION)
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
    if let Some(tune) = tune {
        tune(&mut config);
    }
    Engine::new(&config)
        .map_err(|error| WasmError::compile(format!("no engine for this machine: {error:#}")))
}
