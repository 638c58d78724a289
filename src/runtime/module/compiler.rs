//! Compilation of a source to machine code.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use wasmtime::{Engine, Module};

use super::admit::Admitted;
use super::kept_profiles::Key;
use super::{Code, CodeCache, Compiled};
use crate::runtime::admission::{self, ModuleProfile};
use crate::runtime::base::error::WasmError;
use crate::runtime::base::module_limits::ModuleLimits;
use crate::runtime::base::options::Checks;
use crate::runtime::base::text;
use crate::runtime::engine::EngineChoice;
use crate::runtime::engine::compile_queue::{CompileQueue, Waiting};
use crate::runtime::engine::parallel_compile;
use crate::runtime::rewrite::{merge_data_segments, standard_exceptions};
use crate::runtime::store::move_module::move_to_engine;

/// The maximum size of a binary that is compared on the calling thread, in bytes: it takes less time than a switch
/// of threads.
pub(super) const SMALL: usize = 32 << 10;

/// A compiler of modules for one state. It can be sent to another thread, and should be, since compilation takes
/// long.
#[derive(Clone)]
pub(crate) struct Compiler {
    pub(super) cache: Arc<CodeCache>,
    pub(super) checks: Checks,
    pub(super) limits: Arc<ModuleLimits>,
    pub(super) allow_legacy_exceptions: bool,
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
        let kept = self.cache.kept_profiles();
        let key = match kept {
            Some(_) => Some(Key::of(self.cache.engines().get(self.checks)?, &wasm)),
            None => None,
        };
        let known = kept
            .zip(key.as_ref())
            .and_then(|(kept, key)| kept.find(key));
        // What a message says about a refused module does not depend on earlier processes.
        let known = known.filter(|profile| self.check(profile).is_ok());
        let is_known = known.is_some();
        let admitted = match known {
            Some(profile) => Admitted::known(profile, &wasm)?,
            None => self.admit(&wasm)?,
        };
        let Admitted {
            profile,
            standard,
            is_validated,
        } = admitted;
        let single_pass = profile.takes_single_pass(&self.limits);
        let standard = standard.map(|standard| (standard.wasm, standard.offsets));
        let (rewritten, offsets) = standard.unzip();
        let code = Code::new(&wasm, profile, offsets, single_pass);
        let compiled = self.prepare_from(rewritten.as_deref().unwrap_or(&wasm), &code, self.checks);
        if let Err(error) = compiled {
            if !is_validated {
                self.validate_whole(&wasm)?;
            }
            return Err(error);
        }
        if let Some((kept, key)) = kept.zip(key).filter(|_| !is_known) {
            kept.keep(&key, &code.profile);
        }
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

    /// Compiles `code` for stores with this engine, unless it is compiled.
    ///
    /// # Errors
    /// As [`Compiler::compile`]; `InstantiateError` if the engine has a pool into which no instance of the module fits.
    pub(crate) fn prepare(
        &self,
        code: &Code,
        engine: impl Into<EngineChoice>,
    ) -> Result<(), WasmError> {
        let engine = engine.into();
        if !code.is_ready(engine.checks) {
            self.prepare_for(code, engine.checks)?;
        }
        if code.is_ready(engine) {
            return Ok(());
        }
        self.add_pooled(code, engine.checks)?;
        match code.is_ready(engine) {
            true => Ok(()),
            false => Err(WasmError::instantiate(
                "the store is in the pool of instances, into which the module does not fit: instantiate both in a new store",
            )),
        }
    }

    /// Compiles `code` for stores with these checks.
    fn prepare_for(&self, code: &Code, checks: Checks) -> Result<(), WasmError> {
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
        let functions = code
            .profile
            .parallel_functions(&self.limits, parallel_compile::usual());
        let module = parallel_compile::with_at_most(functions, || {
            self.machine_code(wasm, checks, code.single_pass)
        })??;
        let compiled = Compiled::new(module, names.map(Arc::new), &code.profile)?;
        code.compiled[EngineChoice::from(checks).index()].get_or_init(|| compiled);
        if let Err(error) = self.add_pooled(code, checks) {
            // Its instances are made outside of the pool.
            tracing::warn!("no code for the pool of instances: {error}");
        }
        Ok(())
    }

    /// Adds the machine code for the engine with a pool, if there is one, and an instance fits into it.
    ///
    /// # Errors
    /// `CompileError` if there are too few mappings or descriptors left for the code.
    fn add_pooled(&self, code: &Code, checks: Checks) -> Result<(), WasmError> {
        let choice = EngineChoice {
            checks,
            is_pooled: true,
        };
        if code.is_ready(choice) || code.fits_pool.get() == Some(&false) {
            return Ok(());
        }
        let Some(pool) = self.cache.engines().pooled(checks) else {
            return Ok(());
        };
        let Some(Compiled {
            module,
            export_names,
            ..
        }) = code.get(checks)
        else {
            return Ok(());
        };
        // The engine checks whether an instance fits. All modules that fit into one of the pools fit into the others.
        let moved = move_to_engine(module, &pool.engine).ok();
        code.fits_pool.get_or_init(|| moved.is_some());
        if let Some(module) = moved {
            let compiled = Compiled::new(module, export_names.clone(), &code.profile)?;
            code.compiled[choice.index()].get_or_init(|| compiled);
        }
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
        let steps = admission::check_size(source, &self.limits)?;
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
