//! Ops on stores.

use std::path::PathBuf;
use std::rc::Rc;

use deno_core::{OpState, op2, serde_json, v8};
use serde::Deserialize;

use super::Bridge;
use crate::runtime::{Preopen, StdioConfig, StoreOptions, WasiConfig, WasmError, WasmErrorCode};

/// `WasiConfig` of `host:wasm`, checked there: the arguments, the environment, the preopens (the guest's name,
/// the host's path, whether it may only be read), and the three streams.
type Wasi = (
    Vec<String>,
    Vec<(String, String)>,
    Vec<(String, PathBuf, bool)>,
    (Stdio, Stdio, Stdio),
);

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Stdio {
    Null,
    Inherit,
    Piped,
    /// The bytes come beside the config.
    Bytes,
}

impl Stdio {
    fn config(self, bytes: &[u8]) -> StdioConfig {
        match self {
            Self::Null => StdioConfig::Null,
            Self::Inherit => StdioConfig::Inherit,
            Self::Piped => StdioConfig::Piped,
            Self::Bytes => StdioConfig::Bytes(bytes.to_vec()),
        }
    }
}

/// The config in `json`, whose standard input may be `stdin`.
fn wasi_config(json: &str, stdin: &[u8]) -> Result<WasiConfig, WasmError> {
    let wasi: Result<Wasi, _> = serde_json::from_str(json);
    let (args, env, preopens, (stdin_config, stdout, stderr)) = wasi.map_err(|error| {
        let message = format!("the option wasi is unusable: {error}");
        WasmError::new(WasmErrorCode::InstantiateError, message)
    })?;
    let preopens = preopens.into_iter();
    let preopens = preopens.map(|(guest, host, readonly)| Preopen {
        guest,
        host,
        readonly,
    });
    Ok(WasiConfig {
        args,
        env,
        preopens: preopens.collect(),
        stdin: stdin_config.config(stdin),
        stdout: stdout.config(&[]),
        stderr: stderr.config(&[]),
    })
}

/// Makes a store with the `StoreOptions` of `host:wasm`, checked there. A negative number is none. The config
/// of WASI is JSON, or empty for none; its standard input may be `stdin`.
#[op2(nofast, reentrant)]
pub fn op_wasm_new_store(
    state: &mut OpState,
    #[number] fuel: i64,
    #[number] max_memory_bytes: i64,
    #[number] timeout_ms: i64,
    interruptible: bool,
    #[string] wasi: String,
    #[buffer] stdin: &[u8],
) -> Result<u32, WasmError> {
    let wasi = (!wasi.is_empty()).then(|| wasi_config(&wasi, stdin));
    let wanted = StoreOptions {
        fuel: u64::try_from(fuel).ok(),
        max_memory_bytes: u64::try_from(max_memory_bytes).ok(),
        timeout_ms: u64::try_from(timeout_ms).ok(),
        interruptible,
        wasi: wasi.transpose()?,
    };
    let (id, _) = state.borrow::<Rc<Bridge>>().state.new_store(wanted)?;
    Ok(id)
}

/// What the guests of a store have written to its standard output or error.
#[op2(reentrant)]
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
#[op2(nofast)]
pub fn op_wasm_drop_store(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    store: u32,
) -> bool {
    let bridge = state.borrow::<Rc<Bridge>>();
    if let Ok(store) = bridge.state.store(store) {
        bridge.crossing.views.drop_store(scope, &store);
    }
    bridge.drop_store(store)
}

/// Drops a store, of which JavaScript knows nothing any more.
#[op2(fast)]
pub fn op_wasm_forget_store(state: &mut OpState, store: u32) {
    let bridge = state.borrow::<Rc<Bridge>>();
    if let Ok(store) = bridge.state.store(store) {
        bridge.crossing.views.forget_store(&store);
    }
    bridge.drop_store(store);
    bridge.funcs.forget_store(store);
}

/// Fails if the store was dropped or is busy: a value that JavaScript keeps for its guests would never be let
/// go of.
#[op2(nofast, reentrant)]
pub fn op_wasm_check_store(state: &mut OpState, store: u32) -> Result<(), WasmError> {
    state.borrow::<Rc<Bridge>>().state.check_store(store)
}

#[op2(nofast, reentrant)]
pub fn op_wasm_is_metered(state: &mut OpState, store: u32) -> Result<bool, WasmError> {
    state
        .borrow::<Rc<Bridge>>()
        .state
        .checks(store)
        .map(|checks| checks.fuel)
}

#[op2(nofast, reentrant)]
#[number]
pub fn op_wasm_fuel(state: &mut OpState, store: u32) -> Result<u64, WasmError> {
    state.borrow::<Rc<Bridge>>().state.store(store)?.fuel()
}

#[op2(nofast, reentrant)]
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

/// Collects the guest's garbage. Returns which of the first `count` values that JavaScript keeps for the
/// guests none of them holds, as 32-bit numbers.
#[op2(reentrant)]
#[buffer]
pub fn op_wasm_collect(state: &mut OpState, store: u32, count: u32) -> Result<Vec<u8>, WasmError> {
    let store = state.borrow::<Rc<Bridge>>().state.store(store)?;
    let unheld = store.collect(count)?;
    Ok(unheld.into_iter().flat_map(u32::to_ne_bytes).collect())
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
