//! The resources of a component that the host has handles of.

use slab::Slab;
use wasmtime::component::ResourceAny;

use crate::runtime::base::error::WasmError;

/// The resources of a component that the host has handles of, by number.
pub(crate) struct ComponentHandles {
    handles: Slab<Handle>,
    cap: u32,
}

struct Handle {
    any: ResourceAny,
    /// The number of its type among the resources of the component.
    resource: u32,
}

impl ComponentHandles {
    /// Makes an empty table for at most `cap` handles.
    pub(super) fn new(cap: u32) -> Self {
        Self {
            handles: Slab::new(),
            cap,
        }
    }

    /// Returns the resource with this number and of this type.
    ///
    /// # Errors
    /// `TypeMismatch` if there is none.
    pub(crate) fn get(&self, number: u32, resource: u32) -> Result<ResourceAny, WasmError> {
        match self.handles.get(number as usize) {
            Some(handle) if handle.resource == resource => Ok(handle.any),
            _ => Err(WasmError::mismatch(format!(
                "there is no handle {number} of such a resource"
            ))),
        }
    }

    /// Removes the handle with this number.
    pub(crate) fn take(&mut self, number: u32) -> Option<ResourceAny> {
        let handle = self.handles.try_remove(number as usize)?;
        Some(handle.any)
    }

    /// Adds a handle of a resource of this type, and returns its number.
    ///
    /// # Errors
    /// `RuntimeError` if there are too many.
    pub(crate) fn add(&mut self, any: ResourceAny, resource: u32) -> Result<u32, WasmError> {
        let cap = self.cap;
        if self.handles.len() >= cap as usize {
            return Err(WasmError::runtime(format!(
                "too many handles of resources: the cap is {cap} (max_references)"
            )));
        }
        // The cap is a 32-bit number.
        Ok(self.handles.insert(Handle { any, resource }) as u32)
    }
}
