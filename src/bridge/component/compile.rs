//! Ops on components.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use deno_core::{JsBuffer, OpState, op2};

use crate::bridge::compile::{found_or_queued, queued};
use crate::bridge::error::to_json;
use crate::bridge::state::Bridge;
use crate::runtime::{Compiler, WasmComponent, WasmError};

/// The description of a component, as JSON.
fn describe(component: WasmComponent) -> String {
    to_json(&component.description())
}

/// Compiles a component, and returns its description as JSON. The other arguments are those of `op_wasm_compile`.
#[op2(reentrant)]
#[string]
pub(crate) async fn op_wasm_compile_component(
    state: Rc<RefCell<OpState>>,
    #[buffer] source: JsBuffer,
    cancellation: u32,
    fuel: bool,
    interrupt: bool,
) -> Result<String, WasmError> {
    let bridge = Bridge::of(&state);
    let compiler = bridge.compiler(fuel, interrupt);
    compiler.check_component_format(&source)?;
    let bytes = bridge.copy(&source)?;
    drop(source);
    let found = compiler.find_small_component(&bytes);
    let work = move |compiler: &Compiler| compiler.compile_component(&bytes);
    let code = found_or_queued(&bridge, found, compiler, cancellation, work).await?;
    bridge.state.add_component(code).map(describe)
}

/// As [`op_wasm_compile_component`], of the component in a file.
#[op2(reentrant)]
#[string]
pub(crate) async fn op_wasm_compile_component_file(
    state: Rc<RefCell<OpState>>,
    #[string] path: String,
    cancellation: u32,
    fuel: bool,
    interrupt: bool,
) -> Result<String, WasmError> {
    let bridge = Bridge::of(&state);
    let compiler = bridge.compiler(fuel, interrupt);
    let files = bridge.state.files();
    let compile = move |compiler: &Compiler| {
        let source = files.read(&PathBuf::from(path), compiler.max_source_bytes())?;
        compiler.compile_component(&source)
    };
    let code = queued(&bridge, compiler, cancellation, compile).await?;
    bridge.state.add_component(code).map(describe)
}

/// The step that has to be done before the component is instantiated in the store.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_component_preparation(
    state: &mut OpState,
    component: u32,
    store: u32,
) -> Result<u32, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let component = bridge.state.component(component)?;
    let checks = bridge.state.checks(store)?;
    Ok(bridge.preparation(component.code.is_ready(checks)))
}

/// Compiles the component for the engine of the store.
#[op2(reentrant)]
pub(crate) async fn op_wasm_prepare_component(
    state: Rc<RefCell<OpState>>,
    component: u32,
    store: u32,
) -> Result<(), WasmError> {
    let bridge = Bridge::of(&state);
    let code = bridge.state.component(component)?.code;
    let checks = bridge.state.checks(store)?;
    let prepare = move |compiler: &Compiler| compiler.prepare_component(&code, checks);
    queued(&bridge, bridge.state.compiler(), 0, prepare).await
}

/// The imports and exports of a component in WIT.
#[op2(reentrant)]
#[string]
pub(crate) fn op_wasm_component_wit(
    state: &mut OpState,
    component: u32,
) -> Result<String, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    bridge.state.component(component)?.interface().wit()
}

/// TypeScript declarations of the imports and exports of a component.
#[op2(reentrant)]
#[string]
pub(crate) fn op_wasm_component_types(
    state: &mut OpState,
    component: u32,
) -> Result<String, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    bridge.state.component(component)?.interface().types()
}

/// Drops a component.
#[op2(fast)]
pub(crate) fn op_wasm_drop_component(state: &mut OpState, component: u32) {
    let bridge = state.borrow::<Rc<Bridge>>();
    bridge.state.drop_component(component);
}
