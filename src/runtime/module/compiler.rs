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
use crate::runtime::rewrite::{
    StandardModule, merge_data_segments, standard_exceptions, validate_legacy,
};
use crate::runtime::store::move_module::move_to_engine;

/// The maximum size of a binary that is compared on the calling thread, in bytes: it takes less time than a switch
/// of threads.
pub(super) const SMALL: usize = 32 << 10;

/// A compiler of modules for one state. It can be sent to another thread, and should be, since compilation takes
/// long.
#[derive(Clone)]
pub(crate) struct Compiler {
    cache: Arc<CodeCache>,
    checks: Checks,
    limits: Arc<ModuleLimits>,
    allow_legacy_exceptions: bool,
    queue: CompileQueue,
}

impl Compiler {
    /// Makes a compiler whose modules are ready for stores with these checks.
    pub(crate) fn new(
        cache: Arc<CodeCache>,
        checks: Checks,
        limits: Arc<ModuleLimits>,
        allow_legacy_exceptions: bool,
        queue: CompileQueue,
    ) -> Self {
        Self {
            cache,
            checks,
            limits,
            allow_legacy_exceptions,
            queue,
        }
    }

    pub(super) fn cache(&self) -> &CodeCache {
        &self.cache
    }

    pub(super) fn checks(&self) -> Checks {
        self.checks
    }

    pub(super) fn limits(&self) -> &ModuleLimits {
        &self.limits
    }

    /// Runs `work` on its own thread when its turn comes: the whole process runs at most one compilation per core.
    /// Dropping the returned value cancels the work, unless it has started.
    ///
    /// # Errors
    /// `CompileError` if too many compilations wait.
    pub(crate) fn in_line<R: Send + 'static>(
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
    pub(crate) fn in_turn<R>(
        &self,
        work: impl FnOnce(&Self) -> Result<R, WasmError>,
    ) -> Result<R, WasmError> {
        self.queue.run(|| work(self))
    }

    /// Returns the maximum number of bytes of a source.
    pub(crate) fn max_source_bytes(&self) -> u64 {
        self.limits.max_source_bytes()
    }

    /// Checks the format of a source before it is copied.
    ///
    /// # Errors
    /// `CompileError` if it is another kind of file.
    pub(crate) fn check_format(&self, source: &[u8]) -> Result<(), WasmError> {
        admission::check_format(source)
    }

    /// Checks that a source is in the binary format, before it is copied.
    ///
    /// # Errors
    /// `CompileError` if it is another kind of file, or in the text format.
    pub(crate) fn check_binary(&self, source: &[u8]) -> Result<(), WasmError> {
        admission::check_binary(source)
    }

    /// Checks the size of a source before it is copied.
    ///
    /// # Errors
    /// `CompileError` if it exceeds the cap on its bytes.
    pub(crate) fn check_size(&self, source: &[u8]) -> Result<(), WasmError> {
        admission::check_bytes(source, &self.limits)
    }

    /// Compiles a module in the binary or the text format. Code of the same module that is in use is returned
    /// without a compilation.
    ///
    /// # Errors
    /// `CompileError` if the module is malformed, invalid, exceeds a limit, or uses a feature that is off.
    pub(crate) fn compile(&self, source: &[u8]) -> Result<Arc<Code>, WasmError> {
        let _span = tracing::debug_span!("compile", bytes = source.len()).entered();
        let wasm = admission::encode(source, &self.limits)?;
        let hash = self.cache.hash(&wasm);
        if let Some(code) = self.find(hash, &wasm) {
            self.check(&code.profile)?;
            self.prepare(&code, self.checks)?;
            return Ok(code);
        }
        let content = ModuleProfile::content_of(&wasm);
        self.check_features(&content)?;
        content.check_counts(&self.limits)?;
        // The compiler validates each function when it comes to it, which may be after minutes.
        let standard = match (
            content.may_be_validated(&self.limits),
            content.legacy_exceptions,
        ) {
            (false, _) => None,
            (true, false) => {
                self.validate_whole(&wasm)?;
                None
            }
            (true, true) => {
                let (standard, content) = self.rewrite(&wasm)?;
                if content.may_be_validated(&self.limits) {
                    self.validate_rewritten(&wasm, &standard)?;
                }
                Some(standard)
            }
        };
        let profile = match &standard {
            None => ModuleProfile::of(&wasm, &self.limits),
            Some(standard) => ModuleProfile::of_standard(&standard.wasm, wasm.len(), &self.limits),
        };
        self.check(&profile)?;
        let single_pass = profile.takes_single_pass(&self.limits);
        let standard = standard.map(|standard| (standard.wasm, standard.offsets));
        let (rewritten, offsets) = standard.unzip();
        let code = Code::new(&wasm, profile, offsets, single_pass);
        self.prepare_from(rewritten.as_deref().unwrap_or(&wasm), &code, self.checks)?;
        tracing::debug!(bytes = wasm.len(), "compiled a module");
        Ok(self.cache.add(hash, code))
    }

