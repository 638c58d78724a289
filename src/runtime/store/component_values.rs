//! The values of a component's calls, on their way between the component and the host.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime::component::Val;

use crate::runtime::codec::Lifted;
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

/// The same for values that cross by the codec.
#[derive(Default)]
struct Images {
    /// What came out of the component last.
    lifted: Lifted,
    /// The results of an import, which were checked.
    reply: Option<Vec<u8>>,
}

/// The place for [`ComponentValues`], and for values that cross by the codec. The guest's thread and the thread of the store
/// use it, one after the other.
#[derive(Default)]
pub(crate) struct ComponentMailbox {
    values: Mutex<ComponentValues>,
    images: Mutex<Images>,
}

impl ComponentMailbox {
    /// Puts values in place of the earlier ones.
    pub(crate) fn put(&self, values: ComponentValues) {
        *self.values() = values;
    }

    fn values(&self) -> MutexGuard<'_, ComponentValues> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts what came out of the component in place of what came before, and forgets the results of imports.
    pub(crate) fn put_lifted(&self, lifted: Lifted) {
        let mut images = self.images();
        images.lifted = lifted;
        images.reply = None;
    }

    fn images(&self) -> MutexGuard<'_, Images> {
        self.images.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ComponentValues {
    /// The same call with other values.
    pub(crate) fn with(self, values: Vec<Val>) -> Self {
        Self { values, ..self }
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

    /// Puts what came out of the component in place of what came before.
    pub(crate) fn put_lifted(&self, lifted: Lifted) {
        self.cell.component_values.put_lifted(lifted);
    }

    /// Takes the heap of what came out of the component last.
    pub(crate) fn take_component_heap(&self) -> Vec<u8> {
        std::mem::take(&mut self.cell.component_values.images().lifted.heap)
    }

    /// Takes the head of what came out of the component last.
    pub(crate) fn take_component_head(&self) -> Vec<u8> {
        std::mem::take(&mut self.cell.component_values.images().lifted.head)
    }

    /// Puts the results of the import that was called last, which were checked.
    pub(crate) fn put_reply(&self, image: Vec<u8>) {
        self.cell.component_values.images().reply = Some(image);
    }

    /// Takes the results of the import that was called last, if they were put.
    pub(crate) fn take_reply(&self) -> Option<Vec<u8>> {
        self.cell.component_values.images().reply.take()
    }

    /// Returns the number of the import that was called last and has not ended.
    pub(crate) fn called_import(&self) -> Option<u32> {
        self.cell.component_values.values().import
    }
}
