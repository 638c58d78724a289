//! Buffers whose bytes are a memory's own.
//!
//! Such a buffer shows all of its memory for as long as it is attached, and a memory has one at a time. It is
//! detached when the memory has grown or goes, and before a guest runs beside JavaScript, which must not see
//! bytes that another thread writes.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::c_void;
use std::sync::{Mutex, MutexGuard, PoisonError};

use deno_core::v8;

use crate::runtime::{MemoryView, StoreLease, WasmError, WasmErrorCode, WasmMemory, WasmStore};

/// The longest buffer that the engine makes: QuickJS counts in 31 bits, V8 in 53.
const MAX_LEN: u64 = if cfg!(feature = "quickjs") {
    i32::MAX as u64
} else {
    (1 << 53) - 1
};

/// Fails if the engine has no buffers so long, for `what`.
///
/// # Errors
/// `MemoryError` if it has none.
pub fn check_len(len: u64, what: &str) -> Result<(), WasmError> {
    if len <= MAX_LEN {
        return Ok(());
    }
    Err(WasmError::new(
        WasmErrorCode::MemoryError,
        format!("{what} of {len} bytes is too large for a buffer of this JavaScript engine"),
    ))
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

/// Whether a value is a buffer that shows a memory.
pub fn shows_memory(value: v8::Local<'_, v8::Value>) -> bool {
    let base = as_unshared(value).and_then(|buffer| buffer.data());
    base.is_some_and(|base| leases().contains_key(&base.addr().get()))
}

/// The `ArrayBuffer` that a value is, if it is one.
#[cfg(not(feature = "quickjs"))]
fn as_unshared(value: v8::Local<'_, v8::Value>) -> Option<v8::Local<'_, v8::ArrayBuffer>> {
    value.try_into().ok()
}

/// The same. QuickJS's facade finds out what a value is by a call of `Object.prototype.toString`, which a script
/// may have patched.
#[cfg(feature = "quickjs")]
fn as_unshared(value: v8::Local<'_, v8::Value>) -> Option<v8::Local<'_, v8::ArrayBuffer>> {
    // SAFETY: a handle of the facade holds any value, and `ArrayBuffer::data`, which is all that is asked of
    // this one, is null for a value of another class.
    Some(unsafe { v8::Local::cast_unchecked(value) })
}

/// Detaches a buffer that an app may have detached itself, at which QuickJS's facade would leave an exception.
fn detach(buffer: v8::Local<'_, v8::ArrayBuffer>) {
    if !buffer.was_detached() {
        buffer.detach(None);
    }
}

/// The buffers that show the memories of a runtime's guests.
#[derive(Default)]
pub struct Views {
    /// By the [key](WasmStore::key) of the store.
    of_store: RefCell<HashMap<usize, StoreViews>>,
}

#[derive(Default)]
struct StoreViews {
    /// By the number of the memory.
    views: BTreeMap<u32, View>,
    /// The first bytes of the unshared memories that were shown, until nothing shows them any more.
    bases: BTreeSet<usize>,
}

struct View {
    buffer: Buffer<v8::Global<v8::ArrayBuffer>, v8::Global<v8::SharedArrayBuffer>>,
    len: usize,
}

/// A buffer, of which we know whether it is shared because we made it. QuickJS's facade finds out by a call of
/// `Object.prototype.toString`, which a script may have patched: it could keep a buffer from being detached, or
/// call back while something is borrowed here.
enum Buffer<U, S> {
    Unshared(U),
    Shared(S),
}

type LocalBuffer<'s> = Buffer<v8::Local<'s, v8::ArrayBuffer>, v8::Local<'s, v8::SharedArrayBuffer>>;

impl<'s> From<LocalBuffer<'s>> for v8::Local<'s, v8::Value> {
    fn from(buffer: LocalBuffer<'s>) -> Self {
        match buffer {
            Buffer::Unshared(buffer) => buffer.into(),
            Buffer::Shared(buffer) => buffer.into(),
        }
    }
}

impl View {
    fn new(scope: &mut v8::PinScope<'_, '_>, buffer: &LocalBuffer<'_>, len: usize) -> Self {
        let buffer = match buffer {
            Buffer::Unshared(buffer) => Buffer::Unshared(v8::Global::new(scope, *buffer)),
            Buffer::Shared(buffer) => Buffer::Shared(v8::Global::new(scope, *buffer)),
        };
        Self { buffer, len }
    }

    fn value<'s>(&self, scope: &mut v8::PinScope<'s, '_>) -> v8::Local<'s, v8::Value> {
        match &self.buffer {
            Buffer::Unshared(buffer) => v8::Local::new(scope, buffer).into(),
            Buffer::Shared(buffer) => v8::Local::new(scope, buffer).into(),
        }
    }

    /// The buffer, if it can be detached: other threads may use that of a shared memory.
    fn unshared<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
    ) -> Option<v8::Local<'s, v8::ArrayBuffer>> {
        match &self.buffer {
            Buffer::Unshared(buffer) => Some(v8::Local::new(scope, buffer)),
            Buffer::Shared(_) => None,
        }
    }
}

