//! The wasmtime engines: how guest code is compiled.

use std::sync::{Arc, OnceLock};

use wasmtime::{Collector, Config, Engine, Strategy};

use super::error::WasmError;
use super::known::Known;

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
    tune: Option<Tune>,
    /// What they have compiled.
    known: Known,
}

impl Engines {
    /// Engines with every feature of WebAssembly 3.0, and shared memories, switched on; `tune`
    /// may change that. Without, they are the same ones for the whole process, so that what one of
    /// its runtimes has compiled the others need not.
    ///
    /// # Errors
    /// `CompileError` if this machine or the tuned configuration is not supported.
    pub fn new(tune: Option<Tune>) -> Result<Self, WasmError> {
        static UNTUNED: OnceLock<Engines> = OnceLock::new();
        let this = match tune {
            Some(tune) => Self::with(Some(tune)),
            None => UNTUNED.get_or_init(|| Self::with(None)).clone(),
        };
        this.get(Checks::default())?;
        Ok(this)
    }

    fn with(tune: Option<Tune>) -> Self {
        Self(Arc::new(Shared {
            engines: Default::default(),
            tune,
            known: Known::default(),
        }))
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
        let engine = engine(checks, self.0.tune.as_ref())?;
        Ok(slot.get_or_init(|| engine))
    }
}

fn engine(checks: Checks, tune: Option<&Tune>) -> Result<Engine, WasmError> {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .collector(Collector::Auto)
        .consume_fuel(checks.fuel)
        .epoch_interruption(checks.interrupt)
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
