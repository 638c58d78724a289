//! Compiled modules.

mod admit;
mod code_cache;
pub(crate) mod compiler;
mod component_compiler;
mod kept_profiles;
pub(crate) mod unclaimed;

use std::any::TypeId;
use std::sync::{Arc, OnceLock};

use wasmparser::{Export, ExternalKind, Parser, Payload};
use wasmtime::{
    ExportType, FuncType, HeapType, ImportType, InstancePre, Module, Mutability, RefType,
    StorageType, ValType,
};

pub(crate) use self::code_cache::CodeCache;
use crate::runtime::admission::ModuleProfile;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::types::{ExportInfo, ImportInfo};
use crate::runtime::debug_info::DebugInfo;
use crate::runtime::engine::EngineChoice;
use crate::runtime::engine::quota::{DESCRIPTORS, MAPPINGS, PER_CODE, Share};
use crate::runtime::rewrite::{ExportNames, OffsetMap, export_names};
use crate::runtime::store::{HostType, StoreData};

/// A compiled module.
#[derive(Clone)]
#[non_exhaustive]
pub struct WasmModule {
    /// The handle of the module, unique for the life of the state that compiled it.
    pub id: u32,
    /// The exports, in the module's order.
    pub exports: Arc<[ExportInfo]>,
    /// The imports, in the module's order.
    pub imports: Arc<[ImportInfo]>,
    pub(crate) code: Arc<Code>,
}

