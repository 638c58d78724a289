//! The state of the ops, in the `OpState` of a `JsRuntime`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use deno_core::{OpState, v8};

use super::cancellation::Cancellations;
use super::funcs::Funcs;
use super::js_call_context::JsCallContext;
use super::unfinished_calls::UnfinishedCalls;
use crate::runtime::WasmState;

/// The state that the ops of one `JsRuntime` share.
pub(crate) struct Bridge {
    pub state: Rc<WasmState>,
    pub context: Rc<JsCallContext>,
    pub funcs: Funcs,
    /// The asynchronous and the suspendable calls that have not ended.
    pub calls: UnfinishedCalls,
    /// The compiles that can be cancelled.
    pub cancellations: Rc<Cancellations>,
    /// The functions of the engine that transfer a buffer: see `transfer`.
    pub transfer_functions: RefCell<Vec<v8::Global<v8::Function>>>,
    /// Number of compiles and instantiations that had nothing to wait for: see `compile`.
    pub ready: Cell<u32>,
}

impl Bridge {
    fn new(state: WasmState) -> Self {
        Self {
            state: Rc::new(state),
            context: Rc::new(JsCallContext::new()),
            funcs: Funcs::default(),
            calls: UnfinishedCalls::default(),
            cancellations: Rc::default(),
            transfer_functions: RefCell::default(),
            ready: Cell::default(),
        }
    }

    /// Puts a bridge to `wasm` where ops find it.
    pub(crate) fn put(state: &mut OpState, wasm: WasmState) {
        state.put(Rc::new(Self::new(wasm)));
    }

    /// See [`crate::frame_bits`].
    #[cfg(feature = "testing")]
    pub(crate) fn frame_bits(&self, count: usize) -> Vec<u128> {
        let slots = self.context.frame.read(count);
        slots.iter().map(wasmtime::ValRaw::get_v128).collect()
    }

    /// The bridge of the runtime that `ops` belongs to. The borrow ends here: an op that runs JavaScript holds the
    /// bridge, and not a borrow of the `OpState`.
    pub(crate) fn of(ops: &Rc<RefCell<OpState>>) -> Rc<Self> {
        ops.borrow().borrow::<Rc<Self>>().clone()
    }
}
