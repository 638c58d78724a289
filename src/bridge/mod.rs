//! Between JavaScript and the runtime: the ops, and what they need of the JS engine.

mod call;
mod call_numbers;
mod compile;
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
mod store;
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

use crate::runtime::WasmState;
use frame::Frame;
use funcs::Funcs;
use running::Calls;

/// What the ops of one `JsRuntime` share.
pub struct Bridge {
    state: WasmState,
    frame: Frame,
    /// `dispatch` of `ts/host_import.ts`: runs the function behind an import.
    dispatch: RefCell<Option<v8::Global<v8::Function>>>,
    funcs: Funcs,
    /// The calls that nobody waits for.
    calls: Calls,
    /// How often something was ready that need not have been.
    ready: Cell<u32>,
}

impl Bridge {
    fn new(state: WasmState) -> Self {
        Self {
            state,
            frame: Frame::new(),
            dispatch: RefCell::default(),
            funcs: Funcs::default(),
            calls: Calls::default(),
            ready: Cell::default(),
        }
    }

    /// Puts a bridge to `wasm` where ops find it.
    pub fn put(state: &mut OpState, wasm: WasmState) {
        state.put(Rc::new(Self::new(wasm)));
        state.put(Forget);
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

    /// Runs `f` with the bridge that [`Bridge::of`] returns, for which it does not have to look if it
    /// is the one of last time.
    #[inline]
    fn with<R>(ops: &Rc<RefCell<OpState>>, f: impl FnOnce(&Self) -> R) -> R {
        let (last, bridge) = LAST.get();
        if !std::ptr::eq(last, Rc::as_ptr(ops)) {
            let bridge = Self::of(ops);
            LAST.set((Rc::as_ptr(ops), Rc::as_ptr(&bridge)));
            return f(&bridge);
        }
        // SAFETY: the pointer came from an `Rc`. It is the bridge of `ops`, which is alive: only together
        // with a `Forget` does a bridge leave its state, since nobody else can name its type, and that
        // would have emptied `LAST`, on the same thread: they are not `Send`. What `f` runs may do so.
        let bridge = unsafe {
            Rc::increment_strong_count(bridge);
            Rc::from_raw(bridge)
        };
        f(&bridge)
    }
}

thread_local! {
    /// A state, and its bridge.
    static LAST: Cell<(*const RefCell<OpState>, *const Bridge)> = const { Cell::new(NOTHING) };
}

const NOTHING: (*const RefCell<OpState>, *const Bridge) = (std::ptr::null(), std::ptr::null());

/// Has the thread forget the bridge of the state that this is in, when that goes.
struct Forget;

impl Drop for Forget {
    fn drop(&mut self) {
        LAST.set(NOTHING);
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