    /// Returns the code for a source that [`compile`](Compiler::compile) does not need to compile, if that is known
    /// at once: the source is small and in the binary format, and its code is in use.
    pub(crate) fn find_small(&self, source: &[u8]) -> Option<Arc<Code>> {
        if source.len() > SMALL {
            return None;
        }
        let code = self.find(self.cache.hash(source), source)?;
        self.check(&code.profile).ok()?;
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
    pub(crate) fn prepare(&self, code: &Code, checks: Checks) -> Result<(), WasmError> {
        if code.is_ready(checks) {
            return Ok(());
        }
        match code.profile.legacy_exceptions {
            true => self.prepare_from(&standard_exceptions(&code.wasm)?.wasm, code, checks),
            false => self.prepare_from(&code.wasm, code, checks),
        }
    }

    /// Compiles `wasm` as the machine code of `code`.
    fn prepare_from(&self, wasm: &[u8], code: &Code, checks: Checks) -> Result<(), WasmError> {
        let merged = match code.profile.merges_data {
            true => merge_data_segments(wasm),
            false => None,
        };
        let wasm = merged.as_deref().unwrap_or(wasm);
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

    /// Checks the content and the cost of a module.
    ///
    /// # Errors
    /// `CompileError` if it exceeds a limit, or has legacy exceptions and may not have them.
    fn check(&self, profile: &ModuleProfile) -> Result<(), WasmError> {
        self.check_features(profile)?;
        profile.check(&self.limits)
    }

    /// Checks that a module has no feature that is not allowed.
    ///
    /// # Errors
    /// `CompileError` if it has legacy exceptions and may not have them.
    fn check_features(&self, content: &ModuleProfile) -> Result<(), WasmError> {
        if content.legacy_exceptions && !self.allow_legacy_exceptions {
            return Err(WasmError::compile(
                "the module has legacy exceptions, which are not allowed (allow_legacy_exceptions)",
            ));
        }
        Ok(())
    }

    /// Validates a whole module without legacy exceptions.
    ///
    /// # Errors
    /// `CompileError` if it is not valid.
    fn validate_whole(&self, wasm: &[u8]) -> Result<(), WasmError> {
        let engine = self.cache.engines().get(self.checks)?;
        Module::validate(engine, wasm).map_err(|error| admission::invalid(wasm, &error))
    }

    /// Validates a module by the rules for legacy exceptions. Returns it without them, and its content then, which may
    /// take many more steps to validate: each handler is a block, whose parameters may be a thousand.
    ///
    /// # Errors
    /// `CompileError` if it is not valid, or exceeds a limit on its content.
    fn rewrite(&self, wasm: &[u8]) -> Result<(StandardModule, ModuleProfile), WasmError> {
        validate_legacy(wasm)
            .map_err(|error| admission::invalid_at(wasm, &error, error.offset()))?;
        let standard = standard_exceptions(wasm)?;
        let content = ModuleProfile::content_of_standard(&standard.wasm, wasm.len());
        // Before the validator, whose limits have no names.
        content.check_counts(&self.limits)?;
        Ok((standard, content))
    }

    /// Validates a [rewritten](Compiler::rewrite) module by the rules of the engine, which may have other features off.
    ///
    /// # Errors
    /// `CompileError` if it is not valid.
    fn validate_rewritten(&self, wasm: &[u8], standard: &StandardModule) -> Result<(), WasmError> {
        let engine = self.cache.engines().get(self.checks)?;
        Module::validate(engine, &standard.wasm).map_err(|error| {
            match error.downcast_ref::<wasmparser::Error>() {
                Some(found) => {
                    admission::invalid_at(wasm, found, standard.offsets.original(found.offset()))
                }
                None => admission::invalid(wasm, &error),
            }
        })
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
    pub(crate) fn validate(&self, source: &[u8]) -> Result<bool, WasmError> {
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
    pub(crate) fn validate_at_length(&self, source: &[u8]) -> Result<bool, WasmError> {
        self.validate_within(
            source,
            self.limits.max_async_validation_steps,
            "max_async_validation_steps",
        )
    }

    fn validate_within(&self, source: &[u8], cap: u64, name: &str) -> Result<bool, WasmError> {
        let refuse = |steps: u64| {
            let steps = match steps {
                u64::MAX => "more steps than can be counted".to_owned(),
                steps => format!("{steps} steps"),
            };
            Err(WasmError::compile(format!(
                "validating takes {steps}, which exceeds the cap of {cap} ({name})"
            )))
        };
        // The size alone gives a lower bound.
        let steps = admission::least_steps(source);
        if steps > cap {
            return refuse(steps);
        }
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
        let content = ModuleProfile::content_of(&wasm);
        let steps = content.whole_validation_steps();
        if steps > cap {
            return refuse(steps);
        }
        if content.legacy_exceptions && !self.allow_legacy_exceptions {
            return Ok(false);
        }
        if !content.legacy_exceptions {
            return Ok(self.validate_whole(&wasm).is_ok());
        }
        let Ok((standard, content)) = self.rewrite(&wasm) else {
            return Ok(false);
        };
        let steps = content.whole_validation_steps();
        if steps > cap {
            return refuse(steps);
        }
        Ok(self.validate_rewritten(&wasm, &standard).is_ok())
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
