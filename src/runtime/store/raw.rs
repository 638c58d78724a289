//! References between wasmtime's raw form and handles.

use wasmtime::{AsContextMut, RootScope, StoreContextMut, Val, ValRaw, ValType};

use crate::runtime::base::error::WasmError;
use crate::runtime::base::value::{self, RefHandle};
use crate::runtime::store::StoreData;
use crate::runtime::store::references;

/// Turns the handles in `frame` into raw references.
pub(super) fn lower(
    mut store: StoreContextMut<'_, StoreData>,
    frame: &mut [ValRaw],
    types: &[ValType],
) -> Result<(), WasmError> {
    let mut scope = RootScope::new(&mut store);
    let mut store = scope.as_context_mut();
    // Resolving may collect, which moves what raw references point at: all are resolved to
    // rooted values first, and made raw afterwards, which does not allocate. One that fails does
    // not keep the others from being resolved: a host's value is only ever reported as released
    // if a reference held it.
    let mut resolved = Vec::with_capacity(types.len());
    for (index, (slot, ty)) in frame.iter().zip(types).enumerate() {
        if let ValType::Ref(ty) = ty {
            let value = match RefHandle::from_bits(slot.get_u64()) {
                Some(handle) => references::resolve(store.as_context_mut(), handle, ty),
                None => Err(WasmError::mismatch("not a reference handle")),
            };
            resolved.push((index, value.map_err(|error| error.at(index))));
        }
    }
    for (index, value) in resolved {
        frame[index] = value?
            .to_raw(&mut store)
            .map_err(|error| WasmError::runtime(format!("{error:#}")))?;
    }
    Ok(())
}

/// Turns the raw references in `frame`, which wasmtime just wrote, into handles.
pub(super) fn lift(
    mut store: StoreContextMut<'_, StoreData>,
    frame: &mut [ValRaw],
    types: &[ValType],
) -> Result<(), WasmError> {
    let mut scope = RootScope::new(&mut store);
    let mut store = scope.as_context_mut();
    // Making a handle may collect: see `lower`.
    let mut rooted = Vec::with_capacity(types.len());
    for (index, (slot, ty)) in frame.iter().zip(types).enumerate() {
        if value::number(slot, ty).is_none() {
            // SAFETY: wasmtime wrote this slot as a value of type `ty` of this store, and
            // nothing ran since that could have collected.
            let value = unsafe { Val::from_raw(&mut store, *slot, ty.clone()) };
            rooted.push((index, value));
        }
    }
    for (index, value) in rooted {
        let handle = references::handle(store.as_context_mut(), &value)?;
        frame[index] = ValRaw::u64(handle.to_bits());
    }
    Ok(())
}
