//! From a source to machine code.

use std::sync::Arc;

use wasmtime::Module;

use super::{Code, CodeCache, Compiled};
use crate::runtime::admission::{self, ModuleProfile};
use crate::runtime::base::error::WasmError;
use crate::runtime::base::module_limits::ModuleLimits;
use crate::runtime::base::options::Checks;
use crate::runtime::base::text;
use crate::runtime::engine::compile_queue::{CompileQueue, Waiting};
use crate::runtime::rewrite::merge_data_segments;

/// How many bytes take less time to compare than it takes to have another thread do so.
const SMALL: usize = 32 << 10;

/// Turns bytes into machine code. May be sent to another thread, which is where it belongs:
/// compiling takes long.
#[derive(Clone)]
pub struct Compiler {
    cache: Arc<CodeCache>,
    checks: Checks,
    limits: Arc<ModuleLimits>,
    queue: CompileQueue,
}

impl Compiler {
    /// A compiler whose modules are ready for stores with these checks.
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

    /// Does `work` on a thread of its own, when its turn comes: one compile a core runs at a time, in the
    /// whole process. To drop what is returned gives the work up, unless it has begun.
    ///
    /// # Errors
    /// `CompileError` if too many wait already.
    pub fn in_line<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<R, WasmError> + Send + 'static,
    ) -> Result<Waiting<R>, WasmError> {
        let this = self.clone();
        self.queue.submit(move || work(&this))
    }

    /// Does `work` on this thread, when its turn comes.
    ///
    /// # Errors
    /// `CompileError` if too many wait already; otherwise as `work`.
    pub fn in_turn<R>(
        &self,
        work: impl FnOnce(&Self) -> Result<R, WasmError>,
    ) -> Result<R, WasmError> {
        self.queue.run(|| work(self))
    }

    /// The most bytes that a source may have.
    pub fn max_source_bytes(&self) -> u64 {
        self.limits.max_source_bytes()
    }

    /// Fails where a source is so large that it is not even copied.
    ///
    /// # Errors
    /// `CompileError` if it exceeds the cap on its bytes.
    pub fn check_size(&self, source: &[u8]) -> Result<(), WasmError> {
        admission::check_bytes(source, &self.limits)
    }

    /// Compiles a module in the binary or the text format; or finds that somebody uses the code of the
    /// same module, and returns that.
    ///
    /// # Errors
    /// `CompileError` if it is malformed, invalid, or uses a feature that is off.
    pub fn compile(&self, source: &[u8]) -> Result<Arc<Code>, WasmError> {
        let wasm = admission::encode(source, &self.limits)?;
        let hash = self.cache.hash(&wasm);
        if let Some(code) = self.cache.find(hash, &wasm) {
            code.profile.check(&self.limits)?;
            self.prepare(&code, self.checks)?;
            return Ok(code);
        }
        let profile = ModuleProfile::of(&wasm, &self.limits);
        profile.check(&self.limits)?;
        let code = Code::new(&wasm, profile);
        self.prepare(&code, self.checks)?;
        tracing::debug!(bytes = wasm.len(), "compiled a module");
        Ok(self.cache.add(hash, code))
    }

    /// The code of a module that [`compile`](Compiler::compile) would have nothing to do for, if that
    /// is found out in no time: it is in the binary format, small, and somebody uses it.
    pub fn find_small(&self, source: &[u8]) -> Option<Arc<Code>> {
        if source.len() > SMALL {
            return None;
        }
        let code = self.cache.find(self.cache.hash(source), source)?;
        code.profile.check(&self.limits).ok()?;
        code.is_ready(self.checks).then_some(code)
    }

    /// Makes sure that `code` can be instantiated in a store with these checks.
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
        let module = Module::from_binary(self.cache.engines().get(checks)?, wasm)
            .map_err(|error| WasmError::compile(text::one_line(&error)))?;
        let compiled = Compiled::new(module, &code.profile)?;
        code.compiled[checks.index()].get_or_init(|| compiled);
        Ok(())
    }

    /// Whether `source` is a valid module, in the binary or the text format. Takes less than a tenth of
    /// a second with the default limits.
    ///
    /// # Errors
    /// `CompileError` if it is so large, or so much work, that [`Compiler::validate_at_length`] should
    /// be asked.
    pub fn validate(&self, source: &[u8]) -> Result<bool, WasmError> {
        self.validate_within(
            source,
            self.limits.max_validation_steps,
            "max_validation_steps",
        )
    }

    /// The same, for what takes longer.
    ///
    /// # Errors
    /// `CompileError` if it exceeds the limits on sizes, or those on longer validations.
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
        // Sizes alone tell at least how many it takes.
        let steps = admission::least_steps(source);
        if steps > cap {
            return refuse(steps);
        }
        let engine = self.cache.engines().get(self.checks)?;
        admission::check_size(source, &self.limits)?;
        let steps = admission::parse_steps(source);
        if steps > cap {
            return refuse(steps);
        }
        let Ok(wasm) = admission::encode(source, &self.limits) else {
            return Ok(false);
        };
        let steps = ModuleProfile::validation_steps(&wasm);
        if steps > cap {
            return refuse(steps);
        }
        Ok(Module::validate(engine, &wasm).is_ok())
    }
}
