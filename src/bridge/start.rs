//! The ops that `host:wasm` calls once, while it starts.

use std::rc::Rc;

use deno_core::{OpState, op2, v8};

use super::isolate;
use super::state::Bridge;
use crate::runtime::WasmError;

/// Returns the call frame as a `SharedArrayBuffer`, and binds the runtime to this isolate.
///
/// # Errors
/// `RuntimeError` the second time: `host:wasm` takes the frame while it starts, and scripts must not get it.
#[op2(reentrant)]
pub(crate) fn op_wasm_call_frame<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &mut OpState,
) -> Result<v8::Local<'s, v8::SharedArrayBuffer>, WasmError> {
    let context = &state.borrow::<Rc<Bridge>>().context;
    if context.isolate().is_some() {
        return Err(WasmError::runtime("host:wasm has taken the call frame"));
    }
    context.bind(scope);
    Ok(context.frame.to_shared_array_buffer(scope))
}

/// Whether `host:wasm` installs the global `WebAssembly`. Then the engine compiles no WebAssembly for this runtime any
/// more, by whichever way a script finds the engine's own `WebAssembly` again.
#[op2(nofast)]
pub(crate) fn op_wasm_installs_global(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
) -> bool {
    let capabilities = state.borrow::<Rc<Bridge>>().state.capabilities();
    let installs = capabilities.webassembly_global;
    if installs {
        isolate::refuse_own_webassembly(scope);
    }
    installs
}

/// Sets the function that calls imports.
///
/// # Errors
/// `RuntimeError` the second time: `host:wasm` sets it while it starts.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_set_import_dispatcher(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    dispatcher: v8::Local<'_, v8::Function>,
) -> Result<(), WasmError> {
    let context = &state.borrow::<Rc<Bridge>>().context;
    if context.dispatcher.borrow().is_some() {
        return Err(WasmError::runtime(
            "host:wasm has bound the function that runs imports",
        ));
    }
    let dispatcher = v8::Global::new(scope, dispatcher);
    context.dispatcher.replace(Some(dispatcher));
    Ok(())
}
