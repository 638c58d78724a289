//! Compiled modules.

mod code_cache;
pub(crate) mod compiler;

use std::any::TypeId;
use std::sync::{Arc, OnceLock};

use wasmparser::{Parser, Payload};
use wasmtime::{ExportType, ImportType, InstancePre, Module};

pub(crate) use self::code_cache::CodeCache;
use crate::runtime::admission::ModuleProfile;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::options::Checks;
use crate::runtime::base::types::{ExportInfo, ImportInfo};
use crate::runtime::engine::quota::{DESCRIPTORS, MAPPINGS, PER_CODE, Share};
use crate::runtime::store::{HostType, StoreData};

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
    /// The module linked with functions of the host's, when that was first asked for.
    pub(crate) host_linked: OnceLock<HostLinked>,
    /// What the system gives a process only so much of.
    _shares: [Share; 2],
}

/// A module's code with functions of the host's for its imports.
pub(crate) struct HostLinked {
    /// The type of the [`HostImports`](crate::runtime::HostImports) that made the functions.
    pub(crate) by: TypeId,
    /// `None` if the module cannot be linked by the names of its imports, or imports something else.
    pub(crate) linked: Option<InstancePre<StoreData>>,
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
            host_linked: OnceLock::new(),
            _shares: shares,
        })
    }
}
