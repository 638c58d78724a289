//! Calls of functions of at most two numbers, which JavaScript need not put into the call frame.
//!
//! What takes the least time differs. V8 checks types in code that it has compiled, and hands over
//! doubles; to open a scope takes it as long as the call. To QuickJS, which interprets, each step of a
//! check in JavaScript costs as much as all of them here.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{OpState, op2, v8};
use wasmtime::ValRaw;

use super::Bridge;
use super::call::RETURNED;
use crate::runtime::WasmError;

/// The most arguments that such a call has.
const FEW: usize = 2;

/// Whether [`op_wasm_call_numbers`] checks its arguments, and may run JavaScript's functions.
#[op2(fast)]
pub fn op_wasm_call_numbers_checks() -> bool {
    cfg!(feature = "quickjs")
}

#[cfg(feature = "quickjs")]
pub use checked::op_wasm_call_numbers;
#[cfg(not(feature = "quickjs"))]
pub use unchecked::op_wasm_call_numbers;

#[cfg(not(feature = "quickjs"))]
mod unchecked {
    use super::super::call::GROWN;
    use super::*;

    /// Calls a function of at most two numbers that returns one, of a store that has no functions of
    /// JavaScript. What does not fit of a number is cut off.
    ///
    /// NaN means that it is told how the call ended, and that what came of it is in the frame.
    #[op2(fast)]
    pub fn op_wasm_call_numbers(
        state: Rc<RefCell<OpState>>,
        func: u32,
        _imports: v8::Local<'_, v8::Value>,
        first: f64,
        second: f64,
    ) -> Result<f64, WasmError> {
        Bridge::with(&state, |bridge| {
            let callable = bridge.funcs.get(func)?;
            let numbers = callable.numbers.as_ref();
            let Some((numbers, returned)) = numbers.and_then(|all| Some((all, all.result?))) else {
                return Err(WasmError::runtime("not a function of numbers"));
            };
            let mut slots = [ValRaw::u64(0); FEW];
            let args = [first, second];
            for ((slot, number), arg) in slots.iter_mut().zip(numbers.params()).zip(args) {
                *slot = number.slot_of(arg);
            }
            let called = callable.func.call_frame(&mut slots);
            let ended = bridge.called(&callable.func, called)?;
            let result = returned.double_of(&slots[0]);
            if ended & !GROWN == RETURNED {
                bridge.frame.write(&slots[..1]);
            }
            if ended == RETURNED && !result.is_nan() {
                return Ok(result);
            }
            bridge.frame.tell(ended);
            Ok(f64::NAN)
        })
    }
}

#[cfg(feature = "quickjs")]
mod checked {
    use std::cell::Cell;

    use super::super::number::Numbers;
    use super::super::scope::{self, Guest};
    use super::*;

    /// It never began: an argument is no number that fits.
    const MISFIT: u32 = 6;

    /// Calls a function of at most two numbers. Returns the result, or `undefined` if there is none.
    ///
    /// NaN means that it is told how the call ended, and that what came of it is in the frame.
    #[op2(reentrant)]
    pub fn op_wasm_call_numbers<'s>(
        scope: &mut v8::PinScope<'s, '_>,
        state: Rc<RefCell<OpState>>,
        func: u32,
        imports: v8::Local<'s, v8::Array>,
        first: v8::Local<'s, v8::Value>,
        second: v8::Local<'s, v8::Value>,
    ) -> Result<v8::Local<'s, v8::Value>, WasmError> {
        Bridge::with(&state, |bridge| {
            let callable = bridge.funcs.get(func)?;
            let slots = bridge.frame.slots();
            let ended = match &callable.numbers {
                Some(numbers) if fill(slots, numbers, [first, second]) => {
                    let guest = Guest::of(imports);
                    scope::enter(scope, bridge, guest, || bridge.call_func(&callable.func))?
                }
                _ => MISFIT,
            };
            let result = callable.numbers.as_ref().and_then(|numbers| numbers.result);
            let slot = slots[0].get();
            Ok(match result {
                None if ended == RETURNED => v8::undefined(scope).into(),
                Some(number) if ended == RETURNED && !number.double_of(&slot).is_nan() => {
                    number.value(scope, &slot)
                }
                _ => {
                    bridge.frame.tell(ended);
                    v8::Number::new(scope, f64::NAN).into()
                }
            })
        })
    }

    /// Puts arguments into slots. Returns whether there are enough of them, and all fit.
    fn fill(
        slots: &[Cell<ValRaw>],
        numbers: &Numbers,
        args: [v8::Local<'_, v8::Value>; FEW],
    ) -> bool {
        for (i, number) in numbers.params().iter().enumerate() {
            let Some(value) = args.get(i).and_then(|arg| number.slot(*arg)) else {
                return false;
            };
            slots[i].set(value);
        }
        true
    }
}
