//! Random modules, run by `host:wasm` and by wasmi.
#![no_main]

use conformance::fuzz::differential::check;
use libfuzzer_sys::fuzz_target;
#[cfg(feature = "quickjs")]
use no_wamr as _;

fuzz_target!(|data: &[u8]| check(data));
