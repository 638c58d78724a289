//! The values of a component's calls, on their way between the component and the host.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime::component::Val;

use crate::runtime::store::WasmStore;

/// The values of the last call of an import that has not ended, or of the last asynchronous call that has ended.
///
/// They do not fit into the call frame. A store has one component instance at most, which runs one call at a time, so
/// there is one place for all of its calls.
#[derive(Default)]
pub(crate) struct ComponentValues {
    /// The number of the import that was called. `None` if the values are results of the component.
    pub(crate) import: Option<u32>,
    /// The arguments of the import, then its results.
    pub(crate) values: Vec<Val>,
}

/// The place for [`ComponentValues`]. The guest's thread and the thread of the store use it, one after the other.
#[derive(Default)]
pub(crate) struct ComponentMailbox(Mutex<ComponentValues>);

impl ComponentMailbox {
    /// Puts values in place of the earlier ones.
    pub(crate) fn put(&self, values: ComponentValues) {
        *self.values() = values;
    }

    fn values(&self) -> MutexGuard<'_, ComponentValues> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WasmStore {
    /// Returns the place for the values, which can be sent to the guest's thread.
    pub(crate) fn component_mailbox(&self) -> Arc<ComponentMailbox> {
        self.cell.component_values.clone()
    }

    /// Puts values in place of the earlier ones.
    pub(crate) fn put_component_values(&self, values: ComponentValues) {
        self.cell.component_values.put(values);
    }

    /// Takes the values.
    pub(crate) fn take_component_values(&self) -> ComponentValues {
        std::mem::take(&mut *self.cell.component_values.values())
    }

    /// Returns the number of the import that was called last and has not ended.
    pub(crate) fn called_import(&self) -> Option<u32> {
        self.cell.component_values.values().import
    }
}
