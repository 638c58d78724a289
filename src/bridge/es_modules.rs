//! WebAssembly modules as ES modules, for the module loader of a host.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use deno_core::error::ModuleLoaderError;
use deno_core::{ModuleSource, ModuleSourceCode, ModuleSpecifier, ModuleType, OpState, op2};
use deno_error::JsErrorBox;

use super::compile::ModuleInfo;
use super::es_module_text::{instance_phase, source_phase};
use super::state::Bridge;
use crate::runtime::{
    Code, Compiler, UnclaimedModules, WasmError, WasmModule, WasmState, show_long,
};

/// Makes ES modules of WebAssembly modules, for the [`ModuleLoader`](deno_core::ModuleLoader) of a host, so that
/// scripts can write `import { add } from "./add.wasm"`.
///
/// The instance has the limits that the [capabilities](crate::WasmCapabilities) set, as if it was made through the
/// `WebAssembly` of [`webassembly_global`](crate::WasmCapabilities::webassembly_global). Its imports are resolved as
/// the imports of an ES module with the same specifier.
///
/// A guest imports what it names: relative specifiers, names that the loader knows, and URLs of its own scheme, but not
/// of `data:` and `blob:`. A loader that loads guests which must not reach all modules of the app refuses the others in
/// [`resolve`](deno_core::ModuleLoader::resolve), where the guest is the referrer.
///
/// A specifier with the query `?module` has the compiled `WebAssembly.Module` as its default export:
/// `import module from "./add.wasm?module"`.
///
/// ```
/// use deno_core::error::ModuleLoaderError;
/// use deno_core::{
///     ModuleLoadOptions, ModuleLoadReferrer, ModuleLoadResponse, ModuleLoader, ModuleSpecifier, ResolutionKind,
///     resolve_import,
/// };
/// use deno_error::JsErrorBox;
/// use ext_wasm::EsModules;
///
/// /// Loads WebAssembly modules from files.
/// struct WasmLoader(EsModules);
///
/// impl ModuleLoader for WasmLoader {
///     fn resolve(
///         &self,
///         specifier: &str,
///         referrer: &str,
///         _kind: ResolutionKind,
///     ) -> Result<ModuleSpecifier, ModuleLoaderError> {
///         resolve_import(specifier, referrer).map_err(JsErrorBox::from_err)
///     }
///
///     fn load(
///         &self,
///         specifier: &ModuleSpecifier,
///         _referrer: Option<&ModuleLoadReferrer>,
///         _options: ModuleLoadOptions,
///     ) -> ModuleLoadResponse {
///         let path = specifier.to_file_path().unwrap_or_default();
///         match std::fs::read(path) {
///             Ok(wasm) => ModuleLoadResponse::Async(Box::pin(self.0.load(specifier, wasm))),
///             Err(error) => ModuleLoadResponse::Sync(Err(JsErrorBox::from_err(error))),
///         }
///     }
/// }
/// ```
#[derive(Clone)]
pub struct EsModules {
    compiler: Compiler,
    unclaimed: Arc<UnclaimedModules>,
    max_names: u32,
}

impl EsModules {
    /// Returns a maker of modules for the runtime that gets this state.
    pub fn new(state: &WasmState) -> Self {
        Self {
            compiler: state.compiler(),
            unclaimed: state.unclaimed(),
            max_names: state.capabilities().max_es_module_names,
        }
    }

    /// Compiles a module in the binary format, and returns the ES module that stands for it. The compilation runs on
    /// another thread. Dropping the future gives the compilation up, unless it has started.
    ///
    /// `specifier` is the URL of the module, after redirects.
    ///
    /// # Errors
    /// If the module is not valid or exceeds a cap. Scripts get a `TypeError`, as for each module that cannot be loaded.
    pub fn load(
        &self,
        specifier: &ModuleSpecifier,
        wasm: Vec<u8>,
    ) -> impl Future<Output = Result<ModuleSource, ModuleLoaderError>> + use<> {
        let this = self.clone();
        let specifier = specifier.clone();
        async move {
            let code = this.compile(wasm).await;
            this.source(&specifier, code)
        }
    }

