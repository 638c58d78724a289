//! Ops on memories, and the views of them.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use deno_core::{OpState, op2, v8};
use serde::Deserialize;
use wasmtime::MemoryTypeBuilder;

use super::Bridge;
use crate::runtime::{ExternInfo, MemoryView, StoreLease, WasmError, WasmErrorCode, WasmMemory};

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
    let view = memory(state, store, handle)?.view()?;
    if view.len > max_view_len() {
        return Err(WasmError::new(
            WasmErrorCode::MemoryError,
            format!(
                "a memory of {} bytes is too large for a buffer of this JavaScript engine",
                view.len
            ),
        ));
    }
    Ok(buffer(scope, view))
}

/// Empties a buffer that shows what is not there any more.
#[op2(nofast)]
pub fn op_wasm_detach(buffer: v8::Local<'_, v8::ArrayBuffer>) {
    buffer.detach(None);
}

/// The longest buffer that the engine makes: QuickJS counts in 31 bits, V8 in 53.
fn max_view_len() -> usize {
    if cfg!(feature = "quickjs") {
        i32::MAX as usize
    } else {
        (1 << 53) - 1
    }
}

/// The leases of the buffers that exist, by the address of their bytes. Buffers of one memory
/// have equal leases, so that it does not matter which goes with which.
///
/// They are not passed through the engine: QuickJS's facade copies the bytes of a backing store
/// that carries data for its deleter.
static LEASES: Mutex<BTreeMap<usize, Vec<StoreLease>>> = Mutex::new(BTreeMap::new());

fn leases() -> MutexGuard<'static, BTreeMap<usize, Vec<StoreLease>>> {
    // The map is whole whatever panicked while it was locked.
    LEASES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Called by the engine, on any thread, when nothing shows the bytes any more.
unsafe extern "C" fn release(base: *mut c_void, _len: usize, _: *mut c_void) {
    let lease = {
        let mut leases = leases();
        let of_memory = leases.get_mut(&base.addr());
        let lease = of_memory.and_then(Vec::pop);
        if leases.get(&base.addr()).is_some_and(Vec::is_empty) {
            leases.remove(&base.addr());
        }
        lease
    };
    // Outside the lock: this may free the store.
    drop(lease);
}

fn buffer<'s>(scope: &mut v8::PinScope<'s, '_>, view: MemoryView) -> v8::Local<'s, v8::Value> {
    let MemoryView {
        base,
        len,
        shared,
        lease,
    } = view;
    if len == 0 {
        // There is nothing to show, and the engines do not release what has no bytes.
        return if shared {
            let store = v8::SharedArrayBuffer::new_backing_store_from_vec(Vec::new());
            v8::SharedArrayBuffer::with_backing_store(scope, &store.make_shared()).into()
        } else {
            v8::ArrayBuffer::new(scope, 0).into()
        };
    }
    leases().entry(base.addr()).or_default().push(lease);
    let data = std::ptr::null_mut();
    if shared {
        // SAFETY: as below; as far as other threads are concerned, JavaScript accesses the bytes
        // of a shared buffer as the guest does, atomically or at its own risk.
        let store = unsafe {
            v8::SharedArrayBuffer::new_backing_store_from_ptr(base.cast(), len, release, data)
        };
        v8::SharedArrayBuffer::with_backing_store(scope, &store.make_shared()).into()
    } else {
        // SAFETY: the bytes are mapped, at this address, until `release` drops the lease. The
        // guest and the runtime touch them only on this thread and only while JavaScript does
        // not run; the runtime never holds a Rust reference to them meanwhile.
        let store =
            unsafe { v8::ArrayBuffer::new_backing_store_from_ptr(base.cast(), len, release, data) };
        v8::ArrayBuffer::with_backing_store(scope, &store.make_shared()).into()
    }
}
