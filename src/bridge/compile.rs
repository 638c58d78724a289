//! Ops on modules.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use deno_core::{JsBuffer, OpState, op2};
use serde::Serialize;

use super::cancellation::Cancellation;
use super::error::to_json;
use super::protocol::{NOT_COMPILED, PREPARED, YIELD_DUE};
use super::state::Bridge;
use crate::runtime::{
    Code, Compiler, EngineChoice, ExportInfo, ImportInfo, StoreOptions, WasmError, WasmErrorCode,
    WasmModule,
};

/// The description of a module, for TypeScript.
#[derive(Serialize)]
pub(super) struct ModuleInfo {
    id: u32,
    exports: Arc<[ExportInfo]>,
    imports: Arc<[ImportInfo]>,
}

impl ModuleInfo {
    /// The description of a module, as JSON.
    pub(super) fn of(module: WasmModule) -> String {
        to_json(&Self {
            id: module.id,
            exports: module.exports,
            imports: module.imports,
        })
    }
}

/// Runs `work` on a thread of the compile queue when its turn comes. Where JavaScript runs outside of an event loop (an
/// embedder may evaluate a script outside of tokio), runs it here.
pub(super) async fn queued<R: Send + 'static>(
    bridge: &Rc<Bridge>,
    compiler: Compiler,
    cancellation: u32,
    work: impl FnOnce(&Compiler) -> Result<R, WasmError> + Send + 'static,
) -> Result<R, WasmError> {
    if tokio::runtime::Handle::try_current().is_err() {
        return compiler.in_turn(work);
    }
    let waiting = compiler.in_line(work)?;
    let Some(cancellation) = Cancellation::new(&bridge.cancellations, cancellation) else {
        return waiting.await;
    };
    tokio::select! {
        biased;
        result = waiting => result,
        () = cancellation.cancelled() => Err(WasmError::new(
            WasmErrorCode::CompileError,
            "the compile was given up",
        )),
    }
}

/// Returns the code that was `found` in the cache, after a turn of the event loop if one is due; or runs `work` as
/// [`queued`] does.
pub(super) async fn found_or_queued<R: Send + 'static>(
    bridge: &Rc<Bridge>,
    found: Option<R>,
    compiler: Compiler,
    cancellation: u32,
    work: impl FnOnce(&Compiler) -> Result<R, WasmError> + Send + 'static,
) -> Result<R, WasmError> {
    let Some(code) = found else {
        return queued(bridge, compiler, cancellation, work).await;
    };
    if bridge.is_yield_due() {
        tokio::task::yield_now().await;
    }
    Ok(code)
}

/// Cancels the compile that was given this number, if it has not ended.
#[op2(fast)]
pub(crate) fn op_wasm_cancel_compile(state: &mut OpState, cancellation: u32) {
    let bridge = state.borrow::<Rc<Bridge>>();
    bridge.cancellations.cancel(cancellation);
}

impl Bridge {
    /// A compiler for stores that need these checks, besides those that the host's caps need.
    pub(super) fn compiler(&self, fuel: bool, interrupt: bool) -> Compiler {
        self.state.compiler_with(StoreOptions {
            fuel: fuel.then_some(0),
            interruptible: interrupt,
            ..StoreOptions::default()
        })
    }

    /// A copy of a source, since JavaScript may change the bytes while they are compiled.
    ///
    /// # Errors
    /// `CompileError` if the source is over the cap on its size.
    pub(super) fn copy(&self, source: &[u8]) -> Result<Vec<u8>, WasmError> {
        self.state.compiler().check_size(source)?;
        Ok(source.to_vec())
    }
}

