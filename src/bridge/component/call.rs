//! Ops on calls of components, and on their calls of imports. Values cross as bytes.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{OpState, op2, v8};

use crate::bridge::call_async::call_options;
use crate::bridge::protocol::RETURNED;
use crate::bridge::scope::{self, StoreImports};
use crate::bridge::state::Bridge;
use crate::bridge::unfinished_calls::UnfinishedCall;
use crate::runtime::WasmError;

/// Calls an exported function. Its arguments are the first `length` bytes of `args`. Returns the status.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_call_component<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    store: u32,
    function: u32,
    // The guest runs JavaScript, which may detach or change the buffer.
    #[buffer(copy)] args: Vec<u8>,
    imports: v8::Local<'s, v8::Value>,
) -> Result<u32, WasmError> {
    let bridge = Bridge::of(&state);
    let imports = StoreImports::of_sync_call(imports);
    let called = scope::enter(scope, &bridge.context, imports, || {
        bridge.state.call_component(store, function, &args)
    });
    Ok(match bridge.context.returned(called?) {
        Ok(()) => RETURNED,
        Err(status) => status,
    })
}

/// Starts an asynchronous call of an exported function, and returns the number of the call. A negative timeout stands for
/// none.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_start_component_call(
    state: &mut OpState,
    store: u32,
    function: u32,
    #[buffer] args: &[u8],
    #[number] timeout_ms: i64,
    abortable: bool,
) -> Result<u32, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    bridge.check_room_for_call()?;
    let options = call_options(timeout_ms, abortable);
    let call = bridge
        .state
        .start_component_call(store, function, args, options)?;
    Ok(bridge.calls.add(UnfinishedCall::Running(Rc::new(call))))
}

/// The results of a call that has returned, as bytes.
#[op2(reentrant)]
#[buffer]
pub(crate) fn op_wasm_component_results(
    state: &mut OpState,
    store: u32,
    function: u32,
) -> Result<Vec<u8>, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    bridge.state.component_results(store, function)
}

/// The arguments of the import that a component calls, as bytes.
#[op2(reentrant)]
#[buffer]
pub(crate) fn op_wasm_import_arguments(
    state: &mut OpState,
    store: u32,
) -> Result<Vec<u8>, WasmError> {
    state.borrow::<Rc<Bridge>>().state.import_arguments(store)
}

/// Gives the import that a component calls its results, as bytes.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_set_import_results(
    state: &mut OpState,
    store: u32,
    #[buffer] results: &[u8],
) -> Result<(), WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    bridge.state.set_import_results(store, results)
}