impl Views {
    /// The buffer that shows a memory: the same one until the memory has more bytes.
    ///
    /// # Errors
    /// `RuntimeError` if the store is busy, `MemoryError` if the engine has no buffers that long.
    pub fn show<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        store: &WasmStore,
        memory: &WasmMemory,
    ) -> Result<v8::Local<'s, v8::Value>, WasmError> {
        let bytes = memory.view()?;
        let (base, len, shared) = (bytes.base.addr(), bytes.len, bytes.shared);
        let mut of_store = self.of_store.borrow_mut();
        let of_store = of_store.entry(store.key()).or_default();
        if let Some(view) = of_store.views.get(&memory.handle()) {
            let unshared = view.unshared(scope);
            let attached = unshared.is_none_or(|buffer| !buffer.was_detached());
            if view.len == len && attached {
                return Ok(view.value(scope));
            }
            if let Some(buffer) = unshared {
                detach(buffer);
            }
        }
        let buffer = buffer(scope, bytes)?;
        let view = View::new(scope, &buffer, len);
        of_store.views.insert(memory.handle(), view);
        if !shared && len > 0 {
            of_store.bases.insert(base);
        }
        Ok(buffer.into())
    }

    /// Detaches the buffers that do not show all of their memory any more.
    pub fn detach_grown(&self, scope: &mut v8::PinScope<'_, '_>, store: &WasmStore) {
        let mut of_store = self.of_store.borrow_mut();
        let Some(of_store) = of_store.get_mut(&store.key()) else {
            return;
        };
        of_store.views.retain(|&memory, view| {
            let len = store.memory(memory).and_then(|memory| memory.byte_len());
            // Of one that cannot be asked now, it is asked again when its buffer is.
            if len.is_err() || len.is_ok_and(|len| len == view.len) {
                return true;
            }
            if let Some(buffer) = view.unshared(scope) {
                detach(buffer);
            }
            false
        });
    }

    /// Detaches the buffers of all unshared memories of a store, which another thread is going to use.
    ///
    /// # Errors
    /// `RuntimeError` if something else shows the bytes of one: a buffer that was made of the first, or an op
    /// that reads or writes them and has not ended.
    pub fn detach_all(
        &self,
        scope: &mut v8::PinScope<'_, '_>,
        store: &WasmStore,
    ) -> Result<(), WasmError> {
        let mut of_store = self.of_store.borrow_mut();
        let Some(of_store) = of_store.get_mut(&store.key()) else {
            return Ok(());
        };
        of_store.views.retain(|_, view| {
            let unshared = view.unshared(scope);
            if let Some(buffer) = unshared {
                detach(buffer);
            }
            unshared.is_none()
        });
        let leases = leases();
        of_store.bases.retain(|base| leases.contains_key(base));
        if of_store.bases.is_empty() {
            return Ok(());
        }
        Err(WasmError::new(
            WasmErrorCode::RuntimeError,
            "a buffer of the store's memories is in use elsewhere: a guest cannot run beside it",
        ))
    }

    /// Detaches the buffers of a store that is dropped.
    pub fn drop_store(&self, scope: &mut v8::PinScope<'_, '_>, store: &WasmStore) {
        // Whatever else shows the bytes keeps them mapped.
        let _ = self.detach_all(scope, store);
        self.forget_store(store);
    }

    /// Lets go of the buffers of a store that JavaScript knows nothing of any more. They keep its memories
    /// mapped for as long as an app has them.
    pub fn forget_store(&self, store: &WasmStore) {
        self.of_store.borrow_mut().remove(&store.key());
    }
}

/// A buffer whose bytes are those of `view`.
///
/// # Errors
/// `MemoryError` if the engine has no buffers that long.
fn buffer<'s>(
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
        // There is nothing to show, and the engines do not release what has no bytes.
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
        // SAFETY: as below; as far as other threads are concerned, JavaScript accesses the bytes
        // of a shared buffer as the guest does, atomically or at its own risk.
        let store = unsafe {
            v8::SharedArrayBuffer::new_backing_store_from_ptr(base.cast(), len, release, data)
        };
        Buffer::Shared(v8::SharedArrayBuffer::with_backing_store(
            scope,
            &store.make_shared(),
        ))
    } else {
        // SAFETY: the bytes are mapped, at this address, until `release` drops the lease. The
        // guest and the runtime touch them only while JavaScript does not run, or when `Views` has
        // detached the buffer: before a guest that runs beside JavaScript gets its turn, which is refused
        // while anything else holds the lease. The runtime never holds a Rust reference to them meanwhile.
        let store =
            unsafe { v8::ArrayBuffer::new_backing_store_from_ptr(base.cast(), len, release, data) };
        Buffer::Unshared(v8::ArrayBuffer::with_backing_store(
            scope,
            &store.make_shared(),
        ))
    })
}