impl WasmModule {
    pub(crate) fn new(id: u32, code: Arc<Code>) -> Self {
        let compiled = code.any();
        let module = &compiled.module;
        let exports = code
            .exports
            .get_or_init(|| compiled.exports(&code.wasm).into());
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

    /// Returns the compiled code of the module.
    pub(crate) fn code(&self) -> Arc<Code> {
        self.code.clone()
    }

    /// Returns the index of the function behind each export, in the module's order; `None` for exports of another kind.
    pub fn export_indices(&self) -> Vec<Option<u32>> {
        let exports = self.code.export_section().into_iter();
        exports.map(|export| func_index(&export)).collect()
    }

    /// Whether the import at this index is a function whose type is alone in its recursion group, and whose parameters
    /// of array types are arrays of mutable 16-bit numbers: the builtin functions on strings have such types.
    pub fn has_plain_type(&self, import: usize) -> bool {
        let function = self.code.any().functions.get(import);
        let Some(HostType { ty, .. }) = function.and_then(Option::as_ref) else {
            return false;
        };
        let plain = FuncType::new(self.code.any().module.engine(), ty.params(), ty.results());
        FuncType::eq(&plain, ty) && ty.params().all(|ty| is_number_or_array16(&ty))
    }

    /// Returns the contents of all custom sections named `name`, in the module's order.
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

/// A function that a module imports and exports again.
pub(crate) struct Reexport {
    /// The name of the first such export.
    pub(crate) name: Box<str>,
    /// The position of the function among the imports of the module.
    pub(crate) import: usize,
}

/// A module's binary, and its machine code for each engine that it was compiled for.
pub(crate) struct Code {
    wasm: Arc<[u8]>,
    pub(crate) debug_info: Option<Arc<DebugInfo>>,
    pub(crate) profile: ModuleProfile,
    /// The offsets in `wasm` of the instructions that were compiled, if they have others there: a module with legacy
    /// exceptions is rewritten.
    pub(crate) offsets: Option<Arc<OffsetMap>>,
    /// Whether it is compiled with the single-pass register allocator.
    single_pass: bool,
    /// Indexed by [`EngineChoice::index`].
    compiled: [OnceLock<Compiled>; EngineChoice::WAYS],
    /// Whether its instances fit into the pool, once that is known.
    fits_pool: OnceLock<bool>,
    exports: OnceLock<Arc<[ExportInfo]>>,
    imports: OnceLock<Arc<[ImportInfo]>>,
    reexports: OnceLock<Box<[Reexport]>>,
}

impl Code {
    fn new(
        wasm: &[u8],
        profile: ModuleProfile,
        offsets: Option<OffsetMap>,
        single_pass: bool,
    ) -> Self {
        let wasm = wasm.into();
        Self {
            profile,
            single_pass,
            offsets: offsets.map(Arc::new),
            debug_info: DebugInfo::of(&wasm).map(Arc::new),
            wasm,
            compiled: Default::default(),
            fits_pool: OnceLock::new(),
            exports: OnceLock::new(),
            imports: OnceLock::new(),
            reexports: OnceLock::new(),
        }
    }

    /// Returns the binary that the code was compiled from.
    pub(crate) fn wasm(&self) -> &[u8] {
        &self.wasm
    }

    /// Returns the exports, in the module's order.
    fn export_section(&self) -> Vec<Export<'_>> {
        let section = Parser::new(0)
            .parse_all(&self.wasm)
            .find_map(|payload| match payload {
                Ok(Payload::ExportSection(section)) => Some(section),
                _ => None,
            });
        section.into_iter().flatten().flatten().collect()
    }

    /// Returns the functions that the module imports and exports again, each once.
    pub(crate) fn reexports(&self) -> &[Reexport] {
        self.reexports.get_or_init(|| {
            let imports = self.any().functions.iter().enumerate();
            // Functions are numbered from the first imported one.
            let mut functions: Vec<_> = imports
                .filter(|(_, function)| function.is_some())
                .map(|(import, _)| Some(import))
                .collect();
            if functions.is_empty() {
                return Box::default();
            }
            let exports = self.export_section().into_iter();
            let reexports = exports.filter_map(|export| {
                let import = functions.get_mut(func_index(&export)? as usize)?.take()?;
                Some(Reexport {
                    name: export.name.into(),
                    import,
                })
            });
            reexports.collect()
        })
    }

    /// Returns the machine code for this engine, if it was compiled.
    pub(crate) fn get(&self, engine: impl Into<EngineChoice>) -> Option<&Compiled> {
        self.compiled[engine.into().index()].get()
    }

    /// Whether there is machine code for this engine. Then
    /// [`Compiler::prepare`](crate::runtime::Compiler::prepare) has nothing to do.
    pub(crate) fn is_ready(&self, engine: impl Into<EngineChoice>) -> bool {
        self.get(engine).is_some()
    }

    fn any(&self) -> &Compiled {
        let compiled = self.compiled.iter().find_map(OnceLock::get);
        compiled.expect("a `Code` is only made together with its first module")
    }
}

/// Whether a type that is a reference to an array is one to an array of mutable 16-bit numbers.
fn is_number_or_array16(ty: &ValType) -> bool {
    let Some(HeapType::ConcreteArray(array)) = ty.as_ref().map(RefType::heap_type) else {
        return true;
    };
    let field = array.field_type();
    field.mutability() == Mutability::Var && matches!(field.element_type(), StorageType::I16)
}

/// Returns the index of an exported function; `None` for an export of another kind.
fn func_index(export: &Export<'_>) -> Option<u32> {
    match export.kind {
        ExternalKind::Func | ExternalKind::FuncExact => Some(export.index),
        _ => None,
    }
}

/// A module's machine code for one engine.
pub(crate) struct Compiled {
    pub(crate) module: Module,
    /// The names of its exports, if they differ from those in the binary.
    pub(crate) export_names: Option<Arc<ExportNames>>,
    /// The types of its imported functions; the list has an entry for each import. Kept, since wasmtime takes
    /// longer to return the type of an import than the rest of its linking takes.
    pub(crate) functions: Box<[Option<HostType>]>,
    /// The module linked with host functions, made on first use.
    pub(crate) host_linked: OnceLock<HostLinked>,
    /// The shares of the process's mappings and descriptors.
    _shares: [Share; 2],
}

/// A module's code, linked with host functions for its imports.
pub(crate) struct HostLinked {
    /// The type of the [`HostImports`](crate::runtime::HostImports) that made the functions.
    pub(crate) by: TypeId,
    /// `None` if the module cannot be linked by the names of its imports, or imports an object of another kind.
    pub(crate) linked: Option<InstancePre<StoreData>>,
    /// The [numbers](crate::runtime::HostFunction::number) of the functions, if they were linked.
    pub(crate) numbers: Box<[Option<u32>]>,
}

impl Compiled {
    /// Takes the mappings and descriptors for the module.
    ///
    /// # Errors
    /// `CompileError` if there are too few mappings left for the code, or too few descriptors for the initial
    /// contents of its memories.
    fn new(
        module: Module,
        export_names: Option<Arc<ExportNames>>,
        profile: &ModuleProfile,
    ) -> Result<Self, WasmError> {
        // wasmtime makes an image of each memory with data when the module is first instantiated.
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
            export_names,
            functions,
            host_linked: OnceLock::new(),
            _shares: shares,
        })
    }

    /// Returns the exports in the order of the binary that the module was compiled from.
    fn exports(&self, wasm: &[u8]) -> Vec<ExportInfo> {
        let Some(names) = &self.export_names else {
            let export = |export: ExportType<'_>| ExportInfo::new(export.name(), &export.ty());
            return self.module.exports().map(export).collect();
        };
        let info = |name| {
            let ty = self.module.get_export(names.resolve(name)?)?;
            Some(ExportInfo::new(name, &ty))
        };
        export_names(wasm).into_iter().filter_map(info).collect()
    }
}
