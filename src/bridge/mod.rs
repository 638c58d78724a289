//! Between JavaScript and the runtime: the ops, and what they need of the JS engine.

mod compile;
mod error;
mod frame;
mod import;
mod instance;
mod memory;
mod objects;
mod running;
mod scope;
mod store;
mod view;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use deno_core::{OpState, op2, v8};

pub use compile::*;
pub use instance::*;
pub use memory::*;
pub use objects::*;
pub use running::*;
pub use store::*;

use crate::runtime::WasmState;
use frame::Frame;
use running::Calls;

/// What the ops of one `JsRuntime` share.
pub struct Bridge {
    state: WasmState,
    frame: Frame,
    /// `dispatch` of `ts/host_import.ts`: runs the function behind an import.
    dispatch: RefCell<Option<v8::Global<v8::Function>>>,
    /// The calls that nobody waits for.
    calls: Calls,
    /// How often an instance was to be made of a module that was ready.
    ready: Cell<u32>,
}

impl Bridge {
    /// A bridge to `state`.
    pub fn new(state: WasmState) -> Self {
        Self {
            state,
            frame: Frame::new(),
            dispatch: RefCell::default(),
            calls: Calls::default(),
            ready: Cell::default(),
        }
    }

    /// See [`crate::frame_bits`].
    pub fn frame_bits(&self, count: usize) -> Vec<u128> {
        let slots = self.frame.read(count);
        slots.iter().map(wasmtime::ValRaw::get_v128).collect()
    }

    /// The bridge of the runtime that `ops` belongs to. The borrow ends here: ops that run JS
    /// hold on to this instead.
    fn of(ops: &Rc<RefCell<OpState>>) -> Rc<Self> {
        ops.borrow().borrow::<Rc<Self>>().clone()
    }
}

/// Takes the function that runs imports, and returns the call frame as an `ArrayBuffer`.
#[op2]
pub fn op_wasm_bind<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    #[scoped] dispatch: v8::Global<v8::Function>,
) -> v8::Local<'s, v8::ArrayBuffer> {
    let bridge = state.borrow::<Rc<Bridge>>();
    bridge.dispatch.replace(Some(dispatch));
    bridge.frame.to_array_buffer(scope)
}
