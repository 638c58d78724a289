//! Ops on arrays of guests, by their numbers among the objects of the store.

use std::rc::Rc;

use deno_core::{OpState, op2};

use super::memory_buffer;
use super::state::Bridge;
use crate::runtime::WasmError;

/// The length of an array of mutable 16-bit numbers; −1 if the object is another one.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_array16_length(
    state: &mut OpState,
    store: u32,
    object: u32,
) -> Result<i32, WasmError> {
    let store = state.borrow::<Rc<Bridge>>().state.store(store)?;
    let length = store.array16_length(object)?;
    Ok(length.map_or(-1, |length| i32::try_from(length).unwrap_or(i32::MAX)))
}

/// A copy of the elements from index `start` to before `end` of an array of mutable 16-bit numbers, in little-endian
/// order.
#[op2(reentrant)]
#[buffer]
pub(crate) fn op_wasm_read_array16(
    state: &mut OpState,
    store: u32,
    object: u32,
    start: u32,
    end: u32,
) -> Result<Vec<u8>, WasmError> {
    memory_buffer::check_len(2 * u64::from(end.saturating_sub(start)), "a copy")?;
    let bridge = state.borrow::<Rc<Bridge>>();
    bridge.state.read_array16(store, object, start, end)
}

/// Sets the elements from index `start` on of an array of mutable 16-bit numbers, to numbers in little-endian order.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_write_array16(
    state: &mut OpState,
    store: u32,
    object: u32,
    start: u32,
    #[buffer] units: &[u8],
) -> Result<(), WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    bridge.state.write_array16(store, object, start, units)
}
