//! Ops on calls that can be suspended. Their guests run only while these ops do.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{OpState, op2, v8};
use wasmtime::ValRaw;

use super::call::callable;
use super::import::ImportResult;
use super::js_call_context::JsCallContext;
use super::protocol::{GROWN, RETURNED, WAITING};
use super::scope::{self, StoreImports, Waits};
use super::state::Bridge;
use super::unfinished_calls::UnfinishedCall;
use crate::runtime::{Turn, WasmError, WasmStore};

/// Calls a function with its arguments in the frame, until the call ends or is suspended, and returns the status. The
/// results, the thrown reference or the number of the suspended call are in the frame.
///
/// If a call runs in the store of the function, the guest cannot be suspended.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_start_suspendable_call<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    func: u32,
    imports: v8::Local<'s, v8::Value>,
) -> Result<u32, WasmError> {
    let bridge = Bridge::of(&state);
    let callable = match callable(func, scope) {
        Ok(callable) => callable,
        Err(status) => return Ok(status),
    };
    let context = &bridge.context;
    let slots = callable.func.signature().slots();
    let frame = context.frame.read(slots);
    let suspending = StoreImports {
        functions: imports,
        waits: Waits::Suspended,
    };
    let started = scope::enter(scope, context, suspending, || {
        bridge.state.start_suspendable_call(&callable.func, frame)
    })?;
    let Some((call, turn)) = started else {
        let imports = StoreImports::of_sync_call(imports);
        return Ok(scope::enter(scope, context, imports, || callable.call()));
    };
    let status = status_of(context, callable.func.store(), turn);
    if status & !GROWN == WAITING {
        let number = bridge.calls.add(UnfinishedCall::Suspendable(Rc::new(call)));
        context.frame.write(&[ValRaw::u32(number)]);
    }
    Ok(status)
}

/// Resumes a suspended call with the status of its import, as the import dispatcher returns it, and with the results or
/// the thrown reference in the frame. Returns the status of the call, as `op_wasm_start_suspendable_call` does.
///
/// # Errors
/// `RuntimeError` if another call of the store began later and has not ended.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_resume_call<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    call: u32,
    import_status: u32,
    imports: v8::Local<'s, v8::Value>,
) -> Result<u32, WasmError> {
    let bridge = Bridge::of(&state);
    let call = bridge.calls.suspendable(call)?;
    let context = &bridge.context;
    let imports = StoreImports {
        functions: imports,
        waits: Waits::Suspended,
    };
    let turn = scope::enter(scope, context, imports, || {
        call.resume(|frame| ImportResult::of_status(import_status)?.read(context, frame))
    })?;
    Ok(status_of(context, call.store(), turn))
}

/// The status of a call after a turn of its guest.
fn status_of(context: &JsCallContext, store: &WasmStore, turn: Turn) -> u32 {
    let status = match turn {
        Turn::Suspended => WAITING,
        Turn::Ended(outcome) => match context.returned(outcome) {
            Ok(frame) => {
                context.frame.write(&frame);
                RETURNED
            }
            Err(status) => status,
        },
    };
    if store.take_grown() {
        status | GROWN
    } else {
        status
    }
}