    /// Does the same on this thread, for a loader that has to answer at once
    /// ([`is_synchronous`](deno_core::ModuleLoadOptions::is_synchronous)). It waits for its turn, since a process runs
    /// one compilation per core at a time.
    ///
    /// # Errors
    /// As [`EsModules::load`].
    pub fn load_now(
        &self,
        specifier: &ModuleSpecifier,
        wasm: &[u8],
    ) -> Result<ModuleSource, ModuleLoaderError> {
        let code = self
            .check(wasm)
            .and_then(|()| self.compiler.in_turn(|compiler| compiler.compile(wasm)));
        self.source(specifier, code)
    }

    async fn compile(&self, wasm: Vec<u8>) -> Result<Arc<Code>, WasmError> {
        self.check(&wasm)?;
        match self.compiler.find_small(&wasm) {
            Some(code) => Ok(code),
            None => {
                self.compiler
                    .in_line(move |compiler| compiler.compile(&wasm))?
                    .await
            }
        }
    }

    /// Checks the format and the size of a module.
    ///
    /// # Errors
    /// `CompileError` if it is another kind of file, or too large.
    fn check(&self, wasm: &[u8]) -> Result<(), WasmError> {
        self.compiler.check_binary(wasm)?;
        self.compiler.check_size(wasm)
    }

    /// The ES module for a compiled module.
    fn source(
        &self,
        specifier: &ModuleSpecifier,
        code: Result<Arc<Code>, WasmError>,
    ) -> Result<ModuleSource, ModuleLoaderError> {
        let text = code.and_then(|code| self.text(specifier, code));
        let text = text.map_err(|error| loader_error(specifier, &error))?;
        Ok(ModuleSource::new(
            ModuleType::JavaScript,
            ModuleSourceCode::String(text.into()),
            specifier,
            None,
        ))
    }

    /// The JavaScript of the ES module for a compiled module, which takes the module by its number.
    fn text(&self, specifier: &ModuleSpecifier, code: Arc<Code>) -> Result<String, WasmError> {
        let module = WasmModule::new(0, code.clone());
        let text = match is_source_phase(specifier) {
            true => source_phase(&module),
            false => {
                self.check_names(&module)?;
                instance_phase(specifier, &module)
            }
        };
        let number = self.unclaimed.add(code)?;
        Ok(text.with_number(number))
    }

    /// Checks the number and the lengths of the imports and exports, of which the text has them all.
    ///
    /// # Errors
    /// `CompileError` if there are too many, or they are too long.
    fn check_names(&self, module: &WasmModule) -> Result<(), WasmError> {
        let (exports, imports) = (&module.exports, &module.imports);
        let count = (exports.len() + imports.len()) as u64;
        let bytes: usize = exports.iter().map(|export| export.name.len()).sum();
        let imported = imports
            .iter()
            .map(|import| import.module.len() + import.name.len());
        let bytes = (bytes + imported.sum::<usize>()) as u64;
        let cap = u64::from(self.max_names);
        if count > cap || bytes > cap * BYTES_PER_NAME {
            return Err(WasmError::compile(format!(
                "{count} imports and exports with names of {bytes} bytes exceed the cap of {cap}, with \
                 {BYTES_PER_NAME} bytes each on average (max_es_module_names)"
            )));
        }
        Ok(())
    }
}

/// The bytes that the names of an ES module may have on average.
const BYTES_PER_NAME: u64 = 256;

/// Whether a specifier stands for the compiled module, and not for an instance: it has the query `?module`, alone or
/// among others.
fn is_source_phase(specifier: &ModuleSpecifier) -> bool {
    let query = specifier.query().unwrap_or("");
    query.split('&').any(|parameter| parameter == "module")
}

/// The error of a loader for an error of ours. `deno_core` makes errors of JavaScript's own classes of it.
fn loader_error(specifier: &ModuleSpecifier, error: &WasmError) -> JsErrorBox {
    let specifier = show_long(specifier.as_str());
    JsErrorBox::type_error(format!("{specifier}: {}", error.message))
}

/// Takes the module that the host has compiled under this number, and returns its description as JSON.
#[op2(reentrant)]
#[string]
pub(crate) fn op_wasm_claim_module(state: &mut OpState, number: u32) -> Result<String, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    bridge.state.claim_module(number).map(ModuleInfo::of)
}
