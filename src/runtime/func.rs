//! Functions, as the host calls them with values.

use wasmtime::ValRaw;

use super::error::WasmError;
use super::store::{Outcome, Signature, WasmStore};
use super::types::{ExternInfo, type_name};
use super::value::WasmValue;
use std::sync::Arc;

/// A function of a store.
#[derive(Clone)]
pub struct WasmFunc {
    store: WasmStore,
    handle: u32,
    signature: Arc<Signature>,
}

impl WasmStore {
    /// The function of this handle.
    ///
    /// # Errors
    /// `FunctionNotFound` if there is none.
    pub fn func(&self, handle: u32) -> Result<WasmFunc, WasmError> {
        let signature = self.with(|store| {
            let entry = store.data().funcs.get(handle);
            let entry = entry.map_err(|error| WasmError::not_found(error.message))?;
            Ok(entry.signature.clone())
        })?;
        Ok(WasmFunc {
            store: self.clone(),
            handle,
            signature,
        })
    }
}

impl WasmFunc {
    /// Its number in the store.
    pub fn handle(&self) -> u32 {
        self.handle
    }

    /// Its type.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Its type, as data.
    pub fn info(&self) -> ExternInfo {
        let names = |types: &[wasmtime::ValType]| types.iter().map(type_name).collect();
        ExternInfo::Function {
            params: names(&self.signature.params),
            results: names(&self.signature.results),
        }
    }

    /// Calls it.
    ///
    /// # Errors
    /// `TypeMismatch` if the arguments do not fit its parameters; otherwise as
    /// [`WasmStore::call_frame`].
    pub fn call(&self, args: &[WasmValue]) -> Result<Outcome<Vec<WasmValue>>, WasmError> {
        let Signature {
            params, results, ..
        } = &*self.signature;
        if args.len() != params.len() {
            return Err(WasmError::mismatch(format!(
                "expected {} arguments, got {}",
                params.len(),
                args.len()
            )));
        }
        let mut frame = vec![ValRaw::u64(0); self.signature.slots()];
        for ((slot, arg), ty) in frame.iter_mut().zip(args).zip(params) {
            *slot = arg.to_slot(ty)?;
        }
        let called = self.store.call_frame(self.handle, &mut frame)?;
        let read = |(slot, ty)| WasmValue::from_slot(slot, ty);
        Ok(called.map(|()| frame.iter().zip(results).map(read).collect()))
    }
}
