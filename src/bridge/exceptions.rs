//! Ops on exceptions of guests. Their payloads pass through the call frame.

use std::rc::Rc;

use deno_core::{OpState, op2};

use super::objects::object_number;
use super::state::Bridge;
use crate::runtime::WasmError;

/// Makes an exception with this tag and the payload in the frame, and returns its number among the objects of the store.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_new_exception(
    state: &mut OpState,
    store: u32,
    tag: u32,
) -> Result<u32, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let store = bridge.state.store(store)?;
    let exception = store.new_exception(tag, |slots| bridge.context.frame.read(slots))?;
    object_number(exception)
}

/// The handle of an exception's tag; −1 if the object is no exception.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_exception_tag(
    state: &mut OpState,
    store: u32,
    object: u32,
) -> Result<i32, WasmError> {
    let store = state.borrow::<Rc<Bridge>>().state.store(store)?;
    let tag = store.exception_tag(object)?;
    Ok(tag.map_or(-1, |tag| i32::try_from(tag).unwrap_or(-1)))
}

/// Puts the payload of an exception into the frame.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_read_exception(
    state: &mut OpState,
    store: u32,
    object: u32,
) -> Result<(), WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let payload = bridge.state.store(store)?.read_exception(object)?;
    bridge.context.frame.write(&payload);
    Ok(())
}

/// The handle of the tag with which JavaScript's values are thrown.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_js_tag(state: &mut OpState, store: u32) -> Result<u32, WasmError> {
    state.borrow::<Rc<Bridge>>().state.store(store)?.host_tag()
}
