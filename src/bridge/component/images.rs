//! Ops on calls of components whose values cross as images: the head in the call frame, and the heap in a buffer.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{OpState, op2, v8};

use crate::bridge::call_async::call_options;
use crate::bridge::protocol::RETURNED;
use crate::bridge::scope::{self, StoreImports};
use crate::bridge::state::Bridge;
use crate::bridge::unfinished_calls::UnfinishedCall;
use crate::runtime::component_images::{ImageCall, Lifted, pack};
use crate::runtime::{ComponentInstance, WasmError};

/// Calls an exported function with the image of its arguments. Returns the status. The head of its results is then in the
/// call frame.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_call_image<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    store: u32,
    function: u32,
    // The guest runs JavaScript, which may detach or change the buffer.
    #[buffer(copy)] image: Vec<u8>,
    imports: v8::Local<'s, v8::Value>,
) -> Result<u32, WasmError> {
    let bridge = Bridge::of(&state);
    let instance = bridge.state.component_instance(store)?;
    let call = bridge.state.image_call(&instance, function, image)?;
    run(scope, &bridge, &instance, call, imports)
}

/// As [`op_wasm_call_image`], with an image that is no more than its head, in the call frame.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_call_slots<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    store: u32,
    function: u32,
    imports: v8::Local<'s, v8::Value>,
) -> Result<u32, WasmError> {
    let bridge = Bridge::of(&state);
    let instance = bridge.state.component_instance(store)?;
    let slots = bridge.context.frame.slots();
    let call = bridge.state.slots_call(&instance, function, slots)?;
    run(scope, &bridge, &instance, call, imports)
}

fn run<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    bridge: &Bridge,
    instance: &ComponentInstance,
    call: ImageCall,
    imports: v8::Local<'s, v8::Value>,
) -> Result<u32, WasmError> {
    let imports = StoreImports::of_sync_call(imports);
    let called = scope::enter(scope, &bridge.context, imports, || instance.run_image(call));
    Ok(match bridge.context.returned(called?) {
        Ok(Lifted { head, heap }) => {
            bridge.context.frame.write(&pack(&head, 0));
            instance.store().put_lifted(Lifted {
                head: Vec::new(),
                heap,
            });
            RETURNED
        }
        Err(status) => status,
    })
}

/// Starts an asynchronous call of an exported function with the image of its arguments, and returns the number of the
/// call. A negative timeout stands for none.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_start_image_call(
    state: &mut OpState,
    store: u32,
    function: u32,
    #[buffer] image: &[u8],
    #[number] timeout_ms: i64,
    abortable: bool,
) -> Result<u32, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    bridge.check_room_for_call()?;
    let options = call_options(timeout_ms, abortable);
    let call = bridge
        .state
        .start_image_call(store, function, image, options)?;
    Ok(bridge.calls.add(UnfinishedCall::Running(Rc::new(call))))
}

/// Puts the head of the results of an asynchronous call that has returned into the call frame.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_component_head(state: &mut OpState, store: u32) -> Result<(), WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let head = bridge.state.store(store)?.take_component_head();
    bridge.context.frame.write(&pack(&head, 0));
    Ok(())
}

/// Takes the heap of the values that came out of a component last.
#[op2(reentrant)]
#[buffer]
pub(crate) fn op_wasm_component_heap(
    state: &mut OpState,
    store: u32,
) -> Result<Vec<u8>, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    Ok(bridge.state.store(store)?.take_component_heap())
}

/// As [`op_wasm_component_heap`], as the string that is all of it.
#[op2(reentrant)]
#[string]
pub(crate) fn op_wasm_component_text(state: &mut OpState, store: u32) -> Result<String, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let heap = bridge.state.store(store)?.take_component_heap();
    String::from_utf8(heap).map_err(|_| WasmError::mismatch("not UTF-8"))
}

/// The string of so many bytes at a place in a heap.
#[op2(reentrant)]
#[string]
pub(crate) fn op_wasm_heap_text(#[buffer] heap: &[u8], at: u32, length: u32) -> String {
    let bytes = heap.get(at as usize..).unwrap_or_default();
    let bytes = bytes.get(..length as usize).unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

/// The most bytes that the values of one call may take.
#[op2(fast, reentrant)]
#[number]
pub(crate) fn op_wasm_max_value_bytes(state: &mut OpState) -> u64 {
    let capabilities = state.borrow::<Rc<Bridge>>().state.capabilities();
    // JavaScript's numbers are exact up to this one.
    capabilities.max_component_value_bytes.min((1 << 53) - 1)
}
