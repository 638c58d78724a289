//! Ops on calls that the event loop does not wait for.
//!
//! `host:wasm` drives such a call: it waits for it to be ready, advances over what happened, and
//! answers for imports that returned promises, until it has ended.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use deno_core::{OpState, op2, v8};

use super::Bridge;
use super::crossing::{RETURNED, RUNNING, WAITING};
use super::import::Completion;
use super::scope::{self, Guest};
use crate::runtime::{CallOptions, Progress, RunningCall, Stop, WasmError, WasmErrorCode};

/// The calls of one `JsRuntime` that are under way, by number. When it goes they are given up.
#[derive(Default)]
pub struct Calls {
    calls: RefCell<HashMap<u32, Rc<RunningCall>>>,
    next: Cell<u32>,
}

impl Bridge {
    fn call(&self, call: u32) -> Result<Rc<RunningCall>, WasmError> {
        let found = self.calls.calls.borrow().get(&call).cloned();
        found.ok_or_else(WasmError::given_up)
    }

    /// Gives up the calls in a store, and forgets them.
    pub fn give_up_calls(&self, store: u32) {
        let Ok(store) = self.state.store(store) else {
            return;
        };
        self.calls.calls.borrow_mut().retain(|_, call| {
            let given_up = call.store().same(&store);
            if given_up {
                call.give_up();
            }
            !given_up
        });
    }
}

/// Starts a call of a function with its arguments in the frame, and returns its number. A negative
/// timeout is none.
///
/// # Errors
/// `RuntimeError` if the store is busy, too many calls run, or the stack has no room for what follows.
#[op2(nofast, reentrant)]
pub fn op_wasm_start_call(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    store: u32,
    func: u32,
    #[number] timeout_ms: i64,
    abortable: bool,
) -> Result<u32, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    if !bridge.crossing.has_room_to_start() {
        // Once the guest runs, nothing may fail for want of stack until JavaScript waits for it.
        return Err(WasmError::stack_exhausted());
    }
    let func = bridge.state.store(store)?.func(func)?;
    let slots = func.signature().slots();
    if func.store().is_at_rest() {
        // The guest runs from here on, and the memories are its own.
        bridge.crossing.views.detach_all(scope, func.store())?;
    }
    let options = CallOptions {
        timeout_ms: u64::try_from(timeout_ms).ok(),
        abortable,
    };
    let cap = bridge.state.capabilities().max_running_calls;
    if bridge.calls.calls.borrow().len() >= cap as usize {
        let message = format!("too many calls run at the same time: the cap is {cap}");
        return Err(WasmError::new(WasmErrorCode::RuntimeError, message));
    }
    let frame = bridge.crossing.frame.read(slots);
    let call = bridge
        .state
        .start_call(store, func.handle(), frame, options)?;
    let number = bridge.calls.next.get();
    bridge.calls.next.set(number.wrapping_add(1));
    let mut calls = bridge.calls.calls.borrow_mut();
    calls.insert(number, Rc::new(call));
    Ok(number)
}

/// Waits until there is something to advance over.
#[op2(reentrant)]
pub async fn op_wasm_call_ready(state: Rc<RefCell<OpState>>, call: u32) -> Result<(), WasmError> {
    let call = Bridge::of(&state).call(call)?;
    call.ready().await
}

/// Runs the import that the guest waits for, if it does. Returns whether the guest runs, waits, or
/// how it ended; then its results or what it threw are in the frame.
#[op2(nofast, reentrant)]
pub fn op_wasm_advance<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    call: u32,
    imports: v8::Local<'s, v8::Value>,
) -> Result<u32, WasmError> {
    let bridge = Bridge::of(&state);
    let call = bridge.call(call)?;
    let guest = Guest {
        imports,
        waits: true,
    };
    let outcome = match scope::enter(scope, &bridge.crossing, guest, || call.advance())? {
        Progress::Running => return Ok(RUNNING),
        Progress::Waiting => return Ok(WAITING),
        Progress::Ended(outcome) => outcome,
    };
    Ok(match bridge.crossing.ended(outcome) {
        Ok(frame) => {
            bridge.crossing.frame.write(&frame);
            RETURNED
        }
        Err(ended) => ended,
    })
}

/// Tells the guest, which waits, how the import ended: as `dispatch` does.
#[op2(nofast, reentrant)]
pub fn op_wasm_answer(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    call: u32,
    completion: u32,
) -> Result<(), WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let call = bridge.call(call)?;
    let crossing = &bridge.crossing;
    call.answer(|frame| {
        // The guest runs from here on, and the memories are its own.
        crossing
            .views
            .detach_all(scope, call.store())
            .map_err(Stop::Error)?;
        Completion::from_number(completion)?.read(crossing, frame)
    });
    Ok(())
}

/// Waits until the guest, which waits for an import, has to end, or waits no longer. Returns whether
/// it has to end.
#[op2(reentrant)]
pub async fn op_wasm_interrupted(
    state: Rc<RefCell<OpState>>,
    call: u32,
) -> Result<bool, WasmError> {
    let call = Bridge::of(&state).call(call)?;
    Ok(call.interrupted().await)
}

/// Whether a call that is under way has a deadline.
#[op2(nofast, reentrant)]
pub fn op_wasm_has_deadline(state: &mut OpState, call: u32) -> Result<bool, WasmError> {
    let call = state.borrow::<Rc<Bridge>>().call(call)?;
    Ok(call.has_deadline())
}

/// Has the guest end as soon as can be.
#[op2(fast)]
pub fn op_wasm_abort_call(state: &mut OpState, call: u32) {
    // It has ended already if it is gone.
    if let Ok(call) = state.borrow::<Rc<Bridge>>().call(call) {
        call.abort();
    }
}

/// Forgets a call, and gives it up if it is still under way.
#[op2(fast)]
pub fn op_wasm_end_call(state: &mut OpState, call: u32) {
    let bridge = state.borrow::<Rc<Bridge>>();
    let ended = bridge.calls.calls.borrow_mut().remove(&call);
    if let Some(call) = ended {
        call.give_up();
    }
}
