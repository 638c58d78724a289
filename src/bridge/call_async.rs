//! Ops on asynchronous calls.
//!
//! TypeScript drives such a call. It waits until the call is ready, advances it, and answers for imports that returned
//! promises, until the call has ended.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{OpState, op2, v8};

use super::funcs;
use super::import::ImportResult;
use super::protocol::{RETURNED, RUNNING, WAITING};
use super::scope::{self, StoreImports, Waits};
use super::state::Bridge;
use super::unfinished_calls::UnfinishedCall;
use crate::runtime::{CallOptions, Progress, Stop, WasmError};

/// The options of a call, from the numbers that ops get. A negative timeout stands for none.
pub(super) fn call_options(timeout_ms: i64, abortable: bool) -> CallOptions {
    CallOptions {
        timeout_ms: u64::try_from(timeout_ms).ok(),
        abortable,
    }
}

/// Starts a call of a function with its arguments in the frame, and returns the number of the call. A negative timeout
/// stands for none.
///
/// # Errors
/// `RuntimeError` if the store was dropped or is busy, too many calls run, or the stack has no room to go on after the
/// start.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_start_call(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    func: u32,
    #[number] timeout_ms: i64,
    abortable: bool,
) -> Result<u32, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    bridge.check_room_for_call()?;
    let callable = funcs::find(func, scope).ok_or_else(|| funcs::missing(func))?;
    let store = callable.func.store();
    if store.is_at_rest() {
        // From here on the guest runs, and only it may access the memories.
        bridge.context.views.detach_all(scope, store)?;
    }
    let options = call_options(timeout_ms, abortable);
    let slots = callable.func.signature().slots();
    let frame = bridge.context.frame.read(slots);
    let handle = callable.func.handle();
    let call = bridge
        .state
        .start_call(callable.store, handle, frame, options)?;
    Ok(bridge.calls.add(UnfinishedCall::Running(Rc::new(call))))
}

impl Bridge {
    /// Checks that one more asynchronous call can start.
    ///
    /// # Errors
    /// `RuntimeError` if too many calls run, or the stack has no room to go on after the start.
    pub(super) fn check_room_for_call(&self) -> Result<(), WasmError> {
        if !self.context.has_room_to_start() {
            // Once the guest runs, nothing may fail for want of stack until JavaScript waits for it.
            return Err(WasmError::stack_exhausted());
        }
        let cap = self.state.capabilities().max_running_calls;
        if self.calls.len() >= cap as usize {
            let message = format!("too many calls run at the same time: the cap is {cap}");
            return Err(WasmError::runtime(message));
        }
        Ok(())
    }
}

/// Resolves when there is something for `op_wasm_advance` to do.
#[op2(reentrant)]
pub(crate) async fn op_wasm_call_ready(
    state: Rc<RefCell<OpState>>,
    call: u32,
) -> Result<(), WasmError> {
    let call = Bridge::of(&state).calls.running(call)?;
    call.ready().await
}

/// Calls the import that the guest waits for, if it waits for one. Returns the status of the call; if the call has
/// ended, its results or the thrown reference are in the frame.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_advance<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    call: u32,
    imports: v8::Local<'s, v8::Value>,
) -> Result<u32, WasmError> {
    let bridge = Bridge::of(&state);
    let call = bridge.calls.running(call)?;
    let imports = StoreImports {
        functions: imports,
        waits: Waits::Beside,
    };
    let outcome = match scope::enter(scope, &bridge.context, imports, || call.advance())? {
        Progress::Running => return Ok(RUNNING),
        Progress::Waiting => return Ok(WAITING),
        Progress::Ended(outcome) => outcome,
    };
    Ok(match bridge.context.returned(outcome) {
        Ok(frame) => {
            bridge.context.frame.write(&frame);
            RETURNED
        }
        Err(status) => status,
    })
}

/// Gives a waiting guest the status of its import, as the import dispatcher returns it, with the results or the thrown
/// reference in the frame.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_answer(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    call: u32,
    status: u32,
) -> Result<(), WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let call = bridge.calls.running(call)?;
    let context = &bridge.context;
    call.answer(|frame| {
        // From here on the guest runs, and only it may access the memories.
        context
            .views
            .detach_all(scope, call.store())
            .map_err(Stop::Error)?;
        ImportResult::of_status(status)?.read(context, frame)
    });
    Ok(())
}

/// Resolves when a guest that waits for an import has to end (to `true`), or waits no longer (to `false`).
#[op2(reentrant)]
pub(crate) async fn op_wasm_interrupted(
    state: Rc<RefCell<OpState>>,
    call: u32,
) -> Result<bool, WasmError> {
    let call = Bridge::of(&state).calls.get(call)?;
    Ok(call.interrupted().await)
}

/// Whether a call has a deadline.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_has_deadline(state: &mut OpState, call: u32) -> Result<bool, WasmError> {
    let call = state.borrow::<Rc<Bridge>>().calls.get(call)?;
    Ok(call.has_deadline())
}

/// Has the guest of a call end as soon as possible.
#[op2(fast)]
pub(crate) fn op_wasm_abort_call(state: &mut OpState, call: u32) {
    // A call that is not found has ended.
    if let Ok(call) = state.borrow::<Rc<Bridge>>().calls.running(call) {
        call.abort();
    }
}

/// Ends a call if it has not ended, and forgets it.
#[op2(fast)]
pub(crate) fn op_wasm_end_call(state: &mut OpState, call: u32) {
    state.borrow::<Rc<Bridge>>().calls.end(call);
}
