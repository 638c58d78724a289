//! The buffers by which JavaScript sees the memories of guests.
//!
//! A memory has one attached buffer at a time, which shows all of its bytes. The buffer is detached when the memory
//! grows or is freed, and before a guest runs on another thread: JavaScript must not see bytes that another thread
//! writes.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use deno_core::v8;

use super::memory_buffer::{Buffer, LocalBuffer, buffer};
use crate::runtime::{WasmError, WasmMemory, WasmStore};

/// Detaches a buffer, unless an app has detached it: QuickJS's facade would leave an exception pending.
fn detach(buffer: v8::Local<'_, v8::ArrayBuffer>) {
    if !buffer.was_detached() {
        buffer.detach(None);
    }
}

/// The buffers that show the memories of a runtime's guests.
#[derive(Default)]
pub(crate) struct Views {
    /// By the [key](WasmStore::key) of the store, and the number of the memory.
    views: RefCell<HashMap<usize, BTreeMap<u32, View>>>,
}

struct View {
    buffer: Buffer<v8::Global<v8::ArrayBuffer>, v8::Global<v8::SharedArrayBuffer>>,
    len: usize,
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

    /// The buffer, if it can be detached: the buffer of a shared memory cannot, since other threads may use it.
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
    pub(crate) fn show<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        store: &WasmStore,
        memory: &WasmMemory,
    ) -> Result<v8::Local<'s, v8::Value>, WasmError> {
        let bytes = memory.view()?;
        let len = bytes.len;
        let mut views = self.views.borrow_mut();
        let views = views.entry(store.key()).or_default();
        if let Some(view) = views.get(&memory.handle()) {
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
        views.insert(memory.handle(), view);
        Ok(buffer.into())
    }

    /// Detaches the buffers of memories that have grown.
    pub(crate) fn detach_grown(&self, scope: &mut v8::PinScope<'_, '_>, store: &WasmStore) {
        let mut views = self.views.borrow_mut();
        let Some(views) = views.get_mut(&store.key()) else {
            return;
        };
        views.retain(|&memory, view| {
            let len = store.memory(memory).and_then(|memory| memory.byte_len());
            // Where the store is busy, `show` checks the length again.
            if len.is_err() || len.is_ok_and(|len| len == view.len) {
                return true;
            }
            if let Some(buffer) = view.unshared(scope) {
                detach(buffer);
            }
            false
        });
    }

    /// Detaches the buffer of a memory, if the memory is unshared and has one.
    pub(crate) fn detach(&self, scope: &mut v8::PinScope<'_, '_>, store: &WasmStore, memory: u32) {
        let mut views = self.views.borrow_mut();
        if let Some(views) = views.get_mut(&store.key())
            && let Some(buffer) = views.get(&memory).and_then(|view| view.unshared(scope))
        {
            detach(buffer);
            views.remove(&memory);
        }
    }

    /// Detaches the buffers of all unshared memories of a store, which another thread is going to use.
    ///
    /// # Errors
    /// `RuntimeError` if something else uses the bytes of a memory: a buffer that was made of the detached one, or an
    /// op that has not ended.
    pub(crate) fn detach_all(
        &self,
        scope: &mut v8::PinScope<'_, '_>,
        store: &WasmStore,
    ) -> Result<(), WasmError> {
        if let Some(views) = self.views.borrow_mut().get_mut(&store.key()) {
            views.retain(|_, view| {
                let unshared = view.unshared(scope);
                if let Some(buffer) = unshared {
                    detach(buffer);
                }
                unshared.is_none()
            });
        }
        store.check_bytes_unused()
    }

    /// Detaches the buffers of a store that is dropped.
    pub(crate) fn drop_store(&self, scope: &mut v8::PinScope<'_, '_>, store: &WasmStore) {
        // If something else uses the bytes, its lease keeps them mapped.
        let _ = self.detach_all(scope, store);
        self.forget_store(store);
    }

    /// Forgets the buffers of a store whose JavaScript objects were collected. A buffer that an app still holds keeps
    /// its memory mapped.
    pub(crate) fn forget_store(&self, store: &WasmStore) {
        self.views.borrow_mut().remove(&store.key());
    }
}
