//! Tables, as the host reads and sets them.

use wasmtime::{AsContextMut, RootScope, StoreContextMut, Table, TableType, ValRaw, ValType};

use crate::runtime::base::error::WasmError;
use crate::runtime::base::types::ExternInfo;
use crate::runtime::objects::global::{ref_from_slot, to_slot};
use crate::runtime::objects::memory::refused;
use crate::runtime::store::{StoreData, WasmStore};

/// A table of a store.
#[derive(Clone)]
pub struct WasmTable {
    store: WasmStore,
    handle: u32,
}

impl WasmStore {
    /// A new table whose elements are what `slot` holds.
    ///
    /// # Errors
    /// `TypeMismatch` if the reference does not fit, `InstantiateError` if the type is invalid or
    /// the table would exceed the cap.
    pub fn new_table(&self, ty: TableType, slot: &ValRaw) -> Result<WasmTable, WasmError> {
        let handle = self.with(|mut store| {
            let mut scope = RootScope::new(&mut store);
            let mut store = scope.as_context_mut();
            let element = ValType::Ref(ty.element().clone());
            let init = ref_from_slot(store.as_context_mut(), slot, &element)?;
            store.data_mut().limits.take_refusal();
            let table = Table::new(&mut store, ty, init)
                .map_err(|error| refused(&mut store, "table", &error))?;
            store.data_mut().table_handle(table)
        })?;
        Ok(WasmTable {
            store: self.clone(),
            handle,
        })
    }

    /// The table of this handle.
    ///
    /// # Errors
    /// `InstantiateError` if there is none.
    pub fn table(&self, handle: u32) -> Result<WasmTable, WasmError> {
        self.with(|store| store.data().tables.get(handle).map(drop))?;
        Ok(WasmTable {
            store: self.clone(),
            handle,
        })
    }
}

impl StoreData {
    /// The number of `table`, the same each time for the same table.
    pub(crate) fn table_handle(&mut self, table: Table) -> Result<u32, WasmError> {
        self.tables.insert(table.debug_index_in_store(), || table)
    }
}

impl WasmTable {
    /// Its number in the store.
    pub fn handle(&self) -> u32 {
        self.handle
    }

    /// Its type, with the current size as the minimum.
    ///
    /// # Errors
    /// `RuntimeError` if the store is busy; so for every other method here.
    pub fn info(&self) -> Result<ExternInfo, WasmError> {
        self.with(|store, table| {
            let mut info = ExternInfo::table(&table.ty(&store));
            if let ExternInfo::Table { minimum, .. } = &mut info {
                *minimum = table.size(&store);
            }
            Ok(info)
        })
    }

    /// Its size in elements.
    pub fn size(&self) -> Result<u64, WasmError> {
        self.with(|store, table| Ok(table.size(&store)))
    }

    /// The element at `index`, as a slot that holds the bits of its handle.
    ///
    /// # Errors
    /// `MemoryError` if the index is out of bounds.
    pub fn get(&self, index: u64) -> Result<ValRaw, WasmError> {
        self.with(|mut store, table| {
            let mut scope = RootScope::new(&mut store);
            let mut store = scope.as_context_mut();
            let element = table
                .get(&mut store, index)
                .ok_or_else(|| out_of_bounds(index, table.size(&store)))?;
            to_slot(store, element.into())
        })
    }

    /// Sets the element at `index`.
    ///
    /// # Errors
    /// `TypeMismatch` if the reference does not fit, `MemoryError` if the index is out of bounds.
    pub fn set(&self, index: u64, slot: &ValRaw) -> Result<(), WasmError> {
        self.with(|mut store, table| {
            let mut scope = RootScope::new(&mut store);
            let mut store = scope.as_context_mut();
            let element = ValType::Ref(table.ty(&store).element().clone());
            let value = ref_from_slot(store.as_context_mut(), slot, &element)?;
            table
                .set(&mut store, index, value)
                .map_err(|_| out_of_bounds(index, table.size(&store)))
        })
    }

    /// Adds `delta` elements that are what `slot` holds, and returns how many there were before.
    ///
    /// # Errors
    /// `TypeMismatch` if the reference does not fit, `MemoryError` if the table's maximum or the
    /// cap does not allow that.
    pub fn grow(&self, delta: u64, slot: &ValRaw) -> Result<u64, WasmError> {
        self.with(|mut store, table| {
            let mut scope = RootScope::new(&mut store);
            let mut store = scope.as_context_mut();
            let element = ValType::Ref(table.ty(&store).element().clone());
            let value = ref_from_slot(store.as_context_mut(), slot, &element)?;
            table.grow(&mut store, delta, value).map_err(|_| {
                let now = table.size(&store);
                match store.data_mut().limits.take_refusal() {
                    Some(why) => WasmError::memory(format!("cannot grow the table: {why}")),
                    None => WasmError::memory(format!(
                        "cannot grow a table of {now} elements by {delta}"
                    )),
                }
            })
        })
    }

    fn with<R>(
        &self,
        f: impl FnOnce(StoreContextMut<'_, StoreData>, Table) -> Result<R, WasmError>,
    ) -> Result<R, WasmError> {
        self.store.with(|store| {
            let table = *store.data().tables.get(self.handle)?;
            f(store, table)
        })
    }
}

fn out_of_bounds(index: u64, size: u64) -> WasmError {
    WasmError::memory(format!("no element {index}: the table has {size} elements"))
}
