//! Ops on functions: their types, and synchronous calls.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use deno_core::{OpState, op2, v8};

use super::error::to_json;
use super::funcs::{self, Callable};
use super::import::JsImport;
use super::isolate::IsolateId;
use super::protocol::{FAILED, GROWN, RETURNED};
use super::scope::{self, StoreImports};
use super::state::Bridge;
use crate::runtime::{Outcome, Stopped, WasmError};

thread_local! {
    /// Status of the last call whose op could not return it.
    static STATUS: Cell<u32> = const { Cell::new(RETURNED) };
    /// Error of the last call that failed, and the isolate that made the call: the other runtimes of the thread must
    /// not see the message.
    static FAILURE: Cell<Option<(IsolateId, WasmError)>> = const { Cell::new(None) };
}

/// Has [`op_wasm_last_status`] return the status of a call.
pub(super) fn set_status(status: u32) {
    STATUS.set(status);
}

/// Has [`op_wasm_last_status`] throw an error in this isolate. Returns the status of a call that failed.
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
/// The error of the call, if it failed.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_last_status(isolate: &mut v8::Isolate) -> Result<u32, WasmError> {
    let status = STATUS.get();
    // JavaScript may have been terminated before it asked for the error of an earlier call.
    let failure = FAILURE
        .take()
        .filter(|(of, _)| status & !GROWN == FAILED && *of == IsolateId::of(isolate));
    failure.map_or(Ok(status), |(_, error)| Err(error))
}

/// The function of this number in the runtime of this isolate. If there is none, the status of a call that failed.
#[inline]
pub(super) fn callable(func: u32, isolate: &v8::Isolate) -> Result<Rc<Callable>, u32> {
    // Not an error, which is many times larger: it would take stack from calls that nest deeply.
    funcs::find(func, isolate).ok_or_else(|| missing(func, isolate))
}

#[cold]
#[inline(never)]
fn missing(func: u32, isolate: &v8::Isolate) -> u32 {
    fail(IsolateId::of(isolate), funcs::missing(func))
}

impl Callable {
    /// The status of a call that has ended.
    #[inline]
    pub(super) fn status(&self, called: Result<(), Stopped>) -> u32 {
        let status = match called {
            Ok(()) => RETURNED,
            Err(_) => self.stopped(called),
        };
        let grown = self.func.store().take_grown();
        if grown { status | GROWN } else { status }
    }

    #[cold]
    #[inline(never)]
    fn stopped(&self, called: Result<(), Stopped>) -> u32 {
        match Outcome::of(called) {
            Ok(outcome) => self.context.returned(outcome).err().unwrap_or(RETURNED),
            Err(error) => match self.context.isolate() {
                Some(isolate) => fail(isolate, error),
                None => FAILED,
            },
        }
    }

    /// Calls the function with its arguments in the frame, which its results replace. Returns the status.
    #[inline]
    pub(super) fn call(&self) -> u32 {
        self.status(self.func.call_slots(self.context.frame.slots()))
    }
}

/// Calls a function with its arguments in the frame, which its results replace. Returns the status. The store of the
/// function must not import functions of JavaScript: they could not run here.
///
/// An op that gets the `OpState`, or that can throw, spends a fifth of a call's time on that. This op does neither.
#[op2(fast)]
pub(crate) fn op_wasm_call(isolate: &mut v8::Isolate, func: u32) -> u32 {
    match callable(func, isolate) {
        Ok(callable) => callable.call(),
        Err(status) => status,
    }
}

/// As [`op_wasm_call`], for a function whose store may import functions of JavaScript.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_call_with_imports<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    func: u32,
    imports: v8::Local<'s, v8::Value>,
) -> u32 {
    let callable = match callable(func, scope) {
        Ok(callable) => callable,
        Err(status) => return status,
    };
    let imports = StoreImports::of_sync_call(imports);
    scope::enter(scope, &callable.context, imports, || callable.call())
}

/// The number by which a function is called.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_func_number(
    state: &mut OpState,
    store: u32,
    func: u32,
) -> Result<u32, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let func = bridge.state.store(store)?.func(func)?;
    bridge.funcs.add(store, func, bridge.context.clone())
}

/// The index among the imports of the store, if the function with this handle is a function of JavaScript's; otherwise
/// −1.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_func_import(
    state: &mut OpState,
    store: u32,
    func: u32,
) -> Result<i32, WasmError> {
    let store = state.borrow::<Rc<Bridge>>().state.store(store)?;
    let number = store.host_func_number(func)?;
    Ok(number.map_or(-1, |number| i32::try_from(number).unwrap_or(-1)))
}

/// Makes a function of a store that calls the JavaScript function at this index among the imports of the store. It has
/// the type of a function of another store of the same group. Returns its handle.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_new_host_function(
    state: &mut OpState,
    store: u32,
    index: u32,
    typed_store: u32,
    typed_func: u32,
) -> Result<u32, WasmError> {
    let state = &state.borrow::<Rc<Bridge>>().state;
    let typed = state.store(typed_store)?.func(typed_func)?;
    let host = JsImport::new(index, &typed.info());
    typed.host_twin(&state.store(store)?, Arc::new(host))
}

/// The type of a function, as JSON.
#[op2(reentrant)]
#[string]
pub(crate) fn op_wasm_func_type(
    state: &mut OpState,
    store: u32,
    func: u32,
) -> Result<String, WasmError> {
    let store = state.borrow::<Rc<Bridge>>().state.store(store)?;
    Ok(to_json(&store.func(func)?.info()))
}
