//! The identity of a JavaScript runtime on its thread.

use deno_core::v8;

/// Tells isolates apart that are alive at the same time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct IsolateId(usize);

impl IsolateId {
    #[inline]
    pub(crate) fn of(isolate: &v8::Isolate) -> Self {
        // SAFETY: the type is `repr(transparent)` over a pointer, and only the address of that pointer is used.
        unsafe {
            let pointer = isolate.as_raw_isolate_ptr();
            Self(std::mem::transmute::<v8::UnsafeRawIsolatePtr, usize>(
                pointer,
            ))
        }
    }
}
