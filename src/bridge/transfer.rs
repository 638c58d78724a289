//! Keeps scripts from giving away the bytes of a memory.
//!
//! The methods of `ArrayBuffer` that transfer move the bytes of one buffer to another. QuickJS frees or
//! reallocates them, although they are not its own. A memory of the engine's own WebAssembly refuses, in any
//! JavaScript engine, and so do ours.

use deno_core::{op2, v8};

use super::view;

/// A function that does what `transfer` does, unless that would transfer the bytes of a memory: then it throws
/// a `TypeError`. The buffer is the receiver, or, where `uncurried`, the first argument.
#[op2]
pub fn op_wasm_guard_transfer<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    transfer: v8::Local<'s, v8::Function>,
    uncurried: bool,
) -> Option<v8::Local<'s, v8::Function>> {
    let builder = if uncurried {
        v8::Function::builder(transfer_argument)
    } else {
        v8::Function::builder(transfer_receiver)
    };
    builder.data(transfer.into()).build(scope)
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
    let Ok(transfer) = v8::Local::<v8::Function>::try_from(args.data()) else {
        return;
    };
    let all: Vec<v8::Local<'_, v8::Value>> = (0..args.length()).map(|i| args.get(i)).collect();
    if let Some(result) = transfer.call(scope, args.this().into(), &all) {
        returned.set(result);
    }
}
