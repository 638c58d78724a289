//! Compiled modules.

use std::sync::{Arc, OnceLock};

use wasmparser::{Parser, Payload};
use wasmtime::{ExportType, ImportType, Module};

use super::admission::{self, ModuleProfile};
use super::compile_queue::{CompileQueue, Waiting};
use super::engine::{Checks, Engines};
use super::error::WasmError;
use super::hosted::Hosted;
use super::module_limits::ModuleLimits;
use super::rewrite::merge_data_segments;
use super::store::HostType;
use super::system::{DESCRIPTORS, MAPPINGS, PER_CODE, Share};
use super::text;
use super::types::{ExportInfo, ImportInfo};

/// A compiled module, as the state knows it.
#[derive(Clone)]
#[non_exhaustive]
pub struct WasmModule {
    /// Its handle, unique for the life of the state that compiled it.
    pub id: u32,
    /// What it exports, in the module's order.
    pub exports: Arc<[ExportInfo]>,
    /// What it imports, in the module's order.
    pub imports: Arc<[ImportInfo]>,
    pub(crate) code: Arc<Code>,
}

impl WasmModule {
    pub(crate) fn new(id: u32, code: Arc<Code>) -> Self {
        let module = code.any();
        let export = |export: ExportType<'_>| ExportInfo::new(export.name(), &export.ty());
        let exports = code
            .exports
            .get_or_init(|| module.exports().map(export).collect());
        let import =
            |import: ImportType<'_>| ImportInfo::new(import.module(), import.name(), &import.ty());
        let imports = code
            .imports
            .get_or_init(|| module.imports().map(import).collect());
        Self {
            id,
            exports: exports.clone(),
            imports: imports.clone(),
            code,
        }
    }

    /// What it was compiled to.
    pub fn code(&self) -> Arc<Code> {
        self.code.clone()
    }

    /// The contents of every custom section named `name`, in the module's order.
    pub fn custom_sections(&self, name: &str) -> Vec<&[u8]> {
        Parser::new(0)
            .parse_all(&self.code.wasm)
            .filter_map(|payload| match payload {
                Ok(Payload::CustomSection(section)) if section.name() == name => {
                    Some(section.data())
                }
                _ => None,
            })
            .collect()
    }
}

/// A module's binary, and its machine code for the engines that were asked for it so far.
pub struct Code {
    wasm: Box<[u8]>,
    pub(crate) profile: ModuleProfile,
    /// By [`Checks::index`].
    compiled: [OnceLock<Compiled>; Checks::WAYS],
    exports: OnceLock<Arc<[ExportInfo]>>,
    imports: OnceLock<Arc<[ImportInfo]>>,
}

impl Code {
    fn new(wasm: &[u8], profile: ModuleProfile) -> Self {
        Self {
            profile,
            wasm: wasm.into(),
            compiled: Default::default(),
            exports: OnceLock::new(),
            imports: OnceLock::new(),
        }
    }

    /// The binary that it was compiled from.
    pub(crate) fn wasm(&self) -> &[u8] {
        &self.wasm
    }

    /// The machine code with these checks, if it was compiled.
    pub(crate) fn get(&self, checks: Checks) -> Option<&Compiled> {
        self.compiled[checks.index()].get()
    }

    /// Whether there is machine code with these checks, so that [`prepare`](Compiler::prepare) has
    /// nothing to do.
    pub fn is_ready(&self, checks: Checks) -> bool {
        self.get(checks).is_some()
    }

    fn any(&self) -> &Module {
        let compiled = self.compiled.iter().find_map(OnceLock::get);
        let compiled = compiled.expect("a `Code` is only made together with its first module");
        &compiled.module
    }
}

/// A module's machine code for one engine.
pub(crate) struct Compiled {
    pub(crate) module: Module,
    /// The types of its imports that are functions, in the order of all imports. Kept, since to ask for
    /// one takes longer than the rest of what an import costs.
    pub(crate) functions: Box<[Option<HostType>]>,
    pub(crate) hosted: OnceLock<Hosted>,
    /// What the system gives a process only so much of.
    _shares: [Share; 2],
}

impl Compiled {
    /// # Errors
    /// `CompileError` if there are too few mappings left for the code, or descriptors for the initial
    /// contents of its memories.
    fn new(module: Module, profile: &ModuleProfile) -> Result<Self, WasmError> {
        // wasmtime makes an image of each memory that has data when the module is first instantiated.
        let images = profile.images();
        let shares = MAPPINGS
            .take(PER_CODE)
            .and_then(|mappings| Ok([mappings, DESCRIPTORS.take(images)?]));
        let shares =
            shares.map_err(|why| WasmError::compile(format!("too many modules: {why}")))?;
        let function = |import: ImportType<'_>| import.ty().func().cloned().map(HostType::new);
        let functions = module.imports().map(function).collect();
        Ok(Self {
            module,
            functions,
            hosted: OnceLock::new(),
            _shares: shares,
        })
    }
}

/// How many bytes take less time to compare than it takes to have another thread do so.
const SMALL: usize = 32 << 10;

/// Turns bytes into machine code. May be sent to another thread, which is where it belongs:
/// compiling takes long.
#[derive(Clone)]
pub struct Compiler {
    engines: Engines,
    checks: Checks,
    limits: Arc<ModuleLimits>,
    queue: CompileQueue,
}

impl Compiler {
    /// A compiler whose modules are ready for stores with these checks.
    pub(crate) fn new(
        engines: Engines,
        checks: Checks,
        limits: Arc<ModuleLimits>,
        queue: CompileQueue,
    ) -> Self {
        Self {
            engines,
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
        let known = self.engines.known();
        let hash = known.hash(&wasm);
        if let Some(code) = known.find(hash, &wasm) {
            code.profile.check(&self.limits)?;
            self.prepare(&code, self.checks)?;
            return Ok(code);
        }
        let profile = ModuleProfile::of(&wasm, &self.limits);
        profile.check(&self.limits)?;
        let code = Code::new(&wasm, profile);
        self.prepare(&code, self.checks)?;
        tracing::debug!(bytes = wasm.len(), "compiled a module");
        Ok(known.add(hash, code))
    }

    /// The code of a module that [`compile`](Compiler::compile) would have nothing to do for, if that
    /// is found out in no time: it is in the binary format, small, and somebody uses it.
    pub fn find_small(&self, source: &[u8]) -> Option<Arc<Code>> {
        if source.len() > SMALL {
            return None;
        }
        let known = self.engines.known();
        let code = known.find(known.hash(source), source)?;
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
        let module = Module::from_binary(self.engines.get(checks)?, wasm)
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
        let engine = self.engines.get(self.checks)?;
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
