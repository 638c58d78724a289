//! Ops on memories.

use std::rc::Rc;

use deno_core::{OpState, op2, v8};
use wasmtime::MemoryTypeBuilder;

use super::error::to_json;
use super::memory_buffer;
use super::state::Bridge;
use crate::runtime::{WasmError, WasmErrorCode, WasmMemory};

fn memory(state: &OpState, store: u32, memory: u32) -> Result<WasmMemory, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    bridge.state.store(store)?.memory(memory)
}

/// A copy of bytes of a memory.
#[op2(reentrant)]
#[buffer]
pub(crate) fn op_wasm_read_memory(
    state: &mut OpState,
    store: u32,
    handle: u32,
    #[number] offset: u64,
    #[number] len: u64,
) -> Result<Vec<u8>, WasmError> {
    let memory = memory(state, store, handle)?;
    if offset.saturating_add(len) <= memory.byte_len()? as u64 {
        memory_buffer::check_len(len, "a copy")?;
    }
    memory.read_vec(offset, len)
}

/// Copies bytes into a memory.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_write_memory(
    state: &mut OpState,
    store: u32,
    handle: u32,
    #[number] offset: u64,
    #[buffer(copy)] data: Vec<u8>,
) -> Result<(), WasmError> {
    memory(state, store, handle)?.write(offset, &data)
}

/// Adds pages to a memory. Returns the number of pages before.
#[op2(nofast, reentrant)]
#[number]
pub(crate) fn op_wasm_grow_memory(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    store: u32,
    handle: u32,
    #[number] pages: u64,
) -> Result<u64, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let store = bridge.state.store(store)?;
    let grown = store.memory(handle)?.grow(pages)?;
    bridge.context.views.detach_grown(scope, &store);
    Ok(grown)
}

/// The length of a memory in bytes.
#[op2(nofast, reentrant)]
#[number]
pub(crate) fn op_wasm_memory_length(
    state: &mut OpState,
    store: u32,
    handle: u32,
) -> Result<u64, WasmError> {
    Ok(memory(state, store, handle)?.byte_len()? as u64)
}

/// A memory's type, as JSON.
#[op2(reentrant)]
#[string]
pub(crate) fn op_wasm_memory_type(
    state: &mut OpState,
    store: u32,
    handle: u32,
) -> Result<String, WasmError> {
    Ok(to_json(&memory(state, store, handle)?.info()?))
}

/// Makes a memory of a `MemoryType` of `host:wasm`, which TypeScript has checked, and returns its handle. A negative
/// maximum stands for none.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_new_memory(
    state: &mut OpState,
    store: u32,
    #[number] minimum: u64,
    #[number] maximum: i64,
    shared: bool,
    is64: bool,
) -> Result<u32, WasmError> {
    let ty = MemoryTypeBuilder::new()
        .min(minimum)
        .max(u64::try_from(maximum).ok())
        .shared(shared)
        .memory64(is64)
        .build()
        .map_err(|error| WasmError::new(WasmErrorCode::InstantiateError, format!("{error:#}")))?;
    let bridge = state.borrow::<Rc<Bridge>>();
    Ok(bridge.state.new_memory(store, ty)?.handle())
}

/// The buffer that shows the bytes of a memory: the same one until the memory grows.
#[op2(reentrant)]
pub(crate) fn op_wasm_memory_view<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    store: u32,
    handle: u32,
) -> Result<v8::Local<'s, v8::Value>, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let store = bridge.state.store(store)?;
    let memory = store.memory(handle)?;
    bridge.context.views.show(scope, &store, &memory)
}

/// Detaches the buffer that shows an unshared memory.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_detach_view(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    store: u32,
    handle: u32,
) -> Result<(), WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let store = bridge.state.store(store)?;
    bridge.context.views.detach(scope, &store, handle);
    Ok(())
}

/// Detaches the buffers of memories that have grown. A dropped store has no buffers.
#[op2(nofast)]
pub(crate) fn op_wasm_detach_grown(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    store: u32,
) {
    let bridge = state.borrow::<Rc<Bridge>>();
    if let Ok(store) = bridge.state.store(store) {
        bridge.context.views.detach_grown(scope, &store);
    }
}
