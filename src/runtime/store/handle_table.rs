//! Numbers for the things in a store.

use std::collections::HashMap;

use crate::runtime::base::error::WasmError;

/// Things numbered from 0 in the order they were first met, each under one number only.
pub(crate) struct HandleTable<T> {
    /// What one of the things is called in messages.
    noun: &'static str,
    /// The most things that there may be.
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

    /// The number of the thing that `key` identifies, if it has one already.
    pub(crate) fn find(&self, key: u64) -> Option<u32> {
        self.by_key.get(&key).copied()
    }

    /// The number of the thing that `key` identifies in its store.
    ///
    /// # Errors
    /// `InstantiateError` if there are too many.
    pub(crate) fn intern(&mut self, key: u64, item: impl FnOnce() -> T) -> Result<u32, WasmError> {
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

    /// # Errors
    /// `InstantiateError` for a number that was never given.
    pub(crate) fn get(&self, number: u32) -> Result<&T, WasmError> {
        self.items.get(number as usize).ok_or_else(|| {
            WasmError::instantiate(format!("no {} of number {number} in the store", self.noun))
        })
    }
}
