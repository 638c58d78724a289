//! Host access to arrays of 16-bit numbers, in which guests keep the code units of JavaScript's strings.

use wasmtime::{ArrayRef, AsContextMut, Module, RootScope, Rooted, StoreContextMut, Val};

use crate::runtime::base::error::WasmError;
use crate::runtime::store::references::{any_object, out_of_heap};
use crate::runtime::store::{CodeUnits, StoreData, WasmStore};

/// The number of elements up to which they are copied one by one.
const FEW: u32 = 16;

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

    /// Returns the elements from index `start` to before `end`, as bytes in little-endian order. `code` is the code that
    /// copies code units, for the engine of the store.
    ///
    /// # Errors
    /// `TypeMismatch` if the object with this number is no array of mutable 16-bit numbers, `MemoryError` if an index is
    /// out of bounds, `RuntimeError` if the store is busy or the heap of its guests is full, `FuelExhausted` if the fuel
    /// ran out.
    pub(crate) fn read_array16(
        &self,
        code: &Module,
        object: u32,
        start: u32,
        end: u32,
    ) -> Result<Vec<u8>, WasmError> {
        self.with_array16(code, object, start, end, |store, array, units| {
            if let Some(units) = units {
                return units.read(store, array, start, end - start);
            }
            let mut bytes = Vec::new();
            for index in start..end {
                let unit = array.get(&mut *store, index).map_err(out_of_heap)?;
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
    pub(crate) fn write_array16(
        &self,
        code: &Module,
        object: u32,
        start: u32,
        units: &[u8],
    ) -> Result<(), WasmError> {
        let (pairs, _) = units.as_chunks::<2>();
        let count = u32::try_from(pairs.len()).unwrap_or(u32::MAX);
        let end = start.saturating_add(count);
        self.with_array16(code, object, start, end, |store, array, units| {
            if let Some(units) = units {
                return units.write(store, array, start, pairs.as_flattened());
            }
            for (index, unit) in (start..).zip(pairs) {
                let value = Val::I32(u16::from_le_bytes(*unit).into());
                array.set(&mut *store, index, value).map_err(out_of_heap)?;
            }
            Ok(())
        })
    }

    /// Runs `f` with an array that has the elements from `start` to before `end`, and with the functions to copy them
    /// if they are many.
    fn with_array16<R>(
        &self,
        code: &Module,
        object: u32,
        start: u32,
        end: u32,
        f: impl FnOnce(
            &mut StoreContextMut<'_, StoreData>,
            Rooted<ArrayRef>,
            Option<CodeUnits>,
        ) -> Result<R, WasmError>,
    ) -> Result<R, WasmError> {
        self.run(|mut store| {
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
            if end - start <= FEW {
                return f(&mut store, array, None);
            }
            let units = CodeUnits::of(&mut store, code)?;
            let ty = array.ty(&store).map_err(out_of_heap)?;
            let units = units.take(&ty).then_some(units);
            f(&mut store, array, units)
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
