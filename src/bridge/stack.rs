//! The native stack that JavaScript shares with guests.
//!
//! A JavaScript engine limits its own recursion, and guesses where the stack ends: a megabyte below the address where
//! the engine was started. That is beyond the end of a small stack, and leaves most of a large stack unused. The engine
//! counts the stack that guests use as its own, and V8 ends the process if it is called from below its limit. So the
//! bridge sets the engine's limit to the limit of the thread, which guests keep too, and calls imports only well above
//! it.

use std::ffi::c_void;

use deno_core::v8;

use crate::runtime::{ThreadStack, is_above};

/// Bytes of stack that the call of an import needs above JavaScript's limit: the engine calls a function, finds no room
/// for it, and throws an error.
const IMPORT_ROOM: usize = 32 << 10;

/// Bytes of stack that are used between the start of an asynchronous call and the time when JavaScript waits for it.
const START_ROOM: usize = 96 << 10;

/// The end of the stack for the JavaScript of a runtime.
#[derive(Clone, Copy)]
pub(super) struct JsStack {
    /// An import may be called while the stack in use ends above this address.
    import_floor: usize,
}

impl JsStack {
    /// A stack without room, for a runtime that is not bound to a thread.
    pub(super) const UNKNOWN: Self = Self {
        import_floor: usize::MAX,
    };

    /// Sets the stack limit of the isolate, which stays on this thread from now on, to the limit of the thread.
    pub(super) fn of_thread(scope: &mut v8::PinScope<'_, '_>) -> Self {
        let stack = ThreadStack::current();
        set_limit(scope, stack);
        Self {
            import_floor: stack.limit() + IMPORT_ROOM,
        }
    }

    /// Whether there is room to start an asynchronous call.
    pub(super) fn has_room_to_start(self) -> bool {
        let more = START_ROOM - IMPORT_ROOM;
        self.import_floor.checked_add(more).is_some_and(is_above)
    }

    /// Whether there is room to call an import.
    #[inline]
    pub(super) fn has_room(self) -> bool {
        is_above(self.import_floor)
    }
}

/// Sets the engine's stack limit. JavaScript that would use more stack fails with a `RangeError`.
#[cfg(not(feature = "quickjs"))]
fn set_limit(scope: &mut v8::PinScope<'_, '_>, stack: ThreadStack) {
    unsafe extern "C" {
        // `v8::Isolate::SetStackLimit(uintptr_t)`, which V8 exports and the `v8` crate does not name.
        #[cfg_attr(not(windows), link_name = "_ZN2v87Isolate13SetStackLimitEm")]
        #[cfg_attr(windows, link_name = "?SetStackLimit@Isolate@v8@@QEAAX_K@Z")]
        fn v8_isolate_set_stack_limit(isolate: *mut c_void, limit: usize);
    }
    // SAFETY: `scope` borrows the isolate: it is alive, and entered on this thread, whose limit is set. The type is
    // `repr(transparent)` over a pointer.
    unsafe {
        let isolate =
            std::mem::transmute::<v8::UnsafeRawIsolatePtr, *mut c_void>(scope.as_raw_isolate_ptr());
        v8_isolate_set_stack_limit(isolate, stack.limit());
    }
}

/// Sets the engine's stack limit. JavaScript that would use more stack fails with an `InternalError`.
#[cfg(feature = "quickjs")]
fn set_limit(scope: &mut v8::PinScope<'_, '_>, stack: ThreadStack) {
    /// A `JSValue` of QuickJS, to which the facade's handles point.
    #[repr(C)]
    struct Handle {
        pointer: *mut c_void,
        tag: i64,
    }
    /// The facade's tag for a context.
    const CONTEXT: i64 = 0x7632;

    unsafe extern "C" {
        fn JS_GetRuntime(context: *mut c_void) -> *mut c_void;
        fn JS_UpdateStackTop(runtime: *mut c_void);
        fn JS_SetMaxStackSize(runtime: *mut c_void, size: usize);
    }
    let context = scope.get_current_context();
    let handle = std::ptr::from_ref::<v8::Context>(&context).cast::<Handle>();
    // SAFETY: a handle of the facade points to a `JSValue` that lives as long as the scope. It has this layout where
    // pointers have 64 bits.
    let Handle { pointer, tag } = unsafe { handle.read() };
    assert_eq!(tag, CONTEXT, "a context's handle holds something else");
    // SAFETY: the tag says that the pointer is the `JSContext` of the context, which is alive. So is its runtime, which
    // only this thread uses.
    unsafe {
        let runtime = JS_GetRuntime(pointer);
        // The size is counted from the current top of the stack. A size of 0 would mean no limit.
        JS_UpdateStackTop(runtime);
        JS_SetMaxStackSize(runtime, stack.left().max(1));
    }
}
