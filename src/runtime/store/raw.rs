//! Conversion between raw references of wasmtime and handles of the host.

use wasmtime::{AsContextMut, RootScope, StoreContextMut, Val, ValRaw, ValType};

use crate::runtime::base::error::WasmError;
use crate::runtime::base::value::{self, RefHandle};
use crate::runtime::store::StoreData;
use crate::runtime::store::references;

/// Replaces the handles in `frame` by raw references.
pub(super) fn lower(
    mut store: StoreContextMut<'_, StoreData>,
    frame: &mut [ValRaw],
    types: &[ValType],
) -> Result<(), WasmError> {
    let mut scope = RootScope::new(&mut store);
    let mut store = scope.as_context_mut();
    // Resolving a handle may collect garbage, which moves the objects that raw references point to. So all handles
    // are first resolved to rooted values, which are then converted to raw references without an allocation. The
    // other handles are resolved even if one fails, because a host value is reported as released only if a
    // reference held it.
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

/// Replaces the raw references in `frame`, which wasmtime has just written, by handles.
pub(super) fn lift(
    mut store: StoreContextMut<'_, StoreData>,
    frame: &mut [ValRaw],
    types: &[ValType],
) -> Result<(), WasmError> {
    let mut scope = RootScope::new(&mut store);
    let mut store = scope.as_context_mut();
    // Making a handle may collect garbage: see `lower`.
    let mut rooted = Vec::with_capacity(types.len());
    for (index, (slot, ty)) in frame.iter().zip(types).enumerate() {
        if value::number(slot, ty).is_none() {
            // SAFETY: wasmtime wrote this slot as a value of type `ty` of this store, and nothing has run since
            // that could have collected garbage.
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
