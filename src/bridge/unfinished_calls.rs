//! The calls of a `JsRuntime` that have not ended when the op that started them returns.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::rc::Rc;

use crate::runtime::{RunningCall, SuspendableCall, WasmError, WasmStore};

/// A call that has not ended.
#[derive(Clone)]
pub(crate) enum UnfinishedCall {
    /// Its guest runs beside JavaScript.
    Running(Rc<RunningCall>),
    /// Its guest runs only while JavaScript waits for it.
    Suspendable(Rc<SuspendableCall>),
}

impl UnfinishedCall {
    fn store(&self) -> &WasmStore {
        match self {
            Self::Running(call) => call.store(),
            Self::Suspendable(call) => call.store(),
        }
    }

    fn give_up(&self) {
        match self {
            Self::Running(call) => call.give_up(),
            Self::Suspendable(call) => call.give_up(),
        }
    }

    /// The calls of a store end in this order: a suspended call cannot end before those above it.
    fn order(&self) -> Reverse<u32> {
        Reverse(match self {
            Self::Running(_) => 0,
            Self::Suspendable(call) => call.depth(),
        })
    }

    /// Whether the call has a deadline.
    pub(crate) fn has_deadline(&self) -> bool {
        match self {
            Self::Running(call) => call.has_deadline(),
            Self::Suspendable(call) => call.has_deadline(),
        }
    }

    /// Waits until the guest has to end, or its import has ended. Returns `true` if it has to end.
    pub(crate) async fn interrupted(&self) -> bool {
        match self {
            Self::Running(call) => call.interrupted().await,
            Self::Suspendable(call) => call.interrupted().await,
        }
    }
}

/// The calls, by number. A call ends when it is dropped, as all do with their `JsRuntime`.
#[derive(Default)]
pub(crate) struct UnfinishedCalls {
    calls: RefCell<HashMap<u32, UnfinishedCall>>,
    next: Cell<u32>,
}

impl UnfinishedCalls {
    pub(crate) fn len(&self) -> usize {
        self.calls.borrow().len()
    }

    /// Adds a call and returns its number.
    pub(crate) fn add(&self, call: UnfinishedCall) -> u32 {
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        self.calls.borrow_mut().insert(number, call);
        number
    }

    /// # Errors
    /// `RuntimeError` if the call of this number has ended.
    pub(crate) fn get(&self, number: u32) -> Result<UnfinishedCall, WasmError> {
        let found = self.calls.borrow().get(&number).cloned();
        found.ok_or_else(WasmError::given_up)
    }

    /// The call of this number, which runs beside JavaScript.
    ///
    /// # Errors
    /// As [`UnfinishedCalls::get`].
    pub(crate) fn running(&self, number: u32) -> Result<Rc<RunningCall>, WasmError> {
        match self.get(number)? {
            UnfinishedCall::Running(call) => Ok(call),
            UnfinishedCall::Suspendable(_) => Err(WasmError::given_up()),
        }
    }

    /// The call of this number, which can be suspended.
    ///
    /// # Errors
    /// As [`UnfinishedCalls::get`].
    pub(crate) fn suspendable(&self, number: u32) -> Result<Rc<SuspendableCall>, WasmError> {
        match self.get(number)? {
            UnfinishedCall::Suspendable(call) => Ok(call),
            UnfinishedCall::Running(_) => Err(WasmError::given_up()),
        }
    }

    /// Ends the call of this number, if it has not ended, and the calls above it.
    pub(crate) fn end(&self, number: u32) {
        let Ok(ends) = self.get(number) else { return };
        if let UnfinishedCall::Suspendable(call) = &ends {
            self.end_where(|other| {
                other.store().same(call.store()) && other.order() < ends.order()
            });
        }
        self.calls.borrow_mut().remove(&number);
        ends.give_up();
    }

    /// Ends the calls in a store.
    pub(crate) fn end_in(&self, store: &WasmStore) {
        self.end_where(|call| call.store().same(store));
    }

    fn end_where(&self, ends: impl Fn(&UnfinishedCall) -> bool) {
        // Ended after the borrow.
        let mut ended: Vec<_> = {
            let mut calls = self.calls.borrow_mut();
            calls.extract_if(|_, call| ends(call)).collect()
        };
        ended.sort_by_key(|(_, call)| call.order());
        for (_, call) in ended {
            call.give_up();
        }
    }
}

impl Drop for UnfinishedCalls {
    fn drop(&mut self) {
        self.end_where(|_| true);
    }
}
