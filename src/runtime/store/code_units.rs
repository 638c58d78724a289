//! The functions that copy code units, in one store: see `engine::code_units`.

use wasmtime::{ArrayRef, ArrayRefPre, ArrayType, AsContextMut, FieldType, Instance, Module};
use wasmtime::{Mutability, RootScope, Rooted, StorageType, StoreContextMut, TypedFunc};

use crate::runtime::base::error::WasmError;
use crate::runtime::store::references::out_of_heap;
use crate::runtime::store::{Outcome, StoreData, outcome};

type Array = Rooted<ArrayRef>;

/// The maximum number of units of one copy. It takes twice as many bytes of the guests' heap.
const CHUNK: usize = 32 << 10;

/// The functions that copy code units, and the types of their arrays.
#[derive(Clone)]
pub(crate) struct CodeUnits {
    read: TypedFunc<(Array, u32, u32), Array>,
    write: TypedFunc<(Array, u32, Array), ()>,
    units: ArrayType,
    bytes: ArrayType,
}

impl CodeUnits {
    /// Returns the functions of a store. `module` is the code for its engine.
    pub(crate) fn of(
        store: &mut StoreContextMut<'_, StoreData>,
        module: &Module,
    ) -> Result<Self, WasmError> {
        if let Some(known) = &store.data().code_units {
            return Ok(known.clone());
        }
        let failed = |error: wasmtime::Error| WasmError::instantiate(format!("{error:#}"));
        let instance = Instance::new(&mut *store, module, &[]).map_err(failed)?;
        let array = |element| {
            let field = FieldType::new(Mutability::Var, element);
            ArrayType::new(module.engine(), field)
        };
        let made = Self {
            read: instance
                .get_typed_func(&mut *store, "read")
                .map_err(failed)?,
            write: instance
                .get_typed_func(&mut *store, "write")
                .map_err(failed)?,
            units: array(StorageType::I16),
            bytes: array(StorageType::I8),
        };
        store.data_mut().code_units = Some(made.clone());
        Ok(made)
    }

    /// Whether the functions take arrays of this type: not if a module defines the type together with others.
    pub(crate) fn take(&self, ty: &ArrayType) -> bool {
        ArrayType::eq(ty, &self.units)
    }

    /// Returns `count` units from index `start` on, as bytes. The array has to be long enough.
    ///
    /// # Errors
    /// As a call of a guest.
    pub(crate) fn read(
        &self,
        store: &mut StoreContextMut<'_, StoreData>,
        array: Array,
        start: u32,
        count: u32,
    ) -> Result<Vec<u8>, WasmError> {
        let mut copied = vec![0; 2 * count as usize];
        let mut start = start;
        for chunk in copied.chunks_mut(2 * CHUNK) {
            let mut scope = RootScope::new(&mut *store);
            let mut store = scope.as_context_mut();
            let count = (chunk.len() / 2) as u32;
            let called = self.read.call(&mut store, (array, start, count));
            let bytes = called.or_else(|error| ended(&mut store, &error))?;
            bytes
                .copy_to_i8_slice(&mut store, chunk)
                .map_err(out_of_heap)?;
            start += count;
        }
        Ok(copied)
    }

    /// Sets units from index `start` on. The array has to be long enough, and the number of bytes even.
    ///
    /// # Errors
    /// As a call of a guest.
    pub(crate) fn write(
        &self,
        store: &mut StoreContextMut<'_, StoreData>,
        array: Array,
        start: u32,
        units: &[u8],
    ) -> Result<(), WasmError> {
        let mut start = start;
        for chunk in units.chunks(2 * CHUNK) {
            let mut scope = RootScope::new(&mut *store);
            let mut store = scope.as_context_mut();
            let pre = ArrayRefPre::new(&mut store, self.bytes.clone());
            let bytes =
                ArrayRef::new_from_i8_slice(&mut store, &pre, chunk).map_err(out_of_heap)?;
            let called = self.write.call(&mut store, (array, start, bytes));
            called.or_else(|error| ended(&mut store, &error))?;
            start += (chunk.len() / 2) as u32;
        }
        Ok(())
    }
}

/// Returns the error of a call that did not return.
fn ended<T>(
    store: &mut StoreContextMut<'_, StoreData>,
    error: &wasmtime::Error,
) -> Result<T, WasmError> {
    outcome(store.as_context_mut(), error).and_then(Outcome::returned)
}
