//! `host:wasm` for `deno_core` programs: WebAssembly, fenced.
//!
//! [`host_wasm`] is the extension. [`runtime`] is the same without JavaScript.

#![warn(missing_docs)]

mod bridge;
pub mod runtime;

use std::rc::Rc;

use bridge::*;
use deno_core::OpState;

pub use runtime::{
    ExportInfo, ExportKind, ModuleLimits, WasmCapabilities, WasmError, WasmErrorCode, WasmInstance,
    WasmModule, WasmState, WasmValue,
};

include!(concat!(env!("OUT_DIR"), "/extension.rs"));

/// The bits in the first `count` slots of a runtime's call frame: right after a call from
/// JavaScript, those of its results if there are several or a NaN among them, of which a JavaScript
/// number cannot carry the payload. For conformance tests.
///
/// # Panics
/// If the runtime was made without the extension.
pub fn frame_bits(state: &OpState, count: usize) -> Vec<u128> {
    state.borrow::<Rc<Bridge>>().frame_bits(count)
}

fn init_state(state: &mut OpState, wasm: WasmState) {
    Bridge::put(state, wasm);
}
