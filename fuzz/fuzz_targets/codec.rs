//! Random values of components: by bytes, by wasmtime's own values, and by a second statement of the canonical ABI.
#![no_main]

use conformance::fuzz::codec::check;
use libfuzzer_sys::fuzz_target;
#[cfg(feature = "quickjs")]
use no_wamr as _;

fuzz_target!(|data: &[u8]| check(data));
