//! Ops on groups of stores.

use std::rc::Rc;

use deno_core::{OpState, op2};

use super::state::Bridge;
use super::store::limits;
use super::wasi_config::wasi_config;
use crate::runtime::WasmError;

/// Makes a group of stores, which have these limits together, and returns its number. A negative number stands for a
/// limit that is not given.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_new_group(
    state: &mut OpState,
    #[number] fuel: i64,
    #[number] max_memory_bytes: i64,
    #[number] timeout_ms: i64,
    interruptible: bool,
) -> Result<u32, WasmError> {
    let wanted = limits(fuel, max_memory_bytes, timeout_ms, interruptible);
    state.borrow::<Rc<Bridge>>().state.new_group(wanted)
}

/// Makes a store in a group, and returns its number. The WASI options are JSON, or empty for a store without WASI;
/// `stdin` is the standard input, where they say that it is bytes.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_new_grouped_store(
    state: &mut OpState,
    group: u32,
    #[string] wasi: String,
    #[buffer] stdin: &[u8],
) -> Result<u32, WasmError> {
    let wasi = (!wasi.is_empty()).then(|| wasi_config(&wasi, stdin));
    let bridge = state.borrow::<Rc<Bridge>>();
    let (id, _) = bridge.state.new_grouped_store(group, wasi.transpose()?)?;
    Ok(id)
}

/// The most bytes of the memories of a group together; −1 if there is no cap.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_group_memory_cap(state: &mut OpState, group: u32) -> Result<f64, WasmError> {
    let cap = state.borrow::<Rc<Bridge>>().state.group_memory_cap(group)?;
    Ok(cap.map_or(-1.0, |cap| cap as f64))
}

/// Uses up fuel of a group for work that JavaScript does for a guest.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_spend_fuel(
    state: &mut OpState,
    group: u32,
    #[number] fuel: u64,
) -> Result<(), WasmError> {
    state.borrow::<Rc<Bridge>>().state.spend_fuel(group, fuel)
}

/// Forgets the number of a group, whose stores live on with its limits.
#[op2(fast)]
pub(crate) fn op_wasm_drop_group(state: &mut OpState, group: u32) {
    state.borrow::<Rc<Bridge>>().state.drop_group(group);
}
