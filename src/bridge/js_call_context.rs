//! The objects that calls from JavaScript to guests and calls from guests to JavaScript share.

use std::cell::{Cell, RefCell};

use deno_core::v8;
use wasmtime::ValRaw;

use super::frame::Frame;
use super::isolate::IsolateId;
use super::protocol::{ABORTED, EXCEPTION, THREW};
use super::stack::JsStack;
use super::views::Views;
use crate::runtime::{Outcome, RefHandle};

/// The call frame of one `JsRuntime`, its import dispatcher, and the state that each call needs.
pub(crate) struct JsCallContext {
    /// The isolate of the runtime: no other isolate of the thread may call its guests.
    isolate: Cell<Option<IsolateId>>,
    /// The stack that imports run on.
    stack: Cell<JsStack>,
    pub frame: Frame,
    /// `dispatch` of `ts/dispatch.ts`, which calls an import.
    pub dispatcher: RefCell<Option<v8::Global<v8::Function>>>,
    /// The buffers that show the memories of guests.
    pub views: Views,
}

impl JsCallContext {
    pub(crate) fn new() -> Self {
        Self {
            isolate: Cell::default(),
            stack: Cell::new(JsStack::UNKNOWN),
            frame: Frame::new(),
            dispatcher: RefCell::default(),
            views: Views::default(),
        }
    }

    /// Binds the context to this isolate, and sets the isolate's stack limit to the limit of this thread.
    pub(crate) fn bind(&self, scope: &mut v8::PinScope<'_, '_>) {
        self.isolate.set(Some(IsolateId::of(scope)));
        self.stack.set(JsStack::of_thread(scope));
    }

    /// Whether the stack has room to start an asynchronous call.
    pub(crate) fn has_room_to_start(&self) -> bool {
        self.stack.get().has_room_to_start()
    }

    /// Whether the stack has room for the call of an import.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.stack.get().has_room()
    }

    /// The isolate that the context is bound to: `None` until `host:wasm` starts in it.
    pub(crate) fn isolate(&self) -> Option<IsolateId> {
        self.isolate.get()
    }

    /// Whether the context is bound to this isolate.
    #[inline]
    pub(crate) fn is_of(&self, isolate: &v8::Isolate) -> bool {
        self.isolate.get() == Some(IsolateId::of(isolate))
    }

    /// The value that a run of guest code returned. If it did not return, its status; then the thrown reference is in
    /// the first slot of the frame.
    #[inline]
    pub(crate) fn returned<T>(&self, outcome: Outcome<T>) -> Result<T, u32> {
        let (status, thrown) = match outcome {
            Outcome::Returned(value) => return Ok(value),
            Outcome::Threw(index) => (THREW, RefHandle::Host(index)),
            Outcome::Exception(handle) => (EXCEPTION, handle),
            Outcome::Aborted => (ABORTED, RefHandle::Null),
        };
        let slot = ValRaw::u64(thrown.to_bits());
        self.frame.write(&[slot]);
        Err(status)
    }
}
