//! The native stack that JavaScript shares with guests.
//!
//! Each JavaScript engine limits its own recursion, from a guess at where the stack ends: a megabyte below
//! the place where it was started. That is beyond the end of a small stack, and leaves most of a large one
//! unused. What guests have used of it, the engine counts as its own; V8 ends the process if it is called
//! into from below its limit. So it is told the thread's limit, which guests keep too, and imports are called
//! only where it is not near.

use std::ffi::c_void;

use deno_core::v8;

use crate::runtime::{ThreadStack, is_above};

/// How much stack an import's call needs above JavaScript's limit, in bytes: for the engine to call a
/// function that finds no room left, and to throw the error for that.
const IMPORT_ROOM: usize = 32 << 10;

/// How much stack it takes, in bytes, from the start of an asynchronous call until JavaScript waits for it.
const START_ROOM: usize = 96 << 10;

/// Where the stack of a runtime's thread ends for JavaScript.
#[derive(Clone, Copy)]
pub struct JsStack {
    /// The lowest address down to which the stack may be in use when an import is called.
    import_floor: usize,
}

impl JsStack {
    /// One without room.
    pub const UNKNOWN: Self = Self {
        import_floor: usize::MAX,
    };

    /// Has JavaScript keep the limit of this thread, which the isolate is one of from now on.
    pub fn of_thread(scope: &mut v8::PinScope<'_, '_>) -> Self {
        let stack = ThreadStack::current();
        set_limit(scope, stack);
        Self {
            import_floor: stack.limit() + IMPORT_ROOM,
        }
    }

    /// Whether an asynchronous call may be started here.
    pub fn has_room_to_start(self) -> bool {
        let more = START_ROOM - IMPORT_ROOM;
        self.import_floor.checked_add(more).is_some_and(is_above)
    }

    /// Whether an import may be called here.
    #[inline]
    pub fn has_room(self) -> bool {
        is_above(self.import_floor)
    }
}

/// Has JavaScript fail with a `RangeError` where it would use the thread's stack below the limit.
#[cfg(not(feature = "quickjs"))]
fn set_limit(scope: &mut v8::PinScope<'_, '_>, stack: ThreadStack) {
    unsafe extern "C" {
        // `v8::Isolate::SetStackLimit(uintptr_t)`, which V8 exports and the `v8` crate does not name.
        #[cfg_attr(not(windows), link_name = "_ZN2v87Isolate13SetStackLimitEm")]
        #[cfg_attr(windows, link_name = "?SetStackLimit@Isolate@v8@@QEAAX_K@Z")]
        fn v8_isolate_set_stack_limit(isolate: *mut c_void, limit: usize);
    }
    // SAFETY: the pointer is that of the isolate, which `scope` borrows: it is alive, and entered on this
    // thread, in whose stack the limit is. The type is `repr(transparent)` over a pointer.
    unsafe {
        let isolate =
            std::mem::transmute::<v8::UnsafeRawIsolatePtr, *mut c_void>(scope.as_raw_isolate_ptr());
        v8_isolate_set_stack_limit(isolate, stack.limit());
    }
}

/// Has JavaScript fail with an `InternalError` where it would use the thread's stack below the limit.
#[cfg(feature = "quickjs")]
fn set_limit(scope: &mut v8::PinScope<'_, '_>, stack: ThreadStack) {
    /// QuickJS's value, and what the facade's handles point at.
    #[repr(C)]
    struct Handle {
        pointer: *mut c_void,
        tag: i64,
    }
    /// The facade's tag of a context.
    const CONTEXT: i64 = 0x7632;

    unsafe extern "C" {
        fn JS_GetRuntime(context: *mut c_void) -> *mut c_void;
        fn JS_UpdateStackTop(runtime: *mut c_void);
        fn JS_SetMaxStackSize(runtime: *mut c_void, size: usize);
    }
    let context = scope.get_current_context();
    let handle = std::ptr::from_ref::<v8::Context>(&context).cast::<Handle>();
    // SAFETY: a handle of the facade's points at a `JSValue`, which has this layout where pointers have 64
    // bits, and lives as long as the scope.
    let Handle { pointer, tag } = unsafe { handle.read() };
    assert_eq!(tag, CONTEXT, "a context's handle holds something else");
    // SAFETY: by its tag, the pointer is to the `JSContext` of the context, which is alive; so is its
    // runtime, which is used on this thread alone.
    unsafe {
        let runtime = JS_GetRuntime(pointer);
        // The size is counted from here. None at all would be no limit.
        JS_UpdateStackTop(runtime);
        JS_SetMaxStackSize(runtime, stack.left().max(1));
    }
}
