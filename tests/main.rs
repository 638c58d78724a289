//! The promises of `host:wasm`, one module for each, tested through TypeScript. All modules are in one binary,
//! because each binary links the JavaScript engine.

#[cfg(feature = "quickjs")]
extern crate no_wamr as _;

mod adversary;
mod async_calls;
mod bad_input;
mod capabilities;
mod compile_caps;
mod compile_checks;
mod compile_data;
mod compile_deferred;
mod compile_exports;
mod compile_joins;
mod compile_large;
mod compile_regions;
mod compile_results;
mod compile_sums;
mod component;
mod deadlines;
mod debugging;
mod declarations;
mod error_codes;
mod es_modules;
mod estimates;
mod examples;
mod exception_objects;
mod exceptions;
mod fixtures;
mod floors;
mod forge;
mod fuel;
mod function_identity;
mod groups;
mod guest_objects;
mod hostile;
mod hot_calls;
mod instance_pool;
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
mod refusals;
mod runtime_api;
mod support;
mod traps;
mod views;
mod wasi;
mod webassembly;
