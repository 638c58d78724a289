//! Host access to exceptions of guests.

use wasmtime::{AsContextMut, ExnRef, ExnRefPre, ExnType, RootScope, ValRaw, ValType};

use crate::runtime::base::error::WasmError;
use crate::runtime::base::value::RefHandle;
use crate::runtime::objects::global::{from_slot, to_slot};
use crate::runtime::store::WasmStore;
use crate::runtime::store::host_function::host_tag;
use crate::runtime::store::references::{self, keep_exn};

impl WasmStore {
    /// Makes an exception with the tag of this handle. `payload` returns as many slots as the tag has parameters.
    ///
    /// # Errors
    /// `InstantiateError` if there is no such tag, `TypeMismatch` if a value does not fit its parameter, `RuntimeError`
    /// if the store is busy, or has no room for the exception.
    pub fn new_exception(
        &self,
        tag: u32,
        payload: impl FnOnce(usize) -> Vec<ValRaw>,
    ) -> Result<RefHandle, WasmError> {
        self.with(|mut store| {
            let tag = *store.data().tags.get(tag)?;
            let ty = tag.ty(&store);
            let params: Vec<ValType> = ty.ty().params().collect();
            let slots = payload(params.len());
            if slots.len() != params.len() {
                return Err(WasmError::mismatch("the payload has another length"));
            }
            let mut scope = RootScope::new(&mut store);
            let mut store = scope.as_context_mut();
            let mut values = Vec::with_capacity(params.len());
            for (index, (slot, ty)) in slots.iter().zip(&params).enumerate() {
                let value = from_slot(store.as_context_mut(), slot, ty);
                values.push(value.map_err(|error| error.at(index))?);
            }
            let ty = ExnType::from_tag_type(&ty).map_err(failed)?;
            let pre = ExnRefPre::new(&mut store, ty);
            let exn = ExnRef::new(&mut store, &pre, &tag, &values).map_err(failed)?;
            keep_exn(store, exn)
        })
    }

    /// Returns the handle of an exception's tag. `None` if the object with this number is no exception.
    ///
    /// # Errors
    /// `RuntimeError` if the store is busy or knows too many tags.
    pub fn exception_tag(&self, object: u32) -> Result<Option<u32>, WasmError> {
        self.with(|mut store| {
            let mut scope = RootScope::new(&mut store);
            let mut store = scope.as_context_mut();
            let Some(exn) = references::exception(&mut store, object) else {
                return Ok(None);
            };
            let tag = exn.tag(&mut store).map_err(failed)?;
            store.data_mut().tag_handle(tag).map(Some)
        })
    }

    /// Returns the payload of an exception as slots; references as the bits of their handles.
    ///
    /// # Errors
    /// `TypeMismatch` if the object with this number is no exception, `RuntimeError` if the store is busy, or the host
    /// holds too many references.
    pub fn read_exception(&self, object: u32) -> Result<Vec<ValRaw>, WasmError> {
        self.with(|mut store| {
            let mut scope = RootScope::new(&mut store);
            let mut store = scope.as_context_mut();
            let exn = references::exception(&mut store, object)
                .ok_or_else(|| WasmError::mismatch("the object is no exception"))?;
            let values: Vec<_> = exn.fields(&mut store).map_err(failed)?.collect();
            let slots = values.into_iter();
            slots
                .map(|value| to_slot(store.as_context_mut(), value))
                .collect()
        })
    }

    /// Returns the handle of the tag of exceptions that carry a value of the host: those that host functions
    /// [throw](crate::runtime::Stop::Throw). A guest that imports the tag can catch the values, and throw its own.
    ///
    /// # Errors
    /// `RuntimeError` if the store is busy; `InstantiateError` if it has too many tags.
    pub fn host_tag(&self) -> Result<u32, WasmError> {
        self.with(|mut store| {
            let tag = host_tag(&mut store, false).map_err(failed)?;
            store.data_mut().tag_handle(tag)
        })
    }
}

fn failed(error: wasmtime::Error) -> WasmError {
    WasmError::runtime(format!("the exception: {error:#}"))
}
