//! Ops by which TypeScript decides when JavaScript's garbage collector has to run.

use std::cell::RefCell;
use std::rc::Rc;

use deno_core::{OpState, op2, v8};

use super::state::Bridge;

/// The number of instances whose memory is not freed.
#[op2(fast)]
pub(crate) fn op_wasm_live_instances(state: &mut OpState) -> u32 {
    state.borrow::<Rc<Bridge>>().state.live_instances()
}

/// The most instances that may be alive at one time.
#[op2(fast)]
pub(crate) fn op_wasm_max_instances(state: &mut OpState) -> u32 {
    let bridge = state.borrow::<Rc<Bridge>>();
    bridge.state.capabilities().max_instances
}

/// The number of compiled modules that were neither dropped nor collected.
#[op2(fast)]
pub(crate) fn op_wasm_live_modules(state: &mut OpState) -> u32 {
    let live = state.borrow::<Rc<Bridge>>().state.live_modules();
    u32::try_from(live).unwrap_or(u32::MAX)
}

/// Runs JavaScript's garbage collector, which cannot know how much memory stands behind the small object of an
/// instance.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_collect_js(scope: &mut v8::PinScope<'_, '_>) {
    scope.low_memory_notification();
}

/// Has [`op_wasm_collect_stores`] free a store when JavaScript has collected this object.
#[op2(nofast)]
pub(crate) fn op_wasm_watch_store(
    scope: &mut v8::PinScope<'_, '_>,
    state: &mut OpState,
    store: u32,
    object: v8::Local<'_, v8::Object>,
) {
    let bridge = state.borrow::<Rc<Bridge>>();
    // There are at most as many entries as stores.
    if bridge.state.store(store).is_ok() {
        let object = v8::Weak::new(scope, object);
        bridge.watched.borrow_mut().insert(store, object);
    }
}

/// Runs JavaScript's garbage collector, and frees the stores whose watched objects it has collected. Finalizers would
/// free them only in a later turn of the event loop.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_collect_stores(
    scope: &mut v8::PinScope<'_, '_>,
    state: Rc<RefCell<OpState>>,
) {
    let bridge = Bridge::of(&state);
    scope.low_memory_notification();
    let collected: Vec<u32> = {
        let mut watched = bridge.watched.borrow_mut();
        let collected = watched.extract_if(|_, object| object.is_empty());
        collected.map(|(store, _)| store).collect()
    };
    for store in collected {
        bridge.forget_store(store);
    }
}

/// Resolves after one turn of the event loop, in which JavaScript's finalizers run.
#[op2]
pub(crate) async fn op_wasm_yield_now() {
    tokio::task::yield_now().await;
}