/// Compiles a module, and returns its description as JSON. The compile can be cancelled by a number other than 0. The code is
/// for stores that need checks for `fuel` and `interrupt`.
#[op2(reentrant)]
#[string]
pub(crate) async fn op_wasm_compile(
    state: Rc<RefCell<OpState>>,
    #[buffer] source: JsBuffer,
    cancellation: u32,
    fuel: bool,
    interrupt: bool,
) -> Result<String, WasmError> {
    let bridge = Bridge::of(&state);
    let compiler = bridge.compiler(fuel, interrupt);
    // Before the size, which has other caps for text.
    compiler.check_format(&source)?;
    let bytes = bridge.copy(&source)?;
    drop(source);
    compile(&bridge, compiler, cancellation, bytes).await
}

/// As [`op_wasm_compile`], of a module in the binary format, for the stores of a group.
#[op2(reentrant)]
#[string]
pub(crate) async fn op_wasm_compile_for(
    state: Rc<RefCell<OpState>>,
    #[buffer] source: JsBuffer,
    cancellation: u32,
    group: u32,
) -> Result<String, WasmError> {
    let bridge = Bridge::of(&state);
    let compiler = bridge.state.group_compiler(group)?;
    compiler.check_binary(&source)?;
    let bytes = bridge.copy(&source)?;
    drop(source);
    compile(&bridge, compiler, cancellation, bytes).await
}

/// As [`op_wasm_compile_for`], on this thread. It waits for its turn in the compile queue.
#[op2(reentrant)]
#[string]
pub(crate) fn op_wasm_compile_now(
    state: &mut OpState,
    #[buffer] source: &[u8],
    group: u32,
) -> Result<String, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let compiler = bridge.state.group_compiler(group)?;
    compiler.check_binary(source)?;
    let bytes = bridge.copy(source)?;
    let code = match compiler.find_small(&bytes) {
        Some(code) => code,
        None => compiler.in_turn(|compiler| compiler.compile(&bytes))?,
    };
    bridge.state.add_module(code).map(ModuleInfo::of)
}

/// Compiles a module with this compiler, and returns its description as JSON.
async fn compile(
    bridge: &Rc<Bridge>,
    compiler: Compiler,
    cancellation: u32,
    bytes: Vec<u8>,
) -> Result<String, WasmError> {
    let found = compiler.find_small(&bytes);
    let work = move |compiler: &Compiler| compiler.compile(&bytes);
    let code = found_or_queued(bridge, found, compiler, cancellation, work).await?;
    bridge.state.add_module(code).map(ModuleInfo::of)
}

/// As [`op_wasm_compile`], of the module in a file.
#[op2(reentrant)]
#[string]
pub(crate) async fn op_wasm_compile_file(
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
        compiler.compile(&source)
    };
    let code = queued(&bridge, compiler, cancellation, compile).await?;
    bridge.state.add_module(code).map(ModuleInfo::of)
}

/// How many compiles and instantiations that have nothing to wait for may follow each other without a turn of the event
/// loop. QuickJS's facade frees the garbage of ops only in such a turn, and an app that makes instances in a loop
/// should let other tasks run in between.
const READY_BEFORE_YIELD: u32 = 16;

/// The step that has to be done before the module is instantiated in the store.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_preparation(
    state: &mut OpState,
    module: u32,
    store: u32,
) -> Result<u32, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let (code, engine) = bridge.code(module, store)?;
    Ok(bridge.preparation(code.is_ready(engine)))
}

/// Compiles the module for the engine of the store.
#[op2(reentrant)]
pub(crate) async fn op_wasm_prepare(
    state: Rc<RefCell<OpState>>,
    module: u32,
    store: u32,
) -> Result<(), WasmError> {
    let bridge = Bridge::of(&state);
    let (code, engine) = bridge.code(module, store)?;
    let prepare = move |compiler: &Compiler| compiler.prepare(&code, engine);
    queued(&bridge, bridge.state.compiler(), 0, prepare).await
}

impl Bridge {
    /// Returns the step that has to be done before an instantiation. `is_ready`: there is machine code for the store.
    pub(super) fn preparation(&self, is_ready: bool) -> u32 {
        if !is_ready {
            NOT_COMPILED
        } else if self.is_yield_due() {
            YIELD_DUE
        } else {
            PREPARED
        }
    }

