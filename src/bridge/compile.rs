//! Ops on modules.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use deno_core::{JsBuffer, OpState, op2};
use serde::Serialize;
use tokio::sync::Notify;

use super::Bridge;
use super::error::to_json;
use crate::runtime::{Compiler, ExportInfo, ImportInfo, WasmError, WasmErrorCode, WasmModule};

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

/// Compiles that a script may give up, by the numbers that it gave them.
#[derive(Default)]
pub struct Tickets(RefCell<HashMap<u32, Rc<Notify>>>);

/// Takes a ticket's number back when its compile is over, or its op is dropped.
struct Ticket {
    bridge: Rc<Bridge>,
    number: u32,
    given_up: Rc<Notify>,
}

impl Ticket {
    /// `None` for 0, the number of what is never given up.
    fn new(bridge: &Rc<Bridge>, number: u32) -> Option<Self> {
        if number == 0 {
            return None;
        }
        let given_up = Rc::new(Notify::new());
        let tickets = &mut *bridge.tickets.0.borrow_mut();
        tickets.insert(number, given_up.clone());
        Some(Self {
            bridge: bridge.clone(),
            number,
            given_up,
        })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.bridge.tickets.0.borrow_mut().remove(&self.number);
    }
}

/// Has `work` done away from the event loop, when its turn comes; or here, if JavaScript runs where no
/// event loop is: an embedder may evaluate a script outside of tokio.
async fn in_line<R: Send + 'static>(
    bridge: &Rc<Bridge>,
    ticket: u32,
    work: impl FnOnce(&Compiler) -> Result<R, WasmError> + Send + 'static,
) -> Result<R, WasmError> {
    let compiler = bridge.state.compiler();
    if tokio::runtime::Handle::try_current().is_err() {
        return compiler.in_turn(work);
    }
    let waiting = compiler.in_line(work)?;
    let Some(ticket) = Ticket::new(bridge, ticket) else {
        return waiting.await;
    };
    tokio::select! {
        biased;
        result = waiting => result,
        () = ticket.given_up.notified() => Err(WasmError::new(
            WasmErrorCode::CompileError,
            "the compile was given up",
        )),
    }
}

/// Gives up the compile with this ticket, if it has not ended.
#[op2(fast)]
pub fn op_wasm_give_up(state: &mut OpState, ticket: u32) {
    let tickets = state.borrow::<Rc<Bridge>>().tickets.0.borrow();
    if let Some(given_up) = tickets.get(&ticket) {
        given_up.notify_one();
    }
}

impl Bridge {
    /// A copy of a source, unless it is too large to be copied: JavaScript may change the bytes meanwhile.
    fn copy(&self, source: &[u8]) -> Result<Vec<u8>, WasmError> {
        self.state.compiler().check_size(source)?;
        Ok(source.to_vec())
    }
}

#[op2(reentrant)]
#[string]
pub async fn op_wasm_compile(
    state: Rc<RefCell<OpState>>,
    #[buffer] source: JsBuffer,
    ticket: u32,
) -> Result<String, WasmError> {
    let bridge = Bridge::of(&state);
    let bytes = bridge.copy(&source)?;
    drop(source);
    let code = match bridge.state.compiler().find_small(&bytes) {
        Some(code) => {
            if bridge.is_turn_due() {
                tokio::task::yield_now().await;
            }
            code
        }
        None => in_line(&bridge, ticket, move |compiler| compiler.compile(&bytes)).await?,
    };
    bridge.state.add_module(code).map(ModuleInfo::of)
}

#[op2(reentrant)]
#[string]
pub async fn op_wasm_compile_file(
    state: Rc<RefCell<OpState>>,
    #[string] path: String,
    ticket: u32,
) -> Result<String, WasmError> {
    let bridge = Bridge::of(&state);
    let files = bridge.state.files();
    let compile = move |compiler: &Compiler| {
        let source = files.read(&PathBuf::from(path), compiler.max_source_bytes())?;
        compiler.compile(&source)
    };
    let code = in_line(&bridge, ticket, compile).await?;
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
    let code = bridge.state.module(module)?.code();
    let checks = bridge.state.checks(store)?;
    let prepare = move |compiler: &Compiler| compiler.prepare(&code, checks);
    in_line(&bridge, 0, prepare).await
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

#[op2(nofast, reentrant)]
pub fn op_wasm_validate(state: &mut OpState, #[buffer] source: &[u8]) -> Result<bool, WasmError> {
    let bridge = state.borrow::<Rc<Bridge>>();
    let validated = bridge.state.compiler().validate(source);
    validated.map_err(|error| {
        let message = format!("{}: validateAsync takes more", error.message);
        WasmError::new(error.code, message)
    })
}

#[op2(reentrant)]
pub async fn op_wasm_validate_async(
    state: Rc<RefCell<OpState>>,
    #[buffer] source: JsBuffer,
    ticket: u32,
) -> Result<bool, WasmError> {
    let bridge = Bridge::of(&state);
    let bytes = bridge.copy(&source)?;
    drop(source);
    let validate = move |compiler: &Compiler| compiler.validate_at_length(&bytes);
    in_line(&bridge, ticket, validate).await
}

/// The contents of a module's custom sections of one name, one after another. Before them are, as numbers of 32 bits
/// in the byte order of the machine, how many there are and the length of each.
#[op2(reentrant)]
#[buffer]
pub fn op_wasm_custom_sections(
    state: &mut OpState,
    module: u32,
    #[string] name: String,
) -> Result<Vec<u8>, WasmError> {
    let module = state.borrow::<Rc<Bridge>>().state.module(module)?;
    let sections = module.custom_sections(&name);
    // A section's length is a number of 32 bits in the binary too, and their number is less than that of its bytes.
    let count = sections.len() as u32;
    let lengths = sections.iter().map(|data| data.len() as u32);
    let header = [count].into_iter().chain(lengths);
    let mut packed: Vec<u8> = header.flat_map(u32::to_ne_bytes).collect();
    for data in sections {
        packed.extend_from_slice(data);
    }
    Ok(packed)
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
