//! What the two directions of calls between JavaScript and guests share.

use std::cell::{Cell, RefCell};

use deno_core::v8;
use wasmtime::ValRaw;

use super::frame::Frame;
use super::stack::JsStack;
use super::view::Views;
use crate::runtime::{Outcome, RefHandle};

/// How a run of guest code ended, as `host:wasm` is told. What was thrown is in the frame's
/// first slot.
pub const RETURNED: u32 = 0;
const THREW: u32 = 1;
const EXCEPTION: u32 = 2;
const ABORTED: u32 = 3;
/// It has not ended: see `running`.
pub const RUNNING: u32 = 4;
pub const WAITING: u32 = 5;
/// It never began: an argument is no number that fits, or the op is not made for the function.
pub const MISFIT: u32 = 6;
/// It failed: `op_wasm_ended` throws why.
pub const FAILED: u32 = 7;
/// Beside one of these: a memory of the store has grown since JavaScript was last told so.
pub const GROWN: u32 = 8;

/// Tells isolates apart that are alive.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IsolateId(usize);

impl IsolateId {
    #[inline]
    pub fn of(isolate: &v8::Isolate) -> Self {
        // SAFETY: the type is `repr(transparent)` over a pointer, of which nothing but the address is used.
        unsafe {
            let pointer = isolate.as_raw_isolate_ptr();
            Self(std::mem::transmute::<v8::UnsafeRawIsolatePtr, usize>(
                pointer,
            ))
        }
    }
}

/// The call frame of one `JsRuntime`, and the function of it that runs imports.
pub struct Crossing {
    /// The isolate of the runtime: no other one of its thread may call its guests.
    isolate: Cell<Option<IsolateId>>,
    /// The stack that its imports run on.
    stack: Cell<JsStack>,
    pub frame: Frame,
    /// `dispatch` of `ts/host_import.ts`: runs the function behind an import.
    pub dispatch: RefCell<Option<v8::Global<v8::Function>>>,
    /// The buffers that show the memories of guests.
    pub views: Views,
}

impl Crossing {
    pub fn new() -> Self {
        Self {
            isolate: Cell::default(),
            stack: Cell::new(JsStack::UNKNOWN),
            frame: Frame::new(),
            dispatch: RefCell::default(),
            views: Views::default(),
        }
    }

    /// Says which isolate this is of, and has it keep the limit of this thread's stack.
    pub fn bind(&self, scope: &mut v8::PinScope<'_, '_>) {
        self.isolate.set(Some(IsolateId::of(scope)));
        self.stack.set(JsStack::of_thread(scope));
    }

    /// Whether the stack has room to start an asynchronous call.
    pub fn has_room_to_start(&self) -> bool {
        self.stack.get().has_room_to_start()
    }

    /// Whether the stack has room for the call of an import.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.stack.get().has_room()
    }

    /// The isolate of the runtime, when `host:wasm` has started in it.
    pub fn isolate(&self) -> Option<IsolateId> {
        self.isolate.get()
    }

    /// Whether it is of this isolate.
    #[inline]
    pub fn is_of(&self, isolate: &v8::Isolate) -> bool {
        self.isolate.get() == Some(IsolateId::of(isolate))
    }

    /// Ends a run: leaves what was thrown in the frame. Returns what the run did, or how else it
    /// ended.
    #[inline]
    pub fn ended<T>(&self, outcome: Outcome<T>) -> Result<T, u32> {
        let (ended, thrown) = match outcome {
            Outcome::Returned(value) => return Ok(value),
            Outcome::Threw(index) => (THREW, RefHandle::Host(index)),
            Outcome::Exception(handle) => (EXCEPTION, handle),
            Outcome::Aborted => (ABORTED, RefHandle::Null),
        };
        let slot = ValRaw::u64(thrown.to_bits());
        self.frame.write(&[slot]);
        Err(ended)
    }
}
