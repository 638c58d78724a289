//! Buffers whose bytes are a memory's own.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::{Mutex, MutexGuard, PoisonError};

use deno_core::v8;

use crate::runtime::{MemoryView, StoreLease, WasmError, WasmErrorCode};

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

/// A buffer whose bytes are those of `view`.
///
/// # Errors
/// `MemoryError` if the engine has no buffers that long.
pub fn buffer<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    view: MemoryView,
) -> Result<v8::Local<'s, v8::Value>, WasmError> {
    let MemoryView {
        base,
        len,
        shared,
        lease,
    } = view;
    if len > max_view_len() {
        return Err(WasmError::new(
            WasmErrorCode::MemoryError,
            format!("a memory of {len} bytes is too large for a buffer of this JavaScript engine"),
        ));
    }
    if len == 0 {
        // There is nothing to show, and the engines do not release what has no bytes.
        return Ok(if shared {
            let store = v8::SharedArrayBuffer::new_backing_store_from_vec(Vec::new());
            v8::SharedArrayBuffer::with_backing_store(scope, &store.make_shared()).into()
        } else {
            v8::ArrayBuffer::new(scope, 0).into()
        });
    }
    leases().entry(base.addr()).or_default().push(lease);
    let data = std::ptr::null_mut();
    Ok(if shared {
        // SAFETY: as below; as far as other threads are concerned, JavaScript accesses the bytes
        // of a shared buffer as the guest does, atomically or at its own risk.
        let store = unsafe {
            v8::SharedArrayBuffer::new_backing_store_from_ptr(base.cast(), len, release, data)
        };
        v8::SharedArrayBuffer::with_backing_store(scope, &store.make_shared()).into()
    } else {
        // SAFETY: the bytes are mapped, at this address, until `release` drops the lease. The
        // guest and the runtime touch them only while JavaScript does not run, or when `host:wasm`
        // has detached the buffer: before a guest that runs beside JavaScript gets its turn. The
        // runtime never holds a Rust reference to them meanwhile.
        let store =
            unsafe { v8::ArrayBuffer::new_backing_store_from_ptr(base.cast(), len, release, data) };
        v8::ArrayBuffer::with_backing_store(scope, &store.make_shared()).into()
    })
}
