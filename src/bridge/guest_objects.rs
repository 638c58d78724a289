//! Ops on structs, arrays, 31-bit numbers and exceptions of guests, by their numbers among the objects of the store.

use std::rc::Rc;

use deno_core::{OpState, op2};
use wasmtime::ValRaw;

use super::memory_buffer;
use super::protocol::{
    OBJECT_ARRAY, OBJECT_EXCEPTION, OBJECT_HOST_VALUE, OBJECT_I31, OBJECT_STRUCT,
};
use super::state::Bridge;
use crate::runtime::{ObjectKind, WasmError};

/// The kind of an object. The value of a 31-bit number is then in the frame, as an i32.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_object_kind(
    state: &mut OpState,
    store: u32,
    object: u32,
) -> Result<u32, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    Ok(match bridge.state.store(store)?.object_kind(object)? {
        ObjectKind::Struct => OBJECT_STRUCT,
        ObjectKind::Array => OBJECT_ARRAY,
        ObjectKind::Exception => OBJECT_EXCEPTION,
        ObjectKind::HostValue => OBJECT_HOST_VALUE,
        ObjectKind::I31(value) => {
            bridge.context.frame.write(&[ValRaw::i32(value)]);
            OBJECT_I31
        }
    })
}

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
