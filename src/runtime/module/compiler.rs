//! Compilation of a source to machine code.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use wasmtime::{Engine, Module};

use super::{Code, CodeCache, Compiled};
use crate::runtime::admission::{self, ModuleProfile};
use crate::runtime::base::error::WasmError;
use crate::runtime::base::module_limits::ModuleLimits;
use crate::runtime::base::options::Checks;
use crate::runtime::base::text;
use crate::runtime::engine::compile_queue::{CompileQueue, Waiting};
use crate::runtime::rewrite::merge_data_segments;
use crate::runtime::store::move_module::move_to_engine;

/// The maximum size of a binary that is compared on the calling thread, in bytes: it takes less time than a switch
/// of threads.
const SMALL: usize = 32 << 10;

/// A compiler of modules for one state. It can be sent to another thread, and should be, since compilation takes
/// long.
#[derive(Clone)]
pub(crate) struct Compiler {
    cache: Arc<CodeCache>,
    checks: Checks,
    limits: Arc<ModuleLimits>,
    queue: CompileQueue,
}

impl Compiler {
    /// Makes a compiler whose modules are ready for stores with these checks.
    pub(crate) fn new(
        cache: Arc<CodeCache>,
        checks: Checks,
        limits: Arc<ModuleLimits>,
        queue: CompileQueue,
    ) -> Self {
        Self {
            cache,
            checks,
            limits,
            queue,
        }
    }

