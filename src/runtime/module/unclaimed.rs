//! Modules that the host has compiled for scripts, and which no script has taken yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Code;
use crate::runtime::base::error::WasmError;

/// The code of modules that scripts take by a number. A script that never takes its module leaves it here, so there is
/// a cap.
pub(crate) struct UnclaimedModules {
    cap: u32,
    modules: Mutex<Numbered>,
}

#[derive(Default)]
struct Numbered {
    last: u32,
    codes: HashMap<u32, Arc<Code>>,
}

impl UnclaimedModules {
    /// Makes an empty collection for at most `cap` modules.
    pub(crate) fn new(cap: u32) -> Self {
        Self {
            cap,
            modules: Mutex::default(),
        }
    }

    /// Adds a module, and returns its number.
    ///
    /// # Errors
    /// `CompileError` if there are too many modules, or no numbers are left for them.
    pub(crate) fn add(&self, code: Arc<Code>) -> Result<u32, WasmError> {
        let modules = &mut *self.lock();
        if modules.codes.len() >= self.cap as usize {
            return Err(WasmError::compile(format!(
                "too many modules were loaded and not evaluated: the cap is {} (max_modules)",
                self.cap
            )));
        }
        let number = modules.last.checked_add(1);
        let number = number.ok_or_else(|| WasmError::compile("too many modules were loaded"))?;
        modules.last = number;
        modules.codes.insert(number, code);
        Ok(number)
    }

    /// Returns the module with this number.
    pub(crate) fn get(&self, number: u32) -> Option<Arc<Code>> {
        self.lock().codes.get(&number).cloned()
    }

    /// Removes the module with this number.
    pub(crate) fn remove(&self, number: u32) {
        let removed = self.lock().codes.remove(&number);
        // Freed after the collection is unlocked.
        drop(removed);
    }

    fn lock(&self) -> MutexGuard<'_, Numbered> {
        // No method panics with the lock.
        self.modules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