    /// Counts one more compile or instantiation that has nothing to wait for. Returns whether the event loop should
    /// have a turn first.
    pub(super) fn is_yield_due(&self) -> bool {
        let count = self.ready.get().wrapping_add(1);
        self.ready.set(count);
        count.is_multiple_of(READY_BEFORE_YIELD)
    }

    /// The code of a module, and the engine of a store.
    fn code(&self, module: u32, store: u32) -> Result<(Arc<Code>, EngineChoice), WasmError> {
        let code = self.state.module(module)?.code();
        Ok((code, self.state.engine_choice(store)?))
    }
}

/// Whether a source is a valid module.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_validate(
    state: &mut OpState,
    #[buffer] source: &[u8],
) -> Result<bool, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let validated = bridge.state.compiler().validate(source);
    validated.map_err(|error| {
        let message = format!("{}: validateAsync takes more", error.message);
        WasmError::new(error.code, message)
    })
}

/// As [`op_wasm_validate`], on a thread of the compile queue.
#[op2(reentrant)]
pub(crate) async fn op_wasm_validate_async(
    state: Rc<RefCell<OpState>>,
    #[buffer] source: JsBuffer,
    cancellation: u32,
) -> Result<bool, WasmError> {
    let bridge = Bridge::of(&state);
    let bytes = bridge.copy(&source)?;
    drop(source);
    let validate = move |compiler: &Compiler| compiler.validate_at_length(&bytes);
    queued(&bridge, bridge.state.compiler(), cancellation, validate).await
}

/// The contents of a module's custom sections of one name, one after another. Before the contents stand the number of
/// sections and the length of each, as 32-bit numbers in the byte order of the machine.
#[op2(reentrant)]
#[buffer]
pub(crate) fn op_wasm_custom_sections(
    state: &mut OpState,
    module: u32,
    #[string] name: String,
) -> Result<Vec<u8>, WasmError> {
    let module = state.borrow::<Rc<Bridge>>().state.module(module)?;
    let sections = module.custom_sections(&name);
    // In the binary, the length of a section is a 32-bit number too, and there are fewer sections than bytes.
    let count = sections.len() as u32;
    let lengths = sections.iter().map(|data| data.len() as u32);
    let header = [count].into_iter().chain(lengths);
    let mut packed: Vec<u8> = header.flat_map(u32::to_ne_bytes).collect();
    for data in sections {
        packed.extend_from_slice(data);
    }
    Ok(packed)
}

/// The index of the function behind each export of a module, in the order of the module, as 32-bit numbers in the byte
/// order of the machine; 0xffffffff for an export that is no function.
#[op2(reentrant)]
#[buffer]
pub(crate) fn op_wasm_export_indices(
    state: &mut OpState,
    module: u32,
) -> Result<Vec<u8>, WasmError> {
    let module = state.borrow::<Rc<Bridge>>().state.module(module)?;
    let indices = module.export_indices();
    let indices = indices.into_iter().map(|index| index.unwrap_or(u32::MAX));
    Ok(indices.flat_map(u32::to_ne_bytes).collect())
}

/// The most bytes of a module in the binary format.
#[op2(fast)]
pub(crate) fn op_wasm_max_binary_bytes(state: &mut OpState) -> f64 {
    let capabilities = state.borrow::<Rc<Bridge>>().state.capabilities();
    capabilities.module_limits.max_binary_bytes as f64
}

/// Whether the import at this index is a function with a type that a builtin function can have.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_has_plain_type(
    state: &mut OpState,
    module: u32,
    import: u32,
) -> Result<bool, WasmError> {
    let module = state.borrow::<Rc<Bridge>>().state.module(module)?;
    Ok(module.has_plain_type(import as usize))
}

/// Drops a module.
#[op2(fast)]
pub(crate) fn op_wasm_drop_module(state: &mut OpState, module: u32) {
    state.borrow::<Rc<Bridge>>().state.drop_module(module);
}