    /// Runs `work` on its own thread when its turn comes: the whole process runs at most one compilation per core.
    /// Dropping the returned value cancels the work, unless it has started.
    ///
    /// # Errors
    /// `CompileError` if too many compilations wait.
    pub fn in_line<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<R, WasmError> + Send + 'static,
    ) -> Result<Waiting<R>, WasmError> {
        let this = self.clone();
        self.queue.submit(move || work(&this))
    }

    /// Runs `work` on this thread when its turn comes.
    ///
    /// # Errors
    /// `CompileError` if too many compilations wait; otherwise as `work`.
    pub fn in_turn<R>(
        &self,
        work: impl FnOnce(&Self) -> Result<R, WasmError>,
    ) -> Result<R, WasmError> {
        self.queue.run(|| work(self))
    }

    /// Returns the maximum number of bytes of a source.
    pub fn max_source_bytes(&self) -> u64 {
        self.limits.max_source_bytes()
    }

    /// Checks the format of a source before it is copied.
    ///
    /// # Errors
    /// `CompileError` if it is another kind of file.
    pub fn check_format(&self, source: &[u8]) -> Result<(), WasmError> {
        admission::check_format(source)
    }

    /// Checks the size of a source before it is copied.
    ///
    /// # Errors
    /// `CompileError` if it exceeds the cap on its bytes.
    pub fn check_size(&self, source: &[u8]) -> Result<(), WasmError> {
        admission::check_bytes(source, &self.limits)
    }

    /// Compiles a module in the binary or the text format. Code of the same module that is in use is returned
    /// without a compilation.
    ///
    /// # Errors
    /// `CompileError` if the module is malformed, invalid, exceeds a limit, or uses a feature that is off.
    pub fn compile(&self, source: &[u8]) -> Result<Arc<Code>, WasmError> {
        let wasm = admission::encode(source, &self.limits)?;
        let hash = self.cache.hash(&wasm);
        if let Some(code) = self.find(hash, &wasm) {
            code.profile.check(&self.limits)?;
            self.prepare(&code, self.checks)?;
            return Ok(code);
        }
        let content = ModuleProfile::content_of(&wasm);
        content.check_counts(&self.limits)?;
        if content.may_be_validated(&self.limits) {
            // The compiler validates each function when it comes to it, which may be after minutes.
            Module::validate(self.cache.engines().get(self.checks)?, &wasm)
                .map_err(|error| admission::invalid(&wasm, &error))?;
        }
        let profile = ModuleProfile::of(&wasm, &self.limits);
        profile.check(&self.limits)?;
        let single_pass = profile.takes_single_pass(&self.limits);
        let code = Code::new(&wasm, profile, single_pass);
        self.prepare(&code, self.checks)?;
        tracing::debug!(bytes = wasm.len(), "compiled a module");
        Ok(self.cache.add(hash, code))
    }

    /// Returns the code for a source that [`compile`](Compiler::compile) does not need to compile, if that is known
    /// at once: the source is small and in the binary format, and its code is in use.
    pub fn find_small(&self, source: &[u8]) -> Option<Arc<Code>> {
        if source.len() > SMALL {
            return None;
        }
        let code = self.find(self.cache.hash(source), source)?;
        code.profile.check(&self.limits).ok()?;
        code.is_ready(self.checks).then_some(code)
    }

    /// Returns the code of this binary if it is in use, and was compiled as these limits say.
    fn find(&self, hash: u64, wasm: &[u8]) -> Option<Arc<Code>> {
        let fits = |code: &Code| code.single_pass == code.profile.takes_single_pass(&self.limits);
        self.cache.find(hash, wasm, fits)
    }

    /// Compiles `code` for stores with these checks, unless it is compiled.
    ///
    /// # Errors
    /// As [`Compiler::compile`].
    pub fn prepare(&self, code: &Code, checks: Checks) -> Result<(), WasmError> {
        if code.is_ready(checks) {
            return Ok(());
        }
        let merged = match code.profile.merges_data {
            true => merge_data_segments(&code.wasm),
            false => None,
        };
        let wasm = merged.as_deref().unwrap_or(&code.wasm);
        let reordered =
            match &code.profile.export_order {
                Some(order) => Some(order.apply(wasm).ok_or_else(|| {
                    WasmError::compile("the exports cannot be put in another order")
                })?),
                None => None,
            };
        let (reordered, names) = reordered.unzip();
        let wasm = reordered.as_deref().unwrap_or(wasm);
        let module = self.machine_code(wasm, checks, code.single_pass)?;
        let compiled = Compiled::new(module, names, &code.profile)?;
        code.compiled[checks.index()].get_or_init(|| compiled);
        Ok(())
    }

    fn machine_code(
        &self,
        wasm: &[u8],
        checks: Checks,
        single_pass: bool,
    ) -> Result<Module, WasmError> {
        let engines = self.cache.engines();
        let engine = engines.get(checks)?;
        let quick = match single_pass {
            true => compile_in_single_pass(engines.single_pass(checks)?, wasm),
            false => None,
        };
        let module = match quick {
            Some(module) => module.and_then(|module| move_to_engine(&module, engine)),
            None => Module::from_binary(engine, wasm),
        };
        module.map_err(|error| WasmError::compile(text::one_line(&error)))
    }

    /// Whether `source` is a valid module, in the binary or the text format. Takes less than a tenth of a second
    /// with the default limits.
    ///
    /// # Errors
    /// `CompileError` if it needs more work than this method may do. [`Compiler::validate_at_length`] may do more.
    pub fn validate(&self, source: &[u8]) -> Result<bool, WasmError> {
        self.validate_within(
            source,
            self.limits.max_validation_steps,
            "max_validation_steps",
        )
    }

    /// Whether `source` is a valid module. May take longer than [`Compiler::validate`].
    ///
    /// # Errors
    /// `CompileError` if it exceeds the limits on sizes, or the limit on long validations.
    pub fn validate_at_length(&self, source: &[u8]) -> Result<bool, WasmError> {
        self.validate_within(
            source,
            self.limits.max_async_validation_steps,
            "max_async_validation_steps",
        )
    }

    fn validate_within(&self, source: &[u8], cap: u64, name: &str) -> Result<bool, WasmError> {
        let refuse = |steps: u64| {
            Err(WasmError::compile(format!(
                "validating takes {steps} steps, which exceeds the cap of {cap} ({name})"
            )))
        };
        // The size alone gives a lower bound.
        let steps = admission::least_steps(source);
        if steps > cap {
            return refuse(steps);
        }
        let engine = self.cache.engines().get(self.checks)?;
        if admission::check_format(source).is_err() {
            return Ok(false);
        }
        admission::check_size(source, &self.limits)?;
        let steps = admission::parse_steps(source);
        if steps > cap {
            return refuse(steps);
        }
        let Ok(wasm) = admission::encode(source, &self.limits) else {
            return Ok(false);
        };
        let steps = ModuleProfile::content_of(&wasm).validation_steps;
        if steps > cap {
            return refuse(steps);
        }
        Ok(Module::validate(engine, &wasm).is_ok())
    }
}

/// Compiles a module with the single-pass register allocator. Returns `None` if the allocator panicked, since it does not
/// support all code.
fn compile_in_single_pass(engine: &Engine, wasm: &[u8]) -> Option<wasmtime::Result<Module>> {
    let compiled = std::panic::catch_unwind(AssertUnwindSafe(|| Module::from_binary(engine, wasm)));
    if compiled.is_err() {
        tracing::warn!("the single-pass register allocator failed");
    }
    compiled.ok()
}
