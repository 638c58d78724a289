//! The handles by which the host names the objects of a store.

use std::collections::HashMap;

use crate::runtime::base::error::WasmError;

/// Objects by their handles, which count from 0 in the order in which the host first met the objects. An object has
/// one handle.
pub(crate) struct HandleTable<T> {
    /// The name of one object in messages.
    noun: &'static str,
    /// The most objects that there may be.
    cap: u32,
    items: Vec<T>,
    by_key: HashMap<u64, u32>,
}

impl<T> HandleTable<T> {
    pub(crate) fn new(noun: &'static str, cap: u32) -> Self {
        Self {
            noun,
            cap,
            items: Vec::new(),
            by_key: HashMap::new(),
        }
    }

    /// The handle of the object that `key` identifies in its store, if the object has one.
    pub(crate) fn find(&self, key: u64) -> Option<u32> {
        self.by_key.get(&key).copied()
    }

    /// The handle of the object that `key` identifies in its store: a new one for a new object.
    ///
    /// # Errors
    /// `InstantiateError` if there are as many objects as there may be.
    pub(crate) fn insert(&mut self, key: u64, item: impl FnOnce() -> T) -> Result<u32, WasmError> {
        if let Some(number) = self.find(key) {
            return Ok(number);
        }
        let number = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        if number >= self.cap {
            return Err(WasmError::instantiate(format!(
                "too many {}s of one store are known to the host: the cap is {}",
                self.noun, self.cap
            )));
        }
        self.items.push(item());
        self.by_key.insert(key, number);
        Ok(number)
    }

    /// The object of this handle.
    ///
    /// # Errors
    /// `InstantiateError` for a handle that no object has.
    pub(crate) fn get(&self, number: u32) -> Result<&T, WasmError> {
        self.items.get(number as usize).ok_or_else(|| {
            WasmError::instantiate(format!("no {} of number {number} in the store", self.noun))
        })
    }
}
