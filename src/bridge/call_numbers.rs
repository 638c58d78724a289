//! Calls of functions of at most two numbers, which JavaScript need not put into the call frame.
//!
//! What takes the least time differs. Engines that compile find out in JavaScript whether something is a
//! number, and hand over doubles; to open a scope takes V8 as long as the call. Where JavaScript is
//! interpreted, each step in it costs as much as all of them here.

use std::cell::Cell;

use deno_core::{op2, v8};
use wasmtime::ValRaw;

use super::call::{callable, set_status};
use super::crossing::{GROWN, MISFIT, RETURNED};
use super::number::Numbers;
use super::scope::{self, Guest};

/// The most arguments that such a call has.
const FEW: usize = 2;

/// Whether the engine compiles JavaScript that runs often.
#[op2(fast)]
pub fn op_wasm_compiles() -> bool {
    !cfg!(feature = "quickjs")
}

/// Calls a function of at most two numbers that returns one, of a store that has no functions of
/// JavaScript.
///
/// NaN means that `op_wasm_ended` tells how the call ended, whose result is in the frame if it returned.
#[op2(fast)]
pub fn op_wasm_call_doubles(isolate: &mut v8::Isolate, func: u32, first: f64, second: f64) -> f64 {
    call_doubles(isolate, func, [first, second]).unwrap_or_else(|ended| {
        set_status(ended);
        f64::NAN
    })
}

/// Returns the result, or how the call ended if that is not all there is to tell.
#[inline]
fn call_doubles(isolate: &v8::Isolate, func: u32, args: [f64; FEW]) -> Result<f64, u32> {
    let callable = callable(func, isolate)?;
    let numbers = callable.numbers.as_ref().ok_or(MISFIT)?;
    let returned = numbers.result.ok_or(MISFIT)?;
    if callable.func.store().has_host_funcs() {
        return Err(MISFIT);
    }
    let mut slots = [ValRaw::u64(0); FEW];
    for ((slot, number), arg) in slots.iter_mut().zip(numbers.params()).zip(args) {
        *slot = number.slot_of(arg).ok_or(MISFIT)?;
    }
    let called = callable.func.call_frame(&mut slots);
    let ended = callable.called(called);
    let result = returned.double_of(&slots[0]);
    if ended == RETURNED && !result.is_nan() {
        return Ok(result);
    }
    if ended & !GROWN == RETURNED {
        callable.crossing.frame.write(&slots[..1]);
    }
    Err(ended)
}

/// Calls a function of at most two numbers. Returns the result, or `undefined` if there is none.
///
/// NaN means that `op_wasm_ended` tells how the call ended, whose result is in the frame if it returned.
#[op2(reentrant)]
pub fn op_wasm_call_numbers<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    func: u32,
    imports: v8::Local<'s, v8::Value>,
    first: v8::Local<'s, v8::Value>,
    second: v8::Local<'s, v8::Value>,
) -> v8::Local<'s, v8::Value> {
    call_numbers(scope, func, Guest::of(imports), [first, second]).unwrap_or_else(|ended| {
        set_status(ended);
        v8::Number::new(scope, f64::NAN).into()
    })
}

/// As [`call_doubles`].
fn call_numbers<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    func: u32,
    guest: Guest<'s>,
    args: [v8::Local<'s, v8::Value>; FEW],
) -> Result<v8::Local<'s, v8::Value>, u32> {
    let callable = callable(func, scope)?;
    let slots = callable.crossing.frame.slots();
    let numbers = callable.numbers.as_ref().ok_or(MISFIT)?;
    fill(slots, numbers, args).ok_or(MISFIT)?;
    let ended = scope::enter(scope, &callable.crossing, guest, || callable.call());
    let slot = slots[0].get();
    match numbers.result {
        None if ended == RETURNED => Ok(v8::undefined(scope).into()),
        Some(number) if ended == RETURNED && !number.double_of(&slot).is_nan() => {
            Ok(number.value(scope, &slot))
        }
        _ => Err(ended),
    }
}

/// Puts arguments into slots, if there are enough of them and all fit.
fn fill(
    slots: &[Cell<ValRaw>],
    numbers: &Numbers,
    args: [v8::Local<'_, v8::Value>; FEW],
) -> Option<()> {
    for (i, number) in numbers.params().iter().enumerate() {
        slots[i].set(number.slot(*args.get(i)?)?);
    }
    Some(())
}
