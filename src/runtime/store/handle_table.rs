//! Handles of the host for the objects of a store.

use std::collections::HashMap;

use crate::runtime::base::error::WasmError;

/// Objects with their handles. Handles count from 0, in the order in which the host first got the objects. Each
/// object has one handle.
pub(crate) struct HandleTable<T> {
    /// The name of the kind of object, for messages.
    noun: &'static str,
    /// The maximum number of objects.
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

    /// Returns the number of handles.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns the handle of the object with this key, if it has one. The key identifies an object in its store.
    pub(crate) fn find(&self, key: u64) -> Option<u32> {
        self.by_key.get(&key).copied()
    }

    /// Checks that there is room for one more object.
    ///
    /// # Errors
    /// `InstantiateError` if there are too many objects.
    pub(crate) fn check_room(&self) -> Result<(), WasmError> {
        if self.items.len() < self.cap as usize {
            return Ok(());
        }
        Err(WasmError::instantiate(format!(
            "too many {}s of one store are known to the host: the cap is {}",
            self.noun, self.cap
        )))
    }

    /// Returns the handle of the object with this key, and adds the object if it is new.
    ///
    /// # Errors
    /// `InstantiateError` if there are too many objects.
    pub(crate) fn insert(&mut self, key: u64, item: impl FnOnce() -> T) -> Result<u32, WasmError> {
        if let Some(number) = self.find(key) {
            return Ok(number);
        }
        self.check_room()?;
        let number = self.items.len() as u32;
        self.items.push(item());
        self.by_key.insert(key, number);
        Ok(number)
    }

    /// Adds another key for the object with this handle.
    pub(crate) fn add_key(&mut self, key: u64, number: u32) {
        self.by_key.insert(key, number);
    }

    /// Returns the object with this handle.
    ///
    /// # Errors
    /// `InstantiateError` if no object has this handle.
    pub(crate) fn get(&self, number: u32) -> Result<&T, WasmError> {
        self.items.get(number as usize).ok_or_else(|| {
            WasmError::instantiate(format!("no {} of number {number} in the store", self.noun))
        })
    }
}
