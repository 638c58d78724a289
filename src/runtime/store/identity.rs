//! The identity of functions.
//!
//! An instance that exports or stores a function that it imports has another reference to it, at another address. The
//! host has to get the same handle for both.

use std::collections::HashMap;

use wasmtime::{AsContextMut, Func, StoreContextMut};

use crate::runtime::base::error::WasmError;
use crate::runtime::store::handle_table::HandleTable;
use crate::runtime::store::{FuncEntry, StoreData, WasmStore};

/// The functions of a store that have several references, and the host's own functions.
#[derive(Default)]
pub(crate) struct FuncIdentities {
    /// The original function, by the key of an instance's own reference to it.
    originals: HashMap<u64, Func>,
    /// The numbers of host functions that have one, by their keys.
    host_numbers: HashMap<u64, u32>,
}

/// Returns a key that identifies a reference to a function in its store.
fn key(store: impl AsContextMut<Data = StoreData>, func: &Func) -> u64 {
    func.to_raw(store).addr() as u64
}

impl StoreData {
    /// Returns the handle of `func`, which is the same each time.
    pub(crate) fn func_handle(
        mut store: StoreContextMut<'_, StoreData>,
        func: Func,
    ) -> Result<u32, WasmError> {
        let own_key = key(&mut store, &func);
        let funcs = &store.data().funcs;
        if let Some(number) = funcs.find(own_key) {
            return Ok(number);
        }
        let original = store.data().identities.originals.get(&own_key).copied();
        let Some(original) = original else {
            return add(store, own_key, func);
        };
        let original_key = key(&mut store, &original);
        let number = add(store.as_context_mut(), original_key, original)?;
        store.data_mut().funcs.add_key(own_key, number);
        Ok(number)
    }

    /// Records that `own` is an instance's own reference to the function `original`, which it imports.
    pub(crate) fn add_reexport(
        mut store: StoreContextMut<'_, StoreData>,
        own: &Func,
        original: &Func,
    ) {
        let own_key = key(&mut store, own);
        let original_key = key(&mut store, original);
        let originals = &mut store.data_mut().identities.originals;
        // The function may itself be a reference of the instance that exported it.
        let original = originals.get(&original_key).unwrap_or(original);
        let original = *original;
        if own_key != original_key {
            originals.insert(own_key, original);
        }
    }

    /// Records the number of a host function.
    pub(crate) fn add_host_func(
        mut store: StoreContextMut<'_, StoreData>,
        func: &Func,
        number: u32,
    ) {
        let key = key(&mut store, func);
        store.data_mut().identities.host_numbers.insert(key, number);
    }
}

/// Adds a function with this key, unless it has a handle. Returns its handle.
fn add(mut store: StoreContextMut<'_, StoreData>, key: u64, func: Func) -> Result<u32, WasmError> {
    let ty = func.ty(&store);
    let funcs: &mut HandleTable<FuncEntry> = &mut store.data_mut().funcs;
    funcs.insert(key, || FuncEntry::new(func, &ty))
}

impl WasmStore {
    /// Returns the [number](crate::runtime::HostFunction::number) of the host function with this handle. `None` if it is
    /// a function of a guest, or has no number.
    ///
    /// # Errors
    /// `FunctionNotFound` if there is no such function, `RuntimeError` if the store is busy.
    pub fn host_func_number(&self, handle: u32) -> Result<Option<u32>, WasmError> {
        let FuncEntry { func, .. } = self.func_entry(handle)?;
        self.with(|mut store| {
            let key = key(&mut store, &func);
            Ok(store.data().identities.host_numbers.get(&key).copied())
        })
    }
}
