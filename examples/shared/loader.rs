//! Loads the files of an app.

use deno_core::error::ModuleLoaderError;
use deno_core::{
    ModuleLoadOptions, ModuleLoadReferrer, ModuleLoadResponse, ModuleLoader, ModuleSource,
    ModuleSourceCode, ModuleSpecifier, ModuleType, ResolutionKind, resolve_import,
};
use deno_error::JsErrorBox;
use ext_wasm::EsModules;

/// Loads files, stripping the types of TypeScript.
#[derive(Default)]
pub struct FileLoader {
    /// Another name for `host:wasm`.
    pub alias: Option<&'static str>,
    /// Makes ES modules of `.wasm` files. Without it, an app cannot import them.
    pub es_modules: Option<EsModules>,
}

impl ModuleLoader for FileLoader {
    fn resolve(
        &self,
        specifier: &str,
        referrer: &str,
        _kind: ResolutionKind,
    ) -> Result<ModuleSpecifier, ModuleLoaderError> {
        let specifier = match self.alias {
            Some(alias) if alias == specifier => "host:wasm",
            _ => specifier,
        };
        resolve_import(specifier, referrer).map_err(JsErrorBox::from_err)
    }

    fn load(
        &self,
        specifier: &ModuleSpecifier,
        _referrer: Option<&ModuleLoadReferrer>,
        _options: ModuleLoadOptions,
    ) -> ModuleLoadResponse {
        match &self.es_modules {
            Some(es_modules) if specifier.path().ends_with(".wasm") => match read(specifier) {
                Ok(wasm) => ModuleLoadResponse::Async(Box::pin(es_modules.load(specifier, wasm))),
                Err(error) => ModuleLoadResponse::Sync(Err(error)),
            },
            _ => ModuleLoadResponse::Sync(load(specifier)),
        }
    }
}

fn read(specifier: &ModuleSpecifier) -> Result<Vec<u8>, ModuleLoaderError> {
    let path = specifier
        .to_file_path()
        .map_err(|()| JsErrorBox::generic(format!("{specifier} is not a file")))?;
    std::fs::read(path).map_err(|error| JsErrorBox::generic(format!("{specifier}: {error}")))
}

fn load(specifier: &ModuleSpecifier) -> Result<ModuleSource, ModuleLoaderError> {
    let source = String::from_utf8(read(specifier)?)
        .map_err(|error| JsErrorBox::generic(format!("{specifier}: {error}")))?;
    // `transpile` also rewrites imports of the source phase, of which JavaScript files seldom have any.
    let typescript = specifier.path().ends_with(".ts");
    let code = if typescript || source.contains("import source") || source.contains("import.source")
    {
        forge_weld::transpile(specifier.as_str(), &source)
            .map_err(|error| JsErrorBox::generic(error.to_string()))?
            .with_inline_source_map()
    } else {
        source
    };
    Ok(ModuleSource::new(
        ModuleType::JavaScript,
        ModuleSourceCode::String(code.into()),
        specifier,
        None,
    ))
}
