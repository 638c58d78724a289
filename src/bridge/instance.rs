//! Ops on instances and functions.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{OpState, op2, v8};
use serde::Deserialize;

use super::import::JsImport;
use super::{Bridge, scope};
use crate::runtime::{ExternInfo, Import, Outcome, RefHandle, WasmError, WasmStore};

/// What an import is satisfied with; the numbers are those of the instance's store.
#[derive(Deserialize)]
#[serde(tag = "kind", content = "handle", rename_all = "lowercase")]
pub enum JsExtern {
    Function(u32),
    Memory(u32),
    Global(u32),
    Table(u32),
    Tag(u32),
    /// A JavaScript function, under the number that `dispatch` takes.
    Host(u32),
    /// A function of WASI, of which the module tells which.
    Wasi(u32),
}

impl From<JsExtern> for Import {
    fn from(import: JsExtern) -> Self {
        match import {
            JsExtern::Function(handle) => Self::Func(handle),
            JsExtern::Memory(handle) => Self::Memory(handle),
            JsExtern::Global(handle) => Self::Global(handle),
            JsExtern::Table(handle) => Self::Table(handle),
            JsExtern::Tag(handle) => Self::Tag(handle),
            JsExtern::Host(index) => Self::Host(Box::new(JsImport(index))),
            JsExtern::Wasi(_) => Self::Wasi,
        }
    }
}

/// How a run of guest code ended, as `host:wasm` is told. What was thrown is in the frame's
/// first slot.
pub(super) const RETURNED: u32 = 0;
const THREW: u32 = 1;
const EXCEPTION: u32 = 2;
const ABORTED: u32 = 3;
/// It has not ended: see `running`.
pub(super) const RUNNING: u32 = 4;
pub(super) const WAITING: u32 = 5;

/// Ends a run: tells JavaScript about growths, and leaves what was thrown in the frame. Returns
/// what the run did, or how else it ended.
pub(super) fn finish<T>(
    bridge: &Bridge,
    store: &WasmStore,
    outcome: Result<Outcome<T>, WasmError>,
) -> Result<Result<T, u32>, WasmError> {
    if let Ok(growths) = store.growths() {
        bridge.frame.set_growths(growths);
    }
    let (ended, thrown) = match outcome? {
        Outcome::Returned(value) => return Ok(Ok(value)),
        Outcome::Threw(index) => (THREW, RefHandle::Host(index)),
        Outcome::Exception(handle) => (EXCEPTION, handle),
        Outcome::Aborted => (ABORTED, RefHandle::Null),
    };
    let slot = wasmtime::ValRaw::u64(thrown.to_bits());
    bridge.frame.write(&[slot]);
    Ok(Err(ended))
}

/// Instantiates a module. Returns how it ended, and the instance's number if it came to be.
#[op2(reentrant)]
#[serde]
pub fn op_wasm_instantiate(
    scope: &mut v8::PinScope<'_, '_>,
    state: Rc<RefCell<OpState>>,
    module: u32,
    store: u32,
    #[serde] imports: Vec<JsExtern>,
) -> Result<(u32, u32), WasmError> {
    let bridge = Bridge::of(&state);
    let imports = imports.into_iter().map(Import::from).collect();
    let target = bridge.state.store(store)?;
    let made = scope::enter(scope, &bridge, || {
        bridge.state.instantiate(module, store, imports)
    });
    Ok(match finish(&bridge, &target, made)? {
        Ok(instance) => (RETURNED, instance.id),
        Err(thrown) => (thrown, 0),
    })
}

/// Calls a function with its arguments in the frame, which its results replace. Returns how it
/// ended.
#[op2(nofast, reentrant)]
pub fn op_wasm_call(
    scope: &mut v8::PinScope<'_, '_>,
    state: Rc<RefCell<OpState>>,
    store: u32,
    func: u32,
) -> Result<u32, WasmError> {
    let bridge = Bridge::of(&state);
    let store = bridge.state.store(store)?;
    let func = store.func(func)?;
    let mut frame = bridge.frame.read(func.signature().slots());
    let called = scope::enter(scope, &bridge, || {
        store.call_frame(func.handle(), &mut frame)
    });
    Ok(match finish(&bridge, &store, called)? {
        Ok(()) => {
            bridge.frame.write(&frame);
            RETURNED
        }
        Err(thrown) => thrown,
    })
}

/// The number that an export has in its store.
#[op2(fast)]
pub fn op_wasm_get_export(
    state: &mut OpState,
    instance: u32,
    #[string] name: &str,
) -> Result<u32, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let (_, handle) = bridge.state.instance(instance)?.export(name)?;
    Ok(handle)
}

/// The type of a function.
#[op2]
#[serde]
pub fn op_wasm_func_type(
    state: &mut OpState,
    store: u32,
    func: u32,
) -> Result<ExternInfo, WasmError> {
    let store = state.borrow::<Rc<Bridge>>().state.store(store)?;
    Ok(store.func(func)?.info())
}

#[op2(fast)]
pub fn op_wasm_drop_instance(state: &mut OpState, instance: u32) {
    state.borrow::<Rc<Bridge>>().state.drop_instance(instance);
}
