//! Keeps scripts from giving away the bytes of a memory.
//!
//! The methods of `ArrayBuffer` that transfer move the bytes of one buffer to another. QuickJS frees or
//! reallocates them, although they are not its own. A memory of the engine's own WebAssembly refuses, in any
//! JavaScript engine, and so do ours.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{JsRuntime, OpState, op2, v8};

use super::{Bridge, view};
use crate::runtime::{WasmError, WasmErrorCode};

/// How many functions are guarded: three methods, and deno_core's copy of each.
const MAX_GUARDED: usize = 6;

/// The functions that transfer, as the engine made them, by the number that the function has as its data which guards
/// it. The data is not the function itself: QuickJS's facade remembers by its address which object is an external
/// pointer, also when another object has that address.
#[derive(Default)]
pub struct Guarded(RefCell<Vec<v8::Global<v8::Function>>>);

/// A function that does what `transfer` does, unless that would transfer the bytes of a memory: then it throws
/// a `TypeError`. The buffer is the receiver, or, where `uncurried`, the first argument.
///
/// # Errors
/// `RuntimeError` if so many functions are guarded as `host:wasm` guards while it starts.
#[op2(reentrant)]
pub fn op_wasm_guard_transfer<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    transfer: v8::Local<'s, v8::Function>,
    uncurried: bool,
) -> Result<v8::Local<'s, v8::Value>, WasmError> {
    let mut guarded = state.borrow::<Rc<Bridge>>().guarded.0.borrow_mut();
    let number = guarded.len();
    if number >= MAX_GUARDED {
        return Err(WasmError::new(
            WasmErrorCode::RuntimeError,
            "host:wasm has guarded the functions that transfer a buffer",
        ));
    }
    guarded.push(v8::Global::new(scope, transfer));
    let builder = if uncurried {
        v8::Function::builder(transfer_argument)
    } else {
        v8::Function::builder(transfer_receiver)
    };
    let data = v8::Integer::new_from_unsigned(scope, number as u32);
    let function = builder.data(data.into()).build(scope);
    function
        .map(Into::into)
        .ok_or_else(|| WasmError::new(WasmErrorCode::RuntimeError, "the engine makes no function"))
}

fn transfer_receiver(
    scope: &mut v8::PinScope<'_, '_>,
    args: v8::FunctionCallbackArguments<'_>,
    returned: v8::ReturnValue<'_, v8::Value>,
) {
    let buffer = args.this().into();
    guarded(scope, &args, returned, buffer);
}

fn transfer_argument(
    scope: &mut v8::PinScope<'_, '_>,
    args: v8::FunctionCallbackArguments<'_>,
    returned: v8::ReturnValue<'_, v8::Value>,
) {
    let buffer = args.get(0);
    guarded(scope, &args, returned, buffer);
}

fn guarded(
    scope: &mut v8::PinScope<'_, '_>,
    args: &v8::FunctionCallbackArguments<'_>,
    mut returned: v8::ReturnValue<'_, v8::Value>,
    buffer: v8::Local<'_, v8::Value>,
) {
    if view::shows_memory(buffer) {
        let message = "the buffer of a WebAssembly memory cannot be transferred";
        if let Some(message) = v8::String::new(scope, message) {
            let error = v8::Exception::type_error(scope, message);
            scope.throw_exception(error);
        }
        return;
    }
    let Some(transfer) = transfer_of(scope, args.data()) else {
        return;
    };
    let all: Vec<v8::Local<'_, v8::Value>> = (0..args.length()).map(|i| args.get(i)).collect();
    if let Some(result) = transfer.call(scope, args.this().into(), &all) {
        returned.set(result);
    }
}

/// The function that is guarded by the one with this data.
fn transfer_of<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    data: v8::Local<'_, v8::Value>,
) -> Option<v8::Local<'s, v8::Function>> {
    let number = data.uint32_value(scope)?;
    let bridge = Bridge::of(&JsRuntime::op_state_from(scope));
    let guarded = bridge.guarded.0.borrow();
    let transfer = guarded.get(number as usize)?;
    Some(v8::Local::new(scope, transfer))
}
