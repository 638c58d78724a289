//! Guards that keep scripts from transferring the bytes of a memory.
//!
//! The `transfer` methods of `ArrayBuffer` move the bytes of one buffer to another. QuickJS frees or reallocates the
//! bytes, even where they are not its own. For the memories of its own WebAssembly, each JavaScript engine refuses the
//! transfer. So do these guards.

use std::rc::Rc;

use deno_core::{JsRuntime, OpState, op2, v8};

use super::memory_buffer;
use super::state::Bridge;
use crate::runtime::{WasmError, WasmErrorCode};

/// The number of guarded functions: three methods, and deno_core's copy of each.
const MAX_GUARDED: usize = 6;

/// Returns a function that calls `transfer`, except for the buffer of a memory: then it throws a `TypeError`. The
/// buffer is the receiver of the call, or, if `uncurried`, its first argument.
///
/// # Errors
/// `RuntimeError` if `host:wasm` has guarded all functions while it started.
#[op2(reentrant)]
pub(crate) fn op_wasm_guard_transfer<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    transfer: v8::Local<'s, v8::Function>,
    uncurried: bool,
) -> Result<v8::Local<'s, v8::Value>, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let mut functions = bridge.transfer_functions.borrow_mut();
    let number = functions.len();
    if number >= MAX_GUARDED {
        return Err(WasmError::new(
            WasmErrorCode::RuntimeError,
            "host:wasm has guarded the functions that transfer a buffer",
        ));
    }
    functions.push(v8::Global::new(scope, transfer));
    let builder = if uncurried {
        v8::Function::builder(transfer_argument)
    } else {
        v8::Function::builder(transfer_receiver)
    };
    // The data of the guard is a number, and not `transfer` itself: QuickJS's facade remembers by address which objects
    // are external pointers, and may take another object at the same address for one.
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
    transfer_unless_memory(scope, &args, returned, buffer);
}

fn transfer_argument(
    scope: &mut v8::PinScope<'_, '_>,
    args: v8::FunctionCallbackArguments<'_>,
    returned: v8::ReturnValue<'_, v8::Value>,
) {
    let buffer = args.get(0);
    transfer_unless_memory(scope, &args, returned, buffer);
}

fn transfer_unless_memory(
    scope: &mut v8::PinScope<'_, '_>,
    args: &v8::FunctionCallbackArguments<'_>,
    mut returned: v8::ReturnValue<'_, v8::Value>,
    buffer: v8::Local<'_, v8::Value>,
) {
    if memory_buffer::shows_memory(buffer) {
        let message = "the buffer of a WebAssembly memory cannot be transferred";
        return throw_type_error(scope, message);
    }
    let Some(transfer) = transfer_of(scope, args.data()) else {
        return throw_type_error(scope, "the guard has lost the function that transfers");
    };
    let all: Vec<v8::Local<'_, v8::Value>> = (0..args.length()).map(|i| args.get(i)).collect();
    if let Some(result) = transfer.call(scope, args.this().into(), &all) {
        returned.set(result);
    }
}

fn throw_type_error(scope: &mut v8::PinScope<'_, '_>, message: &str) {
    if let Some(message) = v8::String::new(scope, message) {
        let error = v8::Exception::type_error(scope, message);
        scope.throw_exception(error);
    }
}

/// The function behind the guard with this data.
fn transfer_of<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    data: v8::Local<'_, v8::Value>,
) -> Option<v8::Local<'s, v8::Function>> {
    let number = data.uint32_value(scope)?;
    let bridge = Bridge::of(&JsRuntime::op_state_from(scope));
    let functions = bridge.transfer_functions.borrow();
    let transfer = functions.get(number as usize)?;
    Some(v8::Local::new(scope, transfer))
}
