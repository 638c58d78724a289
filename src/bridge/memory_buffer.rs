//! JavaScript buffers whose bytes are the bytes of a guest's memory.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::{Mutex, MutexGuard, PoisonError};

use deno_core::v8;

use crate::runtime::{MemoryView, StoreLease, WasmError, WasmErrorCode};

/// The length of the longest buffer that the engine makes: QuickJS counts bytes in 31 bits, V8 in 53.
const MAX_LEN: u64 = if cfg!(feature = "quickjs") {
    i32::MAX as u64
} else {
    (1 << 53) - 1
};

/// Checks that the engine can make a buffer of this length. `what` is the subject of the message.
///
/// # Errors
/// `MemoryError` if it cannot.
pub(super) fn check_len(len: u64, what: &str) -> Result<(), WasmError> {
    if len <= MAX_LEN {
        return Ok(());
    }
    Err(WasmError::new(
        WasmErrorCode::MemoryError,
        format!("{what} of {len} bytes is too large for a buffer of this JavaScript engine"),
    ))
}

/// The leases of the buffers that exist, by the address of their bytes. Buffers of one memory have equal leases, so
/// that each of them can release any lease.
///
/// Leases are not passed through the engine: QuickJS's facade copies the bytes of a backing store that carries data for
/// its deleter.
static LEASES: Mutex<BTreeMap<usize, Vec<StoreLease>>> = Mutex::new(BTreeMap::new());

fn leases() -> MutexGuard<'static, BTreeMap<usize, Vec<StoreLease>>> {
    // No panic while the map is locked leaves it half changed.
    LEASES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Called by the engine, on any thread, when a backing store of the bytes is freed.
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

/// Whether a value is an `ArrayBuffer` that shows a memory.
pub(super) fn shows_memory(value: v8::Local<'_, v8::Value>) -> bool {
    let base = as_unshared(value).and_then(|buffer| buffer.data());
    base.is_some_and(|base| leases().contains_key(&base.addr().get()))
}

/// The `ArrayBuffer` that a value is, if it is one.
#[cfg(not(feature = "quickjs"))]
fn as_unshared(value: v8::Local<'_, v8::Value>) -> Option<v8::Local<'_, v8::ArrayBuffer>> {
    value.try_into().ok()
}

/// The `ArrayBuffer` that a value is, if it is one. QuickJS's facade finds out the class of a value by a call of
/// `Object.prototype.toString`, which a script may have patched.
#[cfg(feature = "quickjs")]
fn as_unshared(value: v8::Local<'_, v8::Value>) -> Option<v8::Local<'_, v8::ArrayBuffer>> {
    // SAFETY: a handle of the facade holds any value. Only `ArrayBuffer::data` is called on this one, which returns
    // null for a value of another class.
    Some(unsafe { v8::Local::cast_unchecked(value) })
}

/// A buffer with its class, known since it was made here. QuickJS's facade would find out the class by a call of
/// `Object.prototype.toString`, which a script may have patched: the script could keep a buffer from being detached, or
/// call back while the views are borrowed.
pub enum Buffer<U, S> {
    Unshared(U),
    Shared(S),
}

pub(super) type LocalBuffer<'s> =
    Buffer<v8::Local<'s, v8::ArrayBuffer>, v8::Local<'s, v8::SharedArrayBuffer>>;

impl<'s> From<LocalBuffer<'s>> for v8::Local<'s, v8::Value> {
    fn from(buffer: LocalBuffer<'s>) -> Self {
        match buffer {
            Buffer::Unshared(buffer) => buffer.into(),
            Buffer::Shared(buffer) => buffer.into(),
        }
    }
}

/// Makes a buffer whose bytes are the bytes of `view`.
///
/// # Errors
/// `MemoryError` if the engine has no buffers that long.
pub(super) fn buffer<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    view: MemoryView,
) -> Result<LocalBuffer<'s>, WasmError> {
    let MemoryView {
        base,
        len,
        shared,
        lease,
    } = view;
    check_len(len as u64, "a memory")?;
    if len == 0 {
        // Without bytes there is nothing to show, and the engines do not call `release`.
        return Ok(if shared {
            let store = v8::SharedArrayBuffer::new_backing_store_from_vec(Vec::new());
            Buffer::Shared(v8::SharedArrayBuffer::with_backing_store(
                scope,
                &store.make_shared(),
            ))
        } else {
            Buffer::Unshared(v8::ArrayBuffer::new(scope, 0))
        });
    }
    leases().entry(base.addr()).or_default().push(lease);
    let data = std::ptr::null_mut();
    Ok(if shared {
        // SAFETY: as below. Other threads may use the bytes of a shared memory: JavaScript accesses the bytes of a
        // shared buffer as a guest does, atomically or at its own risk.
        let store = unsafe {
            v8::SharedArrayBuffer::new_backing_store_from_ptr(base.cast(), len, release, data)
        };
        Buffer::Shared(v8::SharedArrayBuffer::with_backing_store(
            scope,
            &store.make_shared(),
        ))
    } else {
        // SAFETY: the bytes are mapped, at this address, until `release` drops the lease. The guest and the runtime
        // access them only while JavaScript does not run, or after `Views` has detached the buffer. `Views` does so
        // before a guest runs on another thread, which is refused while anything else holds the lease. While JavaScript
        // runs, the runtime holds no Rust reference to the bytes.
        let store =
            unsafe { v8::ArrayBuffer::new_backing_store_from_ptr(base.cast(), len, release, data) };
        Buffer::Unshared(v8::ArrayBuffer::with_backing_store(
            scope,
            &store.make_shared(),
        ))
    })
}
