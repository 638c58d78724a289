//! Host access to arrays of 16-bit numbers, in which guests keep the code units of JavaScript's strings.

use wasmtime::{ArrayRef, AsContextMut, RootScope, Rooted, StoreContextMut, Val};

use crate::runtime::base::error::WasmError;
use crate::runtime::store::references::{any_object, out_of_heap};
use crate::runtime::store::{StoreData, WasmStore};

impl WasmStore {
    /// Returns the length of an array of mutable 16-bit numbers. `None` if the object with this number is another one.
    ///
    /// # Errors
    /// `RuntimeError` if the store is busy.
    pub fn array16_length(&self, object: u32) -> Result<Option<u32>, WasmError> {
        self.with(|mut store| {
            let mut scope = RootScope::new(&mut store);
            let mut store = scope.as_context_mut();
            let array = array16(&mut store, object)?;
            let length = array.map(|array| array.len(&store).map_err(out_of_heap));
            length.transpose()
        })
    }

    /// Returns the elements from index `start` to before `end`, as bytes in little-endian order.
    ///
    /// # Errors
    /// `TypeMismatch` if the object with this number is no array of mutable 16-bit numbers, `MemoryError` if an index is
    /// out of bounds, `RuntimeError` if the store is busy.
    pub fn read_array16(&self, object: u32, start: u32, end: u32) -> Result<Vec<u8>, WasmError> {
        self.with_array16(object, start, end, |mut store, array| {
            let mut bytes = Vec::with_capacity(2 * (end - start) as usize);
            for index in start..end {
                let unit = array.get(&mut store, index).map_err(out_of_heap)?;
                let unit = unit.i32().unwrap_or_default();
                bytes.extend_from_slice(&(unit as u16).to_le_bytes());
            }
            Ok(bytes)
        })
    }

    /// Sets the elements from index `start` on to `units`, which are bytes in little-endian order. A last odd byte is
    /// ignored.
    ///
    /// # Errors
    /// As [`WasmStore::read_array16`].
    pub fn write_array16(&self, object: u32, start: u32, units: &[u8]) -> Result<(), WasmError> {
        let (units, _) = units.as_chunks::<2>();
        let count = u32::try_from(units.len()).unwrap_or(u32::MAX);
        let end = start.saturating_add(count);
        self.with_array16(object, start, end, |mut store, array| {
            for (index, unit) in (start..).zip(units) {
                let value = Val::I32(u16::from_le_bytes(*unit).into());
                array.set(&mut store, index, value).map_err(out_of_heap)?;
            }
            Ok(())
        })
    }

    /// Runs `f` with an array that has the elements from `start` to before `end`.
    fn with_array16<R>(
        &self,
        object: u32,
        start: u32,
        end: u32,
        f: impl FnOnce(StoreContextMut<'_, StoreData>, Rooted<ArrayRef>) -> Result<R, WasmError>,
    ) -> Result<R, WasmError> {
        self.with(|mut store| {
            let mut scope = RootScope::new(&mut store);
            let mut store = scope.as_context_mut();
            let array = array16(&mut store, object)?.ok_or_else(|| {
                WasmError::mismatch("the object is no array of mutable 16-bit numbers")
            })?;
            let length = array.len(&store).map_err(out_of_heap)?;
            if start > end || end > length {
                return Err(WasmError::memory(format!(
                    "no elements {start} to {end}: the array has {length} elements"
                )));
            }
            f(store, array)
        })
    }
}

/// Returns the object with this number if it is an array of mutable 16-bit numbers.
fn array16(
    store: &mut StoreContextMut<'_, StoreData>,
    object: u32,
) -> Result<Option<Rooted<ArrayRef>>, WasmError> {
    let Some(any) = any_object(store, object) else {
        return Ok(None);
    };
    let Some(array) = any.as_array(&*store).map_err(out_of_heap)? else {
        return Ok(None);
    };
    let field = array.ty(&*store).map_err(out_of_heap)?.field_type();
    let is_array16 = field.element_type().is_i16() && field.mutability().is_var();
    Ok(is_array16.then_some(array))
}
