//! The isolate of a JavaScript runtime: its identity on its thread, and the WebAssembly of its engine.

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

/// Has the engine refuse to compile WebAssembly of its own for this isolate.
#[cfg(feature = "v8")]
pub(super) fn refuse_own_webassembly(isolate: &mut v8::Isolate) {
    unsafe extern "C" fn refuse(_: v8::Local<v8::Context>, _: v8::Local<v8::String>) -> bool {
        false
    }
    isolate.set_allow_wasm_code_generation_callback(refuse);
}

/// QuickJS has no WebAssembly of its own.
#[cfg(not(feature = "v8"))]
pub(super) fn refuse_own_webassembly(_: &mut v8::Isolate) {}
