//! Ops on functions: what they are, and calls that their caller waits for.

use std::cell::Cell;
use std::rc::Rc;

use deno_core::{OpState, op2, v8};

use super::Bridge;
use super::crossing::{FAILED, GROWN, IsolateId, RETURNED};
use super::error::to_json;
use super::funcs::{self, Callable};
use super::scope::{self, Guest};
use crate::runtime::{Outcome, Stopped, WasmError};

thread_local! {
    /// Status of the last call whose op could not return it.
    static STATUS: Cell<u32> = const { Cell::new(RETURNED) };
    /// Why the last call failed that did, and the isolate that made it: the other runtimes of the thread must
    /// not see what it says.
    static FAILURE: Cell<Option<(IsolateId, WasmError)>> = const { Cell::new(None) };
}

/// Has [`op_wasm_ended`] return the status of a call.
pub(super) fn set_status(status: u32) {
    STATUS.set(status);
}

/// Has [`op_wasm_ended`] throw an error, in this isolate. Returns the status of a call that failed.
#[cold]
#[inline(never)]
pub(super) fn fail(isolate: IsolateId, error: WasmError) -> u32 {
    FAILURE.set(Some((isolate, error)));
    set_status(FAILED);
    FAILED
}

/// Status of the last call whose op could not return it.
///
/// # Errors
/// Why the call failed, if it did.
#[op2(nofast, reentrant)]
pub fn op_wasm_ended(isolate: &mut v8::Isolate) -> Result<u32, WasmError> {
    let status = STATUS.get();
    // JavaScript may have been terminated before it could ask after another one.
    let failure = FAILURE
        .take()
        .filter(|(of, _)| status & !GROWN == FAILED && *of == IsolateId::of(isolate));
    failure.map_or(Ok(status), |(_, error)| Err(error))
}

/// The function of this number, of the runtime of this isolate, or the status of a call that finds none.
#[inline]
pub(super) fn callable(func: u32, isolate: &v8::Isolate) -> Result<Rc<Callable>, u32> {
    // An error is many times larger than both, and would take stack from calls that nest deeply.
    funcs::find(func, isolate).ok_or_else(|| missing(func, isolate))
}

#[cold]
#[inline(never)]
fn missing(func: u32, isolate: &v8::Isolate) -> u32 {
    fail(IsolateId::of(isolate), funcs::missing(func))
}

impl Callable {
    /// Ends a call. Returns how it ended.
    #[inline]
    pub(super) fn called(&self, called: Result<(), Stopped>) -> u32 {
        let ended = match called {
            Ok(()) => RETURNED,
            Err(_) => self.stopped(called),
        };
        let grown = self.func.store().take_grown();
        if grown { ended | GROWN } else { ended }
    }

    #[cold]
    #[inline(never)]
    fn stopped(&self, called: Result<(), Stopped>) -> u32 {
        match Outcome::of(called) {
            Ok(outcome) => self.crossing.ended(outcome).err().unwrap_or(RETURNED),
            Err(error) => match self.crossing.isolate() {
                Some(isolate) => fail(isolate, error),
                None => FAILED,
            },
        }
    }

    /// Calls the function with its arguments in the frame. Returns how it ended.
    #[inline]
    pub(super) fn call(&self) -> u32 {
        self.called(self.func.call_slots(self.crossing.frame.slots()))
    }
}

/// Calls a function with its arguments in the frame, which its results replace. Returns how it
/// ended. The function's store has no functions of JavaScript, which could not run here.
///
/// To come by a runtime's state, and to be ready to throw, takes an op a fifth of the time of a call:
/// this one has no part in either.
#[op2(fast)]
pub fn op_wasm_call(isolate: &mut v8::Isolate, func: u32) -> u32 {
    match callable(func, isolate) {
        Ok(callable) => callable.call(),
        Err(status) => status,
    }
}

/// As [`op_wasm_call`], of a function whose store may call JavaScript's.
#[op2(nofast, reentrant)]
pub fn op_wasm_call_with<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    func: u32,
    imports: v8::Local<'s, v8::Value>,
) -> u32 {
    let callable = match callable(func, scope) {
        Ok(callable) => callable,
        Err(status) => return status,
    };
    let guest = Guest::of(imports);
    scope::enter(scope, &callable.crossing, guest, || callable.call())
}

/// The number by which a function is called.
#[op2(nofast, reentrant)]
pub fn op_wasm_func_number(state: &mut OpState, store: u32, func: u32) -> Result<u32, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let func = bridge.state.store(store)?.func(func)?;
    bridge.funcs.add(store, func, bridge.crossing.clone())
}

/// The type of a function, as JSON.
#[op2(reentrant)]
#[string]
pub fn op_wasm_func_type(state: &mut OpState, store: u32, func: u32) -> Result<String, WasmError> {
    let store = state.borrow::<Rc<Bridge>>().state.store(store)?;
    Ok(to_json(&store.func(func)?.info()))
}
