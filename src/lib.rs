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
    ExportInfo, ExportKind, WasmCapabilities, WasmError, WasmErrorCode, WasmInstance, WasmModule,
    WasmState, WasmValue,
};

include!(concat!(env!("OUT_DIR"), "/extension.rs"));

fn init_state(state: &mut OpState, wasm: WasmState) {
    state.put(Rc::new(Bridge::new(wasm)));
}
