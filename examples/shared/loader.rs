//! Loads the files of an app.

use deno_core::error::ModuleLoaderError;
use deno_core::{
    ModuleLoadOptions, ModuleLoadReferrer, ModuleLoadResponse, ModuleLoader, ModuleSource,
    ModuleSourceCode, ModuleSpecifier, ModuleType, ResolutionKind, resolve_import,
};
use deno_error::JsErrorBox;

/// Loads files, stripping the types of TypeScript.
#[derive(Default)]
pub struct FileLoader {
    /// Another name for `host:wasm`.
    pub alias: Option<&'static str>,
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
        ModuleLoadResponse::Sync(load(specifier))
    }
}

fn load(specifier: &ModuleSpecifier) -> Result<ModuleSource, ModuleLoaderError> {
    let path = specifier
        .to_file_path()
        .map_err(|()| JsErrorBox::generic(format!("{specifier} is not a file")))?;
    let source = std::fs::read_to_string(&path)
        .map_err(|error| JsErrorBox::generic(format!("{specifier}: {error}")))?;
    let typescript = path.extension().is_some_and(|extension| extension == "ts");
    let code = if typescript {
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
