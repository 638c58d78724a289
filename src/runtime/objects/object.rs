//! The kinds of guest objects that the host holds.

use wasmtime::{AsContextMut, RootScope};

use crate::runtime::base::error::WasmError;
use crate::runtime::store::WasmStore;
use crate::runtime::store::references::{self, out_of_heap};

/// The kind of a guest object that the host holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ObjectKind {
    /// A struct.
    Struct,
    /// An array.
    Array,
    /// A 31-bit number, with its value.
    I31(i32),
    /// An exception.
    Exception,
    /// A value of the host that a guest has converted to an `anyref`, in a store without a group.
    HostValue,
}

impl WasmStore {
    /// Returns the kind of the object with this number.
    ///
    /// # Errors
    /// `TypeMismatch` if the host holds no such object, `RuntimeError` if the store is busy.
    pub fn object_kind(&self, object: u32) -> Result<ObjectKind, WasmError> {
        self.with(|mut store| {
            let mut scope = RootScope::new(&mut store);
            let mut store = scope.as_context_mut();
            if references::exception(&mut store, object).is_some() {
                return Ok(ObjectKind::Exception);
            }
            let any = references::any_object(&mut store, object)
                .ok_or_else(|| WasmError::mismatch("no object of this number in the store"))?;
            if let Some(number) = any.as_i31(&store).map_err(out_of_heap)? {
                return Ok(ObjectKind::I31(number.get_i32()));
            }
            Ok(if any.is_struct(&store).map_err(out_of_heap)? {
                ObjectKind::Struct
            } else if any.is_array(&store).map_err(out_of_heap)? {
                ObjectKind::Array
            } else {
                ObjectKind::HostValue
            })
        })
    }
}
