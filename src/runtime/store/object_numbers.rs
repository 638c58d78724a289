//! The numbers of the guest objects that the host holds, by object.
//!
//! wasmtime's collector moves objects, and has no other name for an object than its place. So the places of the objects
//! are looked up again after each collection of garbage. A small object that nothing refers to shows that there was one:
//! it is collected then.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wasmtime::{AsContextMut, ExternRef, RootScope, StoreContextMut};

use crate::runtime::base::error::WasmError;
use crate::runtime::store::StoreData;
use crate::runtime::store::references::out_of_heap;

/// The numbers of objects, by place.
#[derive(Default)]
pub(super) struct ObjectNumbers {
    by_place: HashMap<u32, u32>,
    /// Whether garbage was collected since the places were looked up. `None` if they never were.
    collected: Option<Arc<AtomicBool>>,
}

/// The content of the object that shows when garbage is collected.
struct Sentinel(Arc<AtomicBool>);

impl Drop for Sentinel {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl ObjectNumbers {
    /// Whether no object has moved since the places were looked up.
    pub(super) fn are_current(&self) -> bool {
        let collected = self.collected.as_ref();
        collected.is_some_and(|collected| !collected.load(Ordering::Relaxed))
    }

    /// Forgets all places. Objects do not move until the next collection, after which the numbers are not
    /// [current](Self::are_current).
    pub(super) fn reset(&mut self, watch: CollectionWatch) {
        self.by_place.clear();
        self.collected = Some(watch.0);
    }

    /// Returns the number of the object at a place.
    pub(super) fn get(&self, place: u32) -> Option<u32> {
        self.by_place.get(&place).copied()
    }

    pub(super) fn insert(&mut self, place: u32, number: u32) {
        self.by_place.insert(place, number);
    }

    /// Forgets the number of an object that was at this place when the places were looked up.
    pub(super) fn remove(&mut self, place: u32, number: u32) {
        if self.get(place) == Some(number) {
            self.by_place.remove(&place);
        }
    }
}

/// Becomes true when garbage is collected.
pub(super) struct CollectionWatch(Arc<AtomicBool>);

impl CollectionWatch {
    /// Watches for collections from now on. May itself collect garbage before.
    ///
    /// # Errors
    /// `RuntimeError` if the guests' heap is full.
    pub(super) fn start(store: &mut StoreContextMut<'_, StoreData>) -> Result<Self, WasmError> {
        let collected = Arc::new(AtomicBool::new(false));
        // The root ends with the scope.
        let mut scope = RootScope::new(store);
        let sentinel = Sentinel(collected.clone());
        ExternRef::new(scope.as_context_mut(), sentinel).map_err(out_of_heap)?;
        Ok(Self(collected))
    }
}
