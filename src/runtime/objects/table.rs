//! Host access to tables.

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
    /// Makes a table with the reference in `slot` as all its elements.
    ///
    /// # Errors
    /// `TypeMismatch` if the reference does not fit, `InstantiateError` if the type is invalid or the table would
    /// exceed the cap.
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

    /// Returns the table with this handle.
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
    /// Returns the handle of `table`, which is the same each time.
    pub(crate) fn table_handle(&mut self, table: Table) -> Result<u32, WasmError> {
        self.tables.insert(table.debug_index_in_store(), || table)
    }
}

impl WasmTable {
    /// Returns the handle of the table in its store.
    pub fn handle(&self) -> u32 {
        self.handle
    }

    /// Returns the type of the table, with the current size as the minimum.
    ///
    /// # Errors
    /// `RuntimeError` if the store is busy. This applies to the other methods too.
    pub fn info(&self) -> Result<ExternInfo, WasmError> {
        self.with(|store, table| {
            let mut info = ExternInfo::table(&table.ty(&store));
            if let ExternInfo::Table { minimum, .. } = &mut info {
                *minimum = table.size(&store);
            }
            Ok(info)
        })
    }

    /// Returns the size in elements.
    pub fn size(&self) -> Result<u64, WasmError> {
        self.with(|store, table| Ok(table.size(&store)))
    }

    /// Returns the element at `index`, as a slot with the bits of its handle.
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

    /// Sets the element at `index` to the reference in `slot`.
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

    /// Adds `delta` elements with the reference in `slot`. Returns the previous number of elements.
    ///
    /// # Errors
    /// `TypeMismatch` if the reference does not fit, `MemoryError` if the table's maximum or the cap does not allow
    /// it.
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
