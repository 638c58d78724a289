//! The call frame: slots that JavaScript and the runtime both read and write.

use std::cell::Cell;
use std::ffi::c_void;
use std::sync::Arc;

use deno_core::v8;
use wasmtime::ValRaw;

use super::protocol::{REF_FUNC, REF_HOST, REF_I31, REF_NULL, REF_OBJECT};
use crate::runtime::RefHandle;

/// The most values that a function takes or returns: the implementation limit of WebAssembly engines.
const SLOTS: usize = 1000;

/// The arguments and the results of a call, 16 bytes each.
///
/// All calls of a runtime use one frame. A reader copies the slots before anything else can run, since nested calls
/// write over them.
pub(crate) struct Frame {
    slots: Arc<[Cell<ValRaw>]>,
}

impl Frame {
    pub(crate) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Cell::new(ValRaw::u64(0))).collect(),
        }
    }

    /// Copies the first `count` slots out.
    pub(crate) fn read(&self, count: usize) -> Vec<ValRaw> {
        self.slots.iter().take(count).map(Cell::get).collect()
    }

    /// The first slot, through which single values pass.
    pub(crate) fn first(&self) -> ValRaw {
        self.slots[0].get()
    }

    /// Copies the first slots into `to`.
    pub(crate) fn read_into(&self, to: &mut [ValRaw]) {
        for (slot, to) in self.slots.iter().zip(to) {
            *to = slot.get();
        }
    }

    /// Copies `from` into the first slots.
    pub(crate) fn write(&self, from: &[ValRaw]) {
        for (slot, from) in self.slots.iter().zip(from) {
            slot.set(*from);
        }
    }

    /// The slots themselves.
    pub(crate) fn slots(&self) -> &[Cell<ValRaw>] {
        &self.slots
    }

    /// The slots as a `SharedArrayBuffer`, which no script can detach, transfer or resize. The buffer may outlive the
    /// frame: both own the memory.
    pub(crate) fn to_shared_array_buffer<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
    ) -> v8::Local<'s, v8::SharedArrayBuffer> {
        unsafe extern "C" fn release(data: *mut c_void, len: usize, _: *mut c_void) {
            let slots = std::ptr::slice_from_raw_parts(
                data.cast::<Cell<ValRaw>>(),
                len / size_of::<ValRaw>(),
            );
            // SAFETY: the pointer and length are those of the `Arc::into_raw` below, and the
            // engine calls this once. The count is atomic, whatever thread this is.
            drop(unsafe { Arc::from_raw(slots) });
        }
        let len = size_of_val(&*self.slots);
        let data = Arc::into_raw(self.slots.clone()).cast_mut().cast();
        let none = std::ptr::null_mut();
        // SAFETY: the memory lives until `release`. JavaScript and the runtime both write to it
        // on this thread only, the runtime through `Cell`s, and every bit pattern is a `ValRaw`.
        let store =
            unsafe { v8::SharedArrayBuffer::new_backing_store_from_ptr(data, len, release, none) };
        v8::SharedArrayBuffer::with_backing_store(scope, &store.make_shared())
    }
}

// The runtime writes references into the frame, and TypeScript reads them by the tags of the protocol.
const _: () = {
    const fn tag(handle: RefHandle) -> u64 {
        handle.to_bits() >> 32
    }
    assert!(tag(RefHandle::Null) == REF_NULL as u64);
    assert!(tag(RefHandle::Host(0)) == REF_HOST as u64);
    assert!(tag(RefHandle::Func(0)) == REF_FUNC as u64);
    assert!(tag(RefHandle::Object(0)) == REF_OBJECT as u64);
    assert!(tag(RefHandle::I31(0)) == REF_I31 as u64);
};
