//! Ops on stores.

use std::path::PathBuf;
use std::rc::Rc;

use deno_core::{JsBuffer, OpState, op2, v8};
use serde::Deserialize;

use super::Bridge;
use crate::runtime::{Preopen, StdioConfig, StoreOptions, WasiConfig, WasmError, WasmErrorCode};

/// `WasiConfig` of `host:wasm`, checked there.
#[derive(Deserialize)]
pub struct Wasi {
    args: Vec<String>,
    env: Vec<(String, String)>,
    /// The guest's name, the host's path, and whether it may only be read.
    preopens: Vec<(String, PathBuf, bool)>,
    stdin: Stdio,
    stdout: Stdio,
    stderr: Stdio,
}

#[derive(Deserialize)]
#[serde(tag = "kind", content = "bytes", rename_all = "lowercase")]
enum Stdio {
    Null,
    Inherit,
    Piped,
    Bytes(JsBuffer),
}

impl From<Stdio> for StdioConfig {
    fn from(stdio: Stdio) -> Self {
        match stdio {
            Stdio::Null => Self::Null,
            Stdio::Inherit => Self::Inherit,
            Stdio::Piped => Self::Piped,
            Stdio::Bytes(bytes) => Self::Bytes(bytes.to_vec()),
        }
    }
}

impl From<Wasi> for WasiConfig {
    fn from(wasi: Wasi) -> Self {
        let preopens = wasi.preopens.into_iter();
        let preopens = preopens.map(|(guest, host, readonly)| Preopen {
            guest,
            host,
            readonly,
        });
        Self {
            args: wasi.args,
            env: wasi.env,
            preopens: preopens.collect(),
            stdin: wasi.stdin.into(),
            stdout: wasi.stdout.into(),
            stderr: wasi.stderr.into(),
        }
    }
}

/// Makes a store with the `StoreOptions` of `host:wasm`, checked there. A negative number is none.
#[op2]
pub fn op_wasm_new_store(
    state: &mut OpState,
    #[number] fuel: i64,
    #[number] max_memory_bytes: i64,
    #[number] timeout_ms: i64,
    interruptible: bool,
    #[serde] wasi: Option<Wasi>,
) -> Result<u32, WasmError> {
    let wanted = StoreOptions {
        fuel: u64::try_from(fuel).ok(),
        max_memory_bytes: u64::try_from(max_memory_bytes).ok(),
        timeout_ms: u64::try_from(timeout_ms).ok(),
        interruptible,
        wasi: wasi.map(WasiConfig::from),
    };
    let (id, _) = state.borrow::<Rc<Bridge>>().state.new_store(wanted)?;
    Ok(id)
}

/// What the guests of a store have written to its standard output or error.
#[op2]
#[buffer]
pub fn op_wasm_output(state: &mut OpState, store: u32, stderr: bool) -> Result<Vec<u8>, WasmError> {
    let store = state.borrow::<Rc<Bridge>>().state.store(store)?;
    let outputs = store.outputs();
    let written = if stderr {
        outputs.stderr()
    } else {
        outputs.stdout()
    };
    let name = if stderr { "stderr" } else { "stdout" };
    written.ok_or_else(|| {
        let message = format!("{name} is not piped");
        WasmError::new(WasmErrorCode::RuntimeError, message)
    })
}

impl Bridge {
    /// Returns whether nothing runs in it any more.
    fn drop_store(&self, store: u32) -> bool {
        let rests = self
            .state
            .store(store)
            .is_ok_and(|store| store.is_at_rest());
        self.give_up_calls(store);
        self.funcs.drop_store(store);
        self.state.drop_store(store);
        rests
    }
}

/// Drops a store. Returns whether nothing runs in it any more.
#[op2(fast)]
pub fn op_wasm_drop_store(state: &mut OpState, store: u32) -> bool {
    state.borrow::<Rc<Bridge>>().drop_store(store)
}

/// Drops a store, of which JavaScript knows nothing any more.
#[op2(fast)]
pub fn op_wasm_forget_store(state: &mut OpState, store: u32) {
    let bridge = state.borrow::<Rc<Bridge>>();
    bridge.drop_store(store);
    bridge.funcs.forget_store(store);
}

/// Fails if the store is busy.
#[op2(fast)]
pub fn op_wasm_refuse_busy(state: &mut OpState, store: u32) -> Result<(), WasmError> {
    state.borrow::<Rc<Bridge>>().state.refuse_busy(store)
}

#[op2(fast)]
pub fn op_wasm_is_metered(state: &mut OpState, store: u32) -> Result<bool, WasmError> {
    state
        .borrow::<Rc<Bridge>>()
        .state
        .checks(store)
        .map(|checks| checks.fuel)
}

#[op2(fast)]
#[number]
pub fn op_wasm_fuel(state: &mut OpState, store: u32) -> Result<u64, WasmError> {
    state.borrow::<Rc<Bridge>>().state.store(store)?.fuel()
}

#[op2(fast)]
pub fn op_wasm_set_fuel(
    state: &mut OpState,
    store: u32,
    #[number] fuel: u64,
) -> Result<(), WasmError> {
    state.borrow::<Rc<Bridge>>().state.set_fuel(store, fuel)
}

/// Lets go of a guest object.
#[op2(fast)]
pub fn op_wasm_release_object(state: &mut OpState, store: u32, object: u32) {
    // It is gone already if its store is.
    if let Ok(store) = state.borrow::<Rc<Bridge>>().state.store(store) {
        store.release_object(object);
    }
}

/// Collects the guest's garbage, and returns the numbers of the JS values that it no longer
/// holds.
#[op2]
#[serde]
pub fn op_wasm_collect(state: &mut OpState, store: u32) -> Result<Vec<u32>, WasmError> {
    state.borrow::<Rc<Bridge>>().state.store(store)?.collect()
}

/// How many instances take up memory.
#[op2(fast)]
pub fn op_wasm_live_instances(state: &mut OpState) -> u32 {
    state.borrow::<Rc<Bridge>>().state.live_instances()
}

/// The most instances that may be alive at one time.
#[op2(fast)]
pub fn op_wasm_max_instances(state: &mut OpState) -> u32 {
    let bridge = state.borrow::<Rc<Bridge>>();
    bridge.state.capabilities().max_instances
}

/// Runs JavaScript's garbage collector: it cannot know how much memory the few bytes of an
/// instance's object stand for.
#[op2(nofast, reentrant)]
pub fn op_wasm_collect_js(scope: &mut v8::PinScope<'_, '_>) {
    scope.low_memory_notification();
}

/// Lets the event loop take one turn, in which JavaScript's finalizers run.
#[op2]
pub async fn op_wasm_turn() {
    tokio::task::yield_now().await;
}
