//! Ops on functions: what they are, and calls that their caller waits for.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{OpState, op2, v8};
use wasmtime::ValRaw;

use super::Bridge;
use super::scope::{self, Guest};
use crate::runtime::{ExternInfo, Outcome, RefHandle, Stopped, WasmError, WasmFunc};

/// How a run of guest code ended, as `host:wasm` is told. What was thrown is in the frame's
/// first slot.
pub(super) const RETURNED: u32 = 0;
const THREW: u32 = 1;
const EXCEPTION: u32 = 2;
const ABORTED: u32 = 3;
/// It has not ended: see `running`.
pub(super) const RUNNING: u32 = 4;
pub(super) const WAITING: u32 = 5;
/// Beside one of these: a memory of the store has grown since JavaScript was last told so.
pub(super) const GROWN: u32 = 8;

impl Bridge {
    /// Ends a run: leaves what was thrown in the frame. Returns what the run did, or how else it
    /// ended.
    #[inline]
    pub(super) fn ended<T>(&self, outcome: Outcome<T>) -> Result<T, u32> {
        let (ended, thrown) = match outcome {
            Outcome::Returned(value) => return Ok(value),
            Outcome::Threw(index) => (THREW, RefHandle::Host(index)),
            Outcome::Exception(handle) => (EXCEPTION, handle),
            Outcome::Aborted => (ABORTED, RefHandle::Null),
        };
        let slot = ValRaw::u64(thrown.to_bits());
        self.frame.write(&[slot]);
        Err(ended)
    }

    /// Ends a call. Returns how it ended.
    #[inline]
    pub(super) fn called(
        &self,
        func: &WasmFunc,
        called: Result<(), Stopped>,
    ) -> Result<u32, WasmError> {
        let ended = match called {
            Ok(()) => RETURNED,
            Err(_) => self.ended(Outcome::of(called)?).err().unwrap_or(RETURNED),
        };
        let grown = func.store().take_grown();
        Ok(if grown { ended | GROWN } else { ended })
    }

    /// Calls a function with its arguments in the frame. Returns how it ended.
    #[inline]
    pub(super) fn call_func(&self, func: &WasmFunc) -> Result<u32, WasmError> {
        self.called(func, func.call_slots(self.frame.slots()))
    }
}

/// Calls a function with its arguments in the frame, which its results replace. Returns how it
/// ended. The function's store has no functions of JavaScript, which could not run here.
#[op2(fast)]
pub fn op_wasm_call(state: Rc<RefCell<OpState>>, func: u32) -> Result<u32, WasmError> {
    Bridge::with(&state, |bridge| {
        let callable = bridge.funcs.get(func)?;
        bridge.call_func(&callable.func)
    })
}

/// As [`op_wasm_call`], of a function whose store may call JavaScript's.
#[op2(nofast, reentrant)]
pub fn op_wasm_call_with<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    func: u32,
    imports: v8::Local<'s, v8::Array>,
) -> Result<u32, WasmError> {
    Bridge::with(&state, |bridge| {
        let callable = bridge.funcs.get(func)?;
        let guest = Guest::of(imports);
        scope::enter(scope, bridge, guest, || bridge.call_func(&callable.func))
    })
}

/// The number by which a function is called.
#[op2(fast)]
pub fn op_wasm_func_number(state: &mut OpState, store: u32, func: u32) -> Result<u32, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let func = bridge.state.store(store)?.func(func)?;
    bridge.funcs.add(store, func)
}

/// The type of a function.
#[op2]
#[serde]
pub fn op_wasm_func_type(
    state: &mut OpState,
    store: u32,
    func: u32,
) -> Result<ExternInfo, WasmError> {
    let store = state.borrow::<Rc<Bridge>>().state.store(store)?;
    Ok(store.func(func)?.info())
}
