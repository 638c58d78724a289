//! Calls of functions of at most two numbers, which TypeScript need not put into the call frame.
//!
//! The quickest way differs. Where the engine compiles JavaScript (V8), TypeScript checks that the arguments are
//! numbers and passes them as doubles: opening a scope in an op would take as long as the call. Where it interprets
//! JavaScript (QuickJS), a single step in TypeScript costs as much as all checks in the op.

use std::cell::Cell;

use deno_core::{op2, v8};
use wasmtime::ValRaw;

use super::call::{callable, set_status};
use super::numeric::NumericSignature;
use super::protocol::{GROWN, MISFIT, RETURNED};
use super::scope::{self, StoreImports};

/// The most arguments of such a call.
const MAX_ARGS: usize = 2;

/// Whether the engine compiles JavaScript to machine code.
#[op2(fast)]
pub(crate) fn op_wasm_has_jit() -> bool {
    !cfg!(feature = "quickjs")
}

/// Calls a function of at most two numbers that returns a number, in a store that imports no functions of JavaScript.
///
/// Returns the result. NaN means that `op_wasm_last_status` has the status of the call; if the call returned, the
/// result is in the frame.
#[op2(fast)]
pub(crate) fn op_wasm_call_doubles(
    isolate: &mut v8::Isolate,
    func: u32,
    first: f64,
    second: f64,
) -> f64 {
    call_doubles(isolate, func, [first, second]).unwrap_or_else(|status| {
        set_status(status);
        f64::NAN
    })
}

/// The result, or the status if the caller has to know it.
#[inline]
fn call_doubles(isolate: &v8::Isolate, func: u32, args: [f64; MAX_ARGS]) -> Result<f64, u32> {
    let callable = callable(func, isolate)?;
    let signature = callable.numeric.as_ref().ok_or(MISFIT)?;
    let result_type = signature.result.ok_or(MISFIT)?;
    if callable.func.store().has_host_funcs() {
        return Err(MISFIT);
    }
    let mut slots = [ValRaw::u64(0); MAX_ARGS];
    for ((slot, ty), arg) in slots.iter_mut().zip(signature.params()).zip(args) {
        *slot = ty.slot_of(arg).ok_or(MISFIT)?;
    }
    let called = callable.func.call_frame(&mut slots);
    let status = callable.status(called);
    let result = result_type.double_of(&slots[0]);
    if status == RETURNED && !result.is_nan() {
        return Ok(result);
    }
    if status & !GROWN == RETURNED {
        callable.context.frame.write(&slots[..1]);
    }
    Err(status)
}

/// Calls a function of at most two numbers that returns at most one number.
///
/// Returns the result, or `undefined` if the function has none. NaN means that `op_wasm_last_status` has the status of
/// the call; if the call returned, the result is in the frame.
#[op2(reentrant)]
pub(crate) fn op_wasm_call_numbers<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    func: u32,
    imports: v8::Local<'s, v8::Value>,
    first: v8::Local<'s, v8::Value>,
    second: v8::Local<'s, v8::Value>,
) -> v8::Local<'s, v8::Value> {
    let imports = StoreImports::of_sync_call(imports);
    call_numbers(scope, func, imports, [first, second]).unwrap_or_else(|status| {
        set_status(status);
        v8::Number::new(scope, f64::NAN).into()
    })
}

/// As [`call_doubles`].
fn call_numbers<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    func: u32,
    imports: StoreImports<'s>,
    args: [v8::Local<'s, v8::Value>; MAX_ARGS],
) -> Result<v8::Local<'s, v8::Value>, u32> {
    let callable = callable(func, scope)?;
    let slots = callable.context.frame.slots();
    let signature = callable.numeric.as_ref().ok_or(MISFIT)?;
    fill(slots, signature, args).ok_or(MISFIT)?;
    let status = scope::enter(scope, &callable.context, imports, || callable.call());
    let slot = slots[0].get();
    match signature.result {
        None if status == RETURNED => Ok(v8::undefined(scope).into()),
        Some(ty) if status == RETURNED && !ty.double_of(&slot).is_nan() => {
            Ok(ty.value(scope, &slot))
        }
        _ => Err(status),
    }
}

/// Puts arguments into slots; `None` if one is missing or does not fit.
fn fill(
    slots: &[Cell<ValRaw>],
    signature: &NumericSignature,
    args: [v8::Local<'_, v8::Value>; MAX_ARGS],
) -> Option<()> {
    for (i, ty) in signature.params().iter().enumerate() {
        slots[i].set(ty.slot(*args.get(i)?)?);
    }
    Some(())
}
