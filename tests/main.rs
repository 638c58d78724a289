//! The promises of `host:wasm`, one module for each, tested through TypeScript. All modules are in one binary,
//! because each binary links the JavaScript engine.

#[cfg(feature = "quickjs")]
extern crate no_wamr as _;

mod adversary;
mod async_calls;
mod bad_input;
mod capabilities;
mod child;
mod compile_caps;
mod compile_data;
mod compile_deferred;
mod compile_joins;
mod compile_regions;
mod compile_results;
mod compile_sums;
mod deadlines;
mod debugging;
mod declarations;
mod error_codes;
mod estimates;
mod examples;
mod exceptions;
mod fixtures;
mod floors;
mod forge;
mod fuel;
mod hostile;
mod hot_calls;
mod js;
mod legacy_exceptions;
mod lifecycles;
mod lifetimes;
mod linking;
mod live_objects;
mod marshalling;
mod memory_bounds;
mod memory_model;
mod native_stack;
mod packages;
mod reentrancy;
mod references;
mod runtime_api;
mod traps;
mod views;
mod wasi;

/// Runs an assertion on a snapshot in the folder `snapshots/`.
fn snapshots(check: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(check);
}
