//! Makes the capabilities of a Forge app from its manifest: docs/FORGE.md.

use std::error::Error;
use std::path::Path;

use ext_wasm::WasmCapabilities;
use toml::{Table, Value};

/// The cap on live instances of an app without `max_instances` in its manifest.
const DEFAULT_MAX_INSTANCES: u32 = 10;

/// The capabilities that the manifest in `folder` grants. Its paths are relative to that folder. An app in
/// development may load any file and preopen any folder.
///
/// # Errors
/// If the manifest is not TOML, has both sections, or an unknown key in one.
pub fn capabilities(
    manifest: &str,
    folder: &Path,
    is_developed: bool,
) -> Result<WasmCapabilities, Box<dyn Error>> {
    let manifest: Table = manifest.parse()?;
    let section = |name: &str| manifest.get(name)?.get("wasm").cloned();
    let wasm = match (section("permissions"), section("capabilities")) {
        (Some(_), Some(_)) => {
            return Err(
                "the manifest has [permissions.wasm] and [capabilities.wasm]: use one".into(),
            );
        }
        (wasm, other) => wasm.or(other).unwrap_or_else(|| Value::Table(Table::new())),
    };
    let has_max_instances = wasm.get("max_instances").is_some();
    let mut capabilities: WasmCapabilities = wasm.try_into()?;
    if !has_max_instances {
        capabilities.max_instances = DEFAULT_MAX_INSTANCES;
    }
    if is_developed {
        capabilities.compile_globs = vec!["/**".to_owned()];
        capabilities.preopen_globs = vec!["/**".to_owned()];
    }
    Ok(capabilities.relative_to(folder))
}
