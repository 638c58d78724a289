//! Ops on memories.

use std::rc::Rc;

use deno_core::{OpState, op2, v8};
use serde::Deserialize;
use wasmtime::MemoryTypeBuilder;

use super::{Bridge, view};
use crate::runtime::{ExternInfo, WasmError, WasmErrorCode, WasmMemory};

fn memory(state: &OpState, store: u32, memory: u32) -> Result<WasmMemory, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    bridge.state.store(store)?.memory(memory)
}

#[op2]
#[buffer]
pub fn op_wasm_read_memory(
    state: &mut OpState,
    store: u32,
    handle: u32,
    #[number] offset: u64,
    #[number] len: u64,
) -> Result<Vec<u8>, WasmError> {
    memory(state, store, handle)?.read_vec(offset, len)
}

#[op2(fast)]
pub fn op_wasm_write_memory(
    state: &mut OpState,
    store: u32,
    handle: u32,
    #[number] offset: u64,
    #[buffer(copy)] data: Vec<u8>,
) -> Result<(), WasmError> {
    memory(state, store, handle)?.write(offset, &data)
}

/// Grows a memory by pages and returns how many it had.
#[op2(fast)]
#[number]
pub fn op_wasm_grow_memory(
    state: &mut OpState,
    store: u32,
    handle: u32,
    #[number] pages: u64,
) -> Result<u64, WasmError> {
    memory(state, store, handle)?.grow(pages)
}

/// A memory's size in bytes.
#[op2(fast)]
#[number]
pub fn op_wasm_memory_length(
    state: &mut OpState,
    store: u32,
    handle: u32,
) -> Result<u64, WasmError> {
    Ok(memory(state, store, handle)?.byte_len()? as u64)
}

#[op2]
#[serde]
pub fn op_wasm_memory_type(
    state: &mut OpState,
    store: u32,
    handle: u32,
) -> Result<ExternInfo, WasmError> {
    memory(state, store, handle)?.info()
}

/// `MemoryType` of `host:wasm`, checked there.
#[derive(Deserialize)]
pub struct MemoryType {
    minimum: u64,
    maximum: Option<u64>,
    #[serde(default)]
    shared: bool,
    #[serde(default)]
    is64: bool,
}

#[op2]
pub fn op_wasm_new_memory(
    state: &mut OpState,
    store: u32,
    #[serde] ty: MemoryType,
) -> Result<u32, WasmError> {
    let ty = MemoryTypeBuilder::new()
        .min(ty.minimum)
        .max(ty.maximum)
        .shared(ty.shared)
        .memory64(ty.is64)
        .build()
        .map_err(|error| WasmError::new(WasmErrorCode::InstantiateError, format!("{error:#}")))?;
    let bridge = state.borrow::<Rc<Bridge>>();
    Ok(bridge.state.store(store)?.new_memory(ty)?.handle())
}

/// A buffer whose bytes are the memory's own. JavaScript detaches it when the memory grows or
/// goes; if it fails to, the buffer stays valid all the same, because it keeps the store from
/// being freed and memories do not move.
#[op2]
pub fn op_wasm_memory_view<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    store: u32,
    handle: u32,
) -> Result<v8::Local<'s, v8::Value>, WasmError> {
    view::buffer(scope, memory(state, store, handle)?.view()?)
}

/// Empties a buffer that shows what is not there any more.
#[op2(nofast)]
pub fn op_wasm_detach(buffer: v8::Local<'_, v8::ArrayBuffer>) {
    buffer.detach(None);
}
