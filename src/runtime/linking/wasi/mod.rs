//! The functions of WASI preview 1, for linkers.

mod call;
mod functions;

use wasmtime::{Engine, Extern, Linker};

use crate::runtime::base::error::WasmError;
use crate::runtime::store::StoreData;

/// The modules that WASI's functions are imported from.
pub const WASI_MODULES: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];

/// All functions of WASI, for stores of an engine.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<StoreData>, WasmError> {
    let mut linker = Linker::new(engine);
    functions::add_to_linker(&mut linker)
        .map_err(|error| WasmError::instantiate(format!("no WASI: {error:#}")))?;
    Ok(linker)
}

/// The function of WASI of this name, for a store that has WASI.
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
