//! `cargo conformance js-api`: the official tests of WebAssembly's JavaScript API.
//!
//! They are scripts for web-platform-tests' testharness.js (`test/js-api` of WebAssembly/spec, `wasm/jsapi` of
//! web-platform-tests), and no part of this repository. A file runs in a JavaScript runtime and a process of its own
//! ([`worker`]), with a small harness in `harness/`. Its subtests are then compared with [`expected`] results ([`judge`]),
//! which say too how many subtests each file has: otherwise a file that ends early would look like a shorter one.

pub mod command;
pub mod event;
pub mod expected;
pub mod folder;
pub mod judge;
mod runtime;
pub mod worker;
