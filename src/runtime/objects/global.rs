//! Host access to globals.

use wasmtime::{AsContextMut, Global, GlobalType, Mutability, Ref, RootScope, Val, ValRaw};
use wasmtime::{StoreContextMut, ValType};

use crate::runtime::base::error::WasmError;
use crate::runtime::base::types::ExternInfo;
use crate::runtime::base::value::{self, RefHandle, WasmValue};
use crate::runtime::store::references;
use crate::runtime::store::{StoreData, WasmStore};

/// A global of a store.
#[derive(Clone)]
pub struct WasmGlobal {
    store: WasmStore,
    handle: u32,
}

impl WasmStore {
    /// Makes a global with the value in `slot`.
    ///
    /// # Errors
    /// `TypeMismatch` if a reference in `slot` does not fit the type.
    pub fn new_global(&self, ty: GlobalType, slot: &ValRaw) -> Result<WasmGlobal, WasmError> {
        let handle = self.with(|mut store| {
            let mut scope = RootScope::new(&mut store);
            let mut store = scope.as_context_mut();
            let value = from_slot(store.as_context_mut(), slot, ty.content())?;
            let global = Global::new(&mut store, ty, value)
                .map_err(|error| WasmError::instantiate(format!("{error:#}")))?;
            store.data_mut().global_handle(global)
        })?;
        Ok(WasmGlobal {
            store: self.clone(),
            handle,
        })
    }

    /// Returns the global with this handle.
    ///
    /// # Errors
    /// `InstantiateError` if there is none.
    pub fn global(&self, handle: u32) -> Result<WasmGlobal, WasmError> {
        self.with(|store| store.data().globals.get(handle).map(drop))?;
        Ok(WasmGlobal {
            store: self.clone(),
            handle,
        })
    }
}

impl StoreData {
    /// Returns the handle of `global`, which is the same each time.
    pub(crate) fn global_handle(&mut self, global: Global) -> Result<u32, WasmError> {
        self.globals
            .insert(global.debug_index_in_store(), || global)
    }
}

impl WasmGlobal {
    /// Returns the handle of the global in its store.
    pub fn handle(&self) -> u32 {
        self.handle
    }

    /// Returns the type of the global.
    ///
    /// # Errors
    /// `RuntimeError` if the store is busy. This applies to the other methods too.
    pub fn info(&self) -> Result<ExternInfo, WasmError> {
        self.with(|store, global| Ok(ExternInfo::global(&global.ty(&store))))
    }

    /// Returns the type of the value.
    pub fn content(&self) -> Result<ValType, WasmError> {
        self.with(|store, global| Ok(global.ty(&store).content().clone()))
    }

    /// Returns the value as a slot; a reference as the bits of its handle.
    pub fn get(&self) -> Result<ValRaw, WasmError> {
        self.with(|mut store, global| {
            let mut scope = RootScope::new(&mut store);
            let mut store = scope.as_context_mut();
            let value = global.get(&mut store);
            to_slot(store, value)
        })
    }

    /// Returns the value.
    pub fn value(&self) -> Result<WasmValue, WasmError> {
        Ok(WasmValue::from_slot(&self.get()?, &self.content()?))
    }

    /// Sets the value from a slot.
    ///
    /// # Errors
    /// `TypeMismatch` if the global is immutable, or a reference does not fit its type.
    pub fn set(&self, slot: &ValRaw) -> Result<(), WasmError> {
        self.with(|mut store, global| {
            let ty = global.ty(&store);
            if ty.mutability() == Mutability::Const {
                return Err(WasmError::mismatch("the global is immutable"));
            }
            let mut scope = RootScope::new(&mut store);
            let mut store = scope.as_context_mut();
            let value = from_slot(store.as_context_mut(), slot, ty.content())?;
            global
                .set(&mut store, value)
                .map_err(|error| WasmError::mismatch(format!("{error:#}")))
        })
    }

    fn with<R>(
        &self,
        f: impl FnOnce(StoreContextMut<'_, StoreData>, Global) -> Result<R, WasmError>,
    ) -> Result<R, WasmError> {
        self.store.with(|store| {
            let global = *store.data().globals.get(self.handle)?;
            f(store, global)
        })
    }
}

/// Returns the value in a slot of type `ty`.
pub(crate) fn from_slot(
    store: StoreContextMut<'_, StoreData>,
    slot: &ValRaw,
    ty: &ValType,
) -> Result<Val, WasmError> {
    match ty {
        ValType::Ref(ty) => {
            let handle = RefHandle::from_bits(slot.get_u64())
                .ok_or_else(|| WasmError::mismatch("not a reference handle"))?;
            references::resolve(store, handle, ty)
        }
        ty => value::number(slot, ty).ok_or_else(|| WasmError::mismatch("not a number type")),
    }
}

/// Returns a slot with `value`.
pub(crate) fn to_slot(
    store: StoreContextMut<'_, StoreData>,
    value: Val,
) -> Result<ValRaw, WasmError> {
    Ok(match value {
        Val::I32(value) => ValRaw::i32(value),
        Val::I64(value) => ValRaw::i64(value),
        Val::F32(bits) => ValRaw::f32(bits),
        Val::F64(bits) => ValRaw::f64(bits),
        Val::V128(value) => ValRaw::v128(value.into()),
        reference => ValRaw::u64(references::handle(store, &reference)?.to_bits()),
    })
}

/// Returns the reference in a slot of the reference type `ty`.
pub(crate) fn ref_from_slot(
    store: StoreContextMut<'_, StoreData>,
    slot: &ValRaw,
    ty: &ValType,
) -> Result<Ref, WasmError> {
    from_slot(store, slot, ty)?
        .ref_()
        .ok_or_else(|| WasmError::mismatch("not a reference"))
}
