//! Ops on stores.

use std::rc::Rc;

use deno_core::{OpState, op2, v8};

use super::error::to_json;
use super::protocol::{STORE_FOR_ASYNC_COMPONENT, STORE_FOR_COMPONENT, STORE_FOR_MODULES};
use super::state::Bridge;
use super::wasi_config::wasi_config;
use crate::runtime::{EngineKind, StoreOptions, WasmError, WasmErrorCode, WasmStore};

/// The options with these limits, as TypeScript gives them: a negative number stands for an option that is not given.
pub(super) fn limits(
    fuel: i64,
    max_memory_bytes: i64,
    timeout_ms: i64,
    interruptible: bool,
) -> StoreOptions {
    StoreOptions {
        fuel: u64::try_from(fuel).ok(),
        max_memory_bytes: u64::try_from(max_memory_bytes).ok(),
        timeout_ms: u64::try_from(timeout_ms).ok(),
        interruptible,
        wasi: None,
    }
}

/// Makes a store with the `StoreOptions` of `host:wasm`, which TypeScript has checked, and returns its number. A
/// negative number stands for an option that is not given. The WASI options are JSON, or empty for a store without
/// WASI; `stdin` is the standard input, where they say that it is bytes. `use_of_store` is one of the numbers `STORE_FOR_…`.
/// `module` is the number of the module whose instance the store is made for, or 0.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_new_store(
    state: &mut OpState,
    #[number] fuel: i64,
    #[number] max_memory_bytes: i64,
    #[number] timeout_ms: i64,
    interruptible: bool,
    #[string] wasi: String,
    #[buffer] stdin: &[u8],
    use_of_store: u32,
    module: u32,
) -> Result<u32, WasmError> {
    let wasi = (!wasi.is_empty()).then(|| wasi_config(&wasi, stdin));
    let mut wanted = limits(fuel, max_memory_bytes, timeout_ms, interruptible);
    wanted.wasi = wasi.transpose()?;
    let state = &state.borrow::<Rc<Bridge>>().state;
    let (id, _) = match use_of_store {
        STORE_FOR_COMPONENT => state.new_component_store(wanted, EngineKind::Plain)?,
        STORE_FOR_ASYNC_COMPONENT => state.new_component_store(wanted, EngineKind::Async)?,
        STORE_FOR_MODULES if module > 0 => state.new_store_for(module, wanted)?,
        STORE_FOR_MODULES => state.new_store(wanted)?,
        _ => return Err(WasmError::instantiate("no such use of a store")),
    };
    Ok(id)
}

/// How much a store uses, as JSON.
#[op2(reentrant)]
#[string]
pub(crate) fn op_wasm_store_stats(state: &mut OpState, store: u32) -> Result<String, WasmError> {
    let store = state.borrow::<Rc<Bridge>>().state.store(store)?;
    Ok(to_json(&store.stats()?))
}

/// The bytes that the guests of a store have written to its standard output or error.
#[op2(reentrant)]
#[buffer]
pub(crate) fn op_wasm_output(
    state: &mut OpState,
    store: u32,
    stderr: bool,
) -> Result<Vec<u8>, WasmError> {
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
    /// Drops a store of this number, whose views are detached or forgotten. Returns whether nothing runs in it.
    fn drop_store(&self, id: u32, store: Option<&WasmStore>) -> bool {
        let at_rest = store.is_some_and(WasmStore::is_at_rest);
        if let Some(store) = store {
            self.calls.end_in(store);
        }
        self.funcs.drop_store(id);
        self.state.drop_store(id);
        at_rest
    }
}

/// Drops a store. Returns whether nothing runs in it.
#[op2(nofast)]
pub(crate) fn op_wasm_drop_store(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    store: u32,
) -> bool {
    let bridge = state.borrow::<Rc<Bridge>>();
    let dropped = bridge.state.store(store).ok();
    if let Some(store) = &dropped {
        bridge.context.views.drop_store(scope, store);
    }
    bridge.drop_store(store, dropped.as_ref())
}

/// Drops a store whose JavaScript objects were collected.
#[op2(fast)]
pub(crate) fn op_wasm_forget_store(state: &mut OpState, store: u32) {
    let bridge = state.borrow::<Rc<Bridge>>();
    let dropped = bridge.state.store(store).ok();
    if let Some(store) = &dropped {
        bridge.context.views.forget_store(store);
    }
    bridge.drop_store(store, dropped.as_ref());
    bridge.funcs.forget_store(store);
}

/// Fails if the store was dropped or is busy: a value that JavaScript kept for its guests would never be released.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_check_store(state: &mut OpState, store: u32) -> Result<(), WasmError> {
    state.borrow::<Rc<Bridge>>().state.check_store(store)
}

/// Whether a store has a fuel budget.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_is_metered(state: &mut OpState, store: u32) -> Result<bool, WasmError> {
    state
        .borrow::<Rc<Bridge>>()
        .state
        .checks(store)
        .map(|checks| checks.fuel)
}

/// The fuel that is left of a store's budget.
#[op2(nofast, reentrant)]
#[number]
pub(crate) fn op_wasm_fuel(state: &mut OpState, store: u32) -> Result<u64, WasmError> {
    state.borrow::<Rc<Bridge>>().state.store(store)?.fuel()
}

/// Sets the fuel that is left of a store's budget, up to the cap.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_set_fuel(
    state: &mut OpState,
    store: u32,
    #[number] fuel: u64,
) -> Result<(), WasmError> {
    state.borrow::<Rc<Bridge>>().state.set_fuel(store, fuel)
}

/// Releases a guest's object that JavaScript had a handle to.
#[op2(fast)]
pub(crate) fn op_wasm_release_object(state: &mut OpState, store: u32, object: u32) {
    // A store that was dropped has released its objects.
    if let Ok(store) = state.borrow::<Rc<Bridge>>().state.store(store) {
        store.release_object(object);
    }
}

/// Collects the garbage of a store's guests. JavaScript keeps values for the guests: returns the numbers below `count`
/// of the values that no guest holds, as 32-bit numbers.
#[op2(reentrant)]
#[buffer]
pub(crate) fn op_wasm_collect(
    state: &mut OpState,
    store: u32,
    count: u32,
) -> Result<Vec<u8>, WasmError> {
    let store = state.borrow::<Rc<Bridge>>().state.store(store)?;
    let unheld = store.collect(count)?;
    Ok(unheld.into_iter().flat_map(u32::to_ne_bytes).collect())
}
