//! Ops by which TypeScript decides when JavaScript's garbage collector has to run.

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

/// Runs JavaScript's garbage collector in the middle of a job. It also collects objects to which the job has made or
/// followed weak references, which otherwise live until the end of the job.
#[op2(nofast, reentrant)]
pub(crate) fn op_wasm_collect_in_job(scope: &mut v8::PinScope<'_, '_>) {
    scope.clear_kept_objects();
    scope.low_memory_notification();
}

/// Resolves after one turn of the event loop, in which JavaScript's finalizers run.
#[op2]
pub(crate) async fn op_wasm_yield_now() {
    tokio::task::yield_now().await;
}
