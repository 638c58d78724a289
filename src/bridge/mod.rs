//! Between JavaScript and the runtime: the ops, and what they need of the JS engine.

mod call;
mod call_numbers;
mod compile;
mod crossing;
mod error;
mod frame;
mod funcs;
mod import;
mod instance;
mod memory;
mod number;
mod objects;
mod running;
mod scope;
mod stack;
mod store;
mod transfer;
mod view;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use deno_core::{OpState, op2, v8};

pub use call::*;
pub use call_numbers::*;
pub use compile::*;
pub use instance::*;
pub use memory::*;
pub use objects::*;
pub use running::*;
pub use store::*;
pub use transfer::*;

use crate::runtime::{WasmError, WasmErrorCode, WasmState};
use crossing::Crossing;
use funcs::Funcs;
use running::Calls;

/// What the ops of one `JsRuntime` share.
pub struct Bridge {
    state: WasmState,
    crossing: Rc<Crossing>,
    funcs: Funcs,
    /// The calls that nobody waits for.
    calls: Calls,
    /// The compiles that may be given up.
    tickets: Tickets,
    /// The functions that transfer a buffer.
    guarded: Guarded,
    /// How often something was ready that need not have been.
    ready: Cell<u32>,
}

impl Bridge {
    fn new(state: WasmState) -> Self {
        Self {
            state,
            crossing: Rc::new(Crossing::new()),
            funcs: Funcs::default(),
            calls: Calls::default(),
            tickets: Tickets::default(),
            guarded: Guarded::default(),
            ready: Cell::default(),
        }
    }

    /// Puts a bridge to `wasm` where ops find it.
    pub fn put(state: &mut OpState, wasm: WasmState) {
        state.put(Rc::new(Self::new(wasm)));
    }

    /// See [`crate::frame_bits`].
    pub fn frame_bits(&self, count: usize) -> Vec<u128> {
        let slots = self.crossing.frame.read(count);
        slots.iter().map(wasmtime::ValRaw::get_v128).collect()
    }

    /// The bridge of the runtime that `ops` belongs to. The borrow ends here: ops that run JS
    /// hold on to this instead.
    fn of(ops: &Rc<RefCell<OpState>>) -> Rc<Self> {
        ops.borrow().borrow::<Rc<Self>>().clone()
    }
}

/// Takes the function that runs imports, and returns the call frame as a `SharedArrayBuffer`.
///
/// # Errors
/// `RuntimeError` if there is such a function already: `host:wasm` binds it while it starts.
#[op2(reentrant)]
pub fn op_wasm_bind<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
    dispatch: v8::Local<'s, v8::Function>,
) -> Result<v8::Local<'s, v8::SharedArrayBuffer>, WasmError> {
    let crossing = &state.borrow::<Rc<Bridge>>().crossing;
    if crossing.dispatch.borrow().is_some() {
        return Err(WasmError::new(
            WasmErrorCode::RuntimeError,
            "host:wasm has bound the function that runs imports",
        ));
    }
    crossing.bind(scope);
    let dispatch = v8::Global::new(scope, dispatch);
    crossing.dispatch.replace(Some(dispatch));
    Ok(crossing.frame.to_shared_array_buffer(scope))
}
