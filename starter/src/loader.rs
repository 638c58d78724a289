//! Loads the files of the app: TypeScript, JavaScript, and WebAssembly as ES modules.

use std::fmt::Display;

use deno_core::error::ModuleLoaderError;
use deno_core::{
    ModuleLoadOptions, ModuleLoadReferrer, ModuleLoadResponse, ModuleLoader, ModuleSource,
    ModuleSourceCode, ModuleSpecifier, ModuleType, ResolutionKind, resolve_import,
};
use ext_wasm::EsModules;

pub struct FileLoader {
    pub es_modules: EsModules,
}

impl ModuleLoader for FileLoader {
    fn resolve(
        &self,
        specifier: &str,
        referrer: &str,
        _kind: ResolutionKind,
    ) -> Result<ModuleSpecifier, ModuleLoaderError> {
        resolve_import(specifier, referrer).map_err(ModuleLoaderError::from_err)
    }

    fn load(
        &self,
        specifier: &ModuleSpecifier,
        _referrer: Option<&ModuleLoadReferrer>,
        _options: ModuleLoadOptions,
    ) -> ModuleLoadResponse {
        match read(specifier) {
            Ok(wasm) if specifier.path().ends_with(".wasm") => {
                ModuleLoadResponse::Async(Box::pin(self.es_modules.load(specifier, wasm)))
            }
            bytes => ModuleLoadResponse::Sync(bytes.and_then(|bytes| javascript(specifier, bytes))),
        }
    }
}

fn read(specifier: &ModuleSpecifier) -> Result<Vec<u8>, ModuleLoaderError> {
    let path = specifier.to_file_path();
    let path = path.map_err(|()| failed(specifier, "not a file"))?;
    std::fs::read(path).map_err(|error| failed(specifier, error))
}

fn javascript(
    specifier: &ModuleSpecifier,
    bytes: Vec<u8>,
) -> Result<ModuleSource, ModuleLoaderError> {
    let text = String::from_utf8(bytes).map_err(|error| failed(specifier, error))?;
    let code = match specifier.path().ends_with(".ts") {
        true => forge_weld::transpile(specifier.as_str(), &text)
            .map_err(|error| ModuleLoaderError::generic(error.to_string()))?
            .with_inline_source_map(),
        false => text,
    };
    Ok(ModuleSource::new(
        ModuleType::JavaScript,
        ModuleSourceCode::String(code.into()),
        specifier,
        None,
    ))
}

fn failed(specifier: &ModuleSpecifier, why: impl Display) -> ModuleLoaderError {
    ModuleLoaderError::generic(format!("{specifier}: {why}"))
}
