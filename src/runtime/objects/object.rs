//! The kinds of guest objects that the host holds.

use wasmtime::{AnyRef, AsContextMut, I31, RootScope};

use crate::runtime::base::error::WasmError;
use crate::runtime::base::value::RefHandle;
use crate::runtime::store::WasmStore;
use crate::runtime::store::references::{self, keep_any, out_of_heap};

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

    /// Makes a 31-bit number, and returns its handle.
    ///
    /// # Errors
    /// `TypeMismatch` if the value has more bits, `RuntimeError` if the store is busy or the host holds too many objects.
    pub fn new_i31(&self, value: i32) -> Result<RefHandle, WasmError> {
        let number = I31::new_i32(value)
            .ok_or_else(|| WasmError::mismatch(format!("{value} has more than 31 bits")))?;
        self.with(|mut store| {
            let mut scope = RootScope::new(&mut store);
            let mut store = scope.as_context_mut();
            let any = AnyRef::from_i31(&mut store, number);
            keep_any(store, any)
        })
    }
}
