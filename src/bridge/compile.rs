//! Ops on modules.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use deno_core::{OpState, ToJsBuffer, op2};
use serde::Serialize;

use super::Bridge;
use super::error::to_json;
use crate::runtime::{Code, ExportInfo, ImportInfo, WasmError, WasmErrorCode, WasmModule};

/// A module, as `host:wasm` presents it.
#[derive(Serialize)]
struct ModuleInfo {
    id: u32,
    exports: Arc<[ExportInfo]>,
    imports: Arc<[ImportInfo]>,
}

impl ModuleInfo {
    /// What is known of a module, as JSON.
    fn of(module: WasmModule) -> String {
        to_json(&Self {
            id: module.id,
            exports: module.exports,
            imports: module.imports,
        })
    }
}

/// Runs `work` away from the event loop; or here, if JavaScript runs where no event loop is: an
/// embedder may evaluate a script outside of tokio.
async fn off_thread<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, WasmError> + Send + 'static,
) -> Result<R, WasmError> {
    let Ok(tokio) = tokio::runtime::Handle::try_current() else {
        return work();
    };
    tokio.spawn_blocking(work).await.map_err(|error| {
        WasmError::new(
            WasmErrorCode::CompileError,
            format!("the compiler failed: {error}"),
        )
    })?
}

#[op2(reentrant)]
#[string]
pub async fn op_wasm_compile(
    state: Rc<RefCell<OpState>>,
    #[buffer(copy)] source: Vec<u8>,
) -> Result<String, WasmError> {
    let bridge = Bridge::of(&state);
    let compiler = bridge.state.compiler();
    let code = match compiler.find_small(&source) {
        Some(code) => {
            if bridge.is_turn_due() {
                tokio::task::yield_now().await;
            }
            code
        }
        None => off_thread(move || compiler.compile(&source)).await?,
    };
    bridge.state.add_module(code).map(ModuleInfo::of)
}

#[op2(reentrant)]
#[string]
pub async fn op_wasm_compile_file(
    state: Rc<RefCell<OpState>>,
    #[string] path: String,
) -> Result<String, WasmError> {
    let bridge = Bridge::of(&state);
    let compiler = bridge.state.compiler();
    let files = bridge.state.files();
    let compile = move || compiler.compile(&files.read(&PathBuf::from(path))?);
    let code: Arc<Code> = off_thread(compile).await?;
    bridge.state.add_module(code).map(ModuleInfo::of)
}

/// How many things that are ready may be had one after another without a turn of the event loop.
/// QuickJS's facade frees what they leave behind only there, and an app that makes instances in a
/// loop should not keep everything else from its turn anyway.
const READY_BEFORE_TURN: u32 = 16;

/// Whether the module can be instantiated in the store right away. Now and then it should not be,
/// though it could: then, too, it is to be prepared.
#[op2(nofast, reentrant)]
pub fn op_wasm_is_ready(state: &mut OpState, module: u32, store: u32) -> Result<bool, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    if !bridge.is_compiled(module, store)? {
        return Ok(false);
    }
    Ok(!bridge.is_turn_due())
}

/// Makes sure that the module's machine code for the store's engine exists, or else takes a turn.
#[op2(reentrant)]
pub async fn op_wasm_prepare(
    state: Rc<RefCell<OpState>>,
    module: u32,
    store: u32,
) -> Result<(), WasmError> {
    let bridge = Bridge::of(&state);
    if bridge.is_compiled(module, store)? {
        tokio::task::yield_now().await;
        return Ok(());
    }
    let compiler = bridge.state.compiler();
    let code = bridge.state.module(module)?.code();
    let checks = bridge.state.checks(store)?;
    off_thread(move || compiler.prepare(&code, checks)).await
}

impl Bridge {
    /// Counts one more thing that was ready. Returns whether the event loop should have a turn first.
    fn is_turn_due(&self) -> bool {
        let count = self.ready.get().wrapping_add(1);
        self.ready.set(count);
        count.is_multiple_of(READY_BEFORE_TURN)
    }

    fn is_compiled(&self, module: u32, store: u32) -> Result<bool, WasmError> {
        let code = self.state.module(module)?.code();
        Ok(code.is_ready(self.state.checks(store)?))
    }
}

#[op2(fast)]
pub fn op_wasm_validate(state: &mut OpState, #[buffer] source: &[u8]) -> bool {
    let bridge = state.borrow::<Rc<Bridge>>();
    bridge.state.compiler().validate(source)
}

#[op2(reentrant)]
#[serde]
pub fn op_wasm_custom_sections(
    state: &mut OpState,
    module: u32,
    #[string] name: String,
) -> Result<Vec<ToJsBuffer>, WasmError> {
    let module = state.borrow::<Rc<Bridge>>().state.module(module)?;
    let sections = module.custom_sections(&name);
    Ok(sections.iter().map(|data| data.to_vec().into()).collect())
}

#[op2(fast)]
pub fn op_wasm_drop_module(state: &mut OpState, module: u32) {
    state.borrow::<Rc<Bridge>>().state.drop_module(module);
}

/// How many modules were compiled and neither dropped nor collected.
#[op2(fast)]
pub fn op_wasm_live_modules(state: &mut OpState) -> u32 {
    let live = state.borrow::<Rc<Bridge>>().state.live_modules();
    u32::try_from(live).unwrap_or(u32::MAX)
}
