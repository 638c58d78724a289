//! The asynchronous calls of a `JsRuntime` that have not ended.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use crate::runtime::{RunningCall, WasmError, WasmStore};

/// The calls, by number. A call ends when it is dropped, as all do with their `JsRuntime`.
#[derive(Default)]
pub(crate) struct RunningCalls {
    calls: RefCell<HashMap<u32, Rc<RunningCall>>>,
    next: Cell<u32>,
}

impl RunningCalls {
    pub(crate) fn len(&self) -> usize {
        self.calls.borrow().len()
    }

    /// Adds a call and returns its number.
    pub(crate) fn add(&self, call: RunningCall) -> u32 {
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        self.calls.borrow_mut().insert(number, Rc::new(call));
        number
    }

    /// # Errors
    /// `RuntimeError` if the call of this number has ended.
    pub(crate) fn get(&self, number: u32) -> Result<Rc<RunningCall>, WasmError> {
        let found = self.calls.borrow().get(&number).cloned();
        found.ok_or_else(WasmError::given_up)
    }

    /// Ends the call of this number, if it has not ended.
    pub(crate) fn end(&self, number: u32) {
        let call = self.calls.borrow_mut().remove(&number);
        if let Some(call) = call {
            call.give_up();
        }
    }

    /// Ends the calls in a store.
    pub(crate) fn end_in(&self, store: &WasmStore) {
        self.calls.borrow_mut().retain(|_, call| {
            let ends = call.store().same(store);
            if ends {
                call.give_up();
            }
            !ends
        });
    }
}
