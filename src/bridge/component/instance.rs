//! Ops on instances of components. An instance has the number of its store.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use deno_core::{OpState, op2, v8};

use crate::bridge::import::JsImport;
use crate::bridge::protocol::RETURNED;
use crate::bridge::scope::{self, StoreImports};
use crate::bridge::state::Bridge;
use crate::runtime::{HostFunction, WasmError};

/// Instantiates a component in a store without instances. `functions` are the JavaScript functions that the store
/// imports: at index 0 the state of the store, and behind it one for each function that the component imports. The component
/// calls the `imports` functions from index 1 on: more than these, where it drops resources of the host. Returns
/// the status of the run.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_instantiate_component<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    component: u32,
    store: u32,
    imports: u32,
    functions: v8::Local<'s, v8::Value>,
) -> Result<u32, WasmError> {
    let bridge = Bridge::of(&state);
    let wanted = bridge.state.component(component)?.host_functions();
    if imports as usize != wanted {
        let message = format!("the component needs {wanted} functions of the host");
        return Err(WasmError::instantiate(message));
    }
    let import = |number| -> Arc<dyn HostFunction> { Arc::new(JsImport::of_component(number)) };
    let hosts = (1..=imports).map(import).collect();
    let functions = StoreImports::of_sync_call(functions);
    let made = scope::enter(scope, &bridge.context, functions, || {
        bridge
            .state
            .instantiate_component_in(component, store, hosts)
    });
    Ok(match bridge.context.returned(made?) {
        Ok(_) => RETURNED,
        Err(status) => status,
    })
}

/// Drops a resource of a component, which runs its destructor. Returns the status of the run.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_drop_resource<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: Rc<RefCell<OpState>>,
    store: u32,
    handle: u32,
    imports: v8::Local<'s, v8::Value>,
) -> Result<u32, WasmError> {
    let bridge = Bridge::of(&state);
    let instance = bridge.state.component_instance(store)?;
    let imports = StoreImports::of_sync_call(imports);
    let dropped = scope::enter(scope, &bridge.context, imports, || {
        instance.drop_resource(handle)
    });
    Ok(match bridge.context.returned(dropped?) {
        Ok(()) => RETURNED,
        Err(status) => status,
    })
}

/// Whether a component instance has ended, because a call of it did not return.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_component_ended(state: &mut OpState, store: u32) -> Result<bool, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    Ok(bridge.state.component_instance(store)?.ended())
}

/// Has the next call of a component drop a resource first.
#[op2(fast, reentrant)]
pub(crate) fn op_wasm_drop_resource_later(
    state: &mut OpState,
    store: u32,
    handle: u32,
) -> Result<(), WasmError> {
    let state = &state.borrow::<Rc<Bridge>>().state;
    let cap = state.capabilities().max_references;
    state
        .component_instance(store)?
        .drop_resource_later(handle, cap)
}
