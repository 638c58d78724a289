//! Components of WASI 0.2 that an adapter makes from modules of preview 1, as toolchains do.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
};

/// Makes a component from a command.
///
/// # Errors
/// The reason why the module is no command.
pub fn component_of(module: &[u8]) -> Result<Vec<u8>, String> {
    let encoder = wit_component::ComponentEncoder::default().module(module);
    let encoder = encoder.and_then(|encoder| {
        encoder.adapter(
            WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
            WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
        )
    });
    let component = encoder.and_then(|mut encoder| encoder.encode());
    component.map_err(|error| format!("no component: {error:#}"))
}
