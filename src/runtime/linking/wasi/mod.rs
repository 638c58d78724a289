//! The WASI preview 1 functions, as imports of modules.

mod call;
mod functions;

use wasmtime::{Engine, Extern, Linker};

use crate::runtime::base::error::WasmError;
use crate::runtime::store::StoreData;

/// The module names that WASI functions are imported from: first preview 1, then preview 0.
pub const WASI_MODULES: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];

/// Returns a linker with all WASI functions, for the stores of an engine.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<StoreData>, WasmError> {
    let mut linker = Linker::new(engine);
    functions::add_to_linker(&mut linker)
        .map_err(|error| WasmError::instantiate(format!("no WASI: {error:#}")))?;
    Ok(linker)
}

/// Returns the WASI function with this name. The store has to have WASI.
pub(crate) fn function(
    mut store: wasmtime::StoreContextMut<'_, StoreData>,
    linker: &Linker<StoreData>,
    module: &str,
    name: &str,
) -> Result<Extern, WasmError> {
    if store.data().wasi.is_none() {
        return Err(WasmError::instantiate("the store has no WASI"));
    }
    let function = linker.get(&mut store, module, name);
    function.map_err(|_| WasmError::instantiate("WASI has no such function"))
}
