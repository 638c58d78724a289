//! Random programs over the public API of `host:wasm`.
#![no_main]

use conformance::fuzz::api::{Surface, check};
use libfuzzer_sys::fuzz_target;
#[cfg(feature = "quickjs")]
use no_wamr as _;

fuzz_target!(|data: &[u8]| check(data, Surface::Api));
