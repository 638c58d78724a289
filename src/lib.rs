//! `host:wasm` for `deno_core` programs: WebAssembly that the app's author did not write, behind a fence of fuel,
//! deadline, memory cap and granted files.
//!
//! [`host_wasm`] is the extension: an app of a runtime that has it imports `host:wasm`.
//!
//! ```
//! use deno_core::{JsRuntime, ModuleSpecifier, PollEventLoopOptions, RuntimeOptions};
//! use ext_wasm::{WasmCapabilities, WasmState, host_wasm};
//! # use no_wamr as _;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let app = r#"
//!     import { compile, instantiate } from "host:wasm";
//!
//!     const source = `(module (func (export "add") (param i32 i32) (result i32)
//!         (i32.add (local.get 0) (local.get 1))))`;
//!     const module = await compile(Deno.core.encode(source));
//!     const instance = await instantiate(module, {}, { fuel: 1_000, timeoutMs: 100 });
//!     const sum = instance.call("add", [1, 2]);
//!     if (sum !== 3) throw new Error(`1 + 2 is not ${sum}`);
//! "#;
//! let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! tokio.block_on(async {
//!     let capabilities = WasmCapabilities::builder().max_memory_bytes(64 << 20).build();
//!     let mut runtime = JsRuntime::new(RuntimeOptions {
//!         extensions: vec![host_wasm::init(WasmState::new(capabilities)?)],
//!         ..Default::default()
//!     });
//!     let main = ModuleSpecifier::parse("app:main")?;
//!     let id = runtime.load_main_es_module_from_code(&main, app).await?;
//!     let evaluated = runtime.mod_evaluate(id);
//!     runtime.run_event_loop(PollEventLoopOptions::default()).await?;
//!     evaluated.await?;
//!     Ok(())
//! })
//! # }
//! ```
//!
//! [`EsModules`] makes ES modules of WebAssembly modules, for the module loader of a host.
//!
//! [`WasmState`] is the same without JavaScript.
//!
//! ```
//! use ext_wasm::{Import, StoreOptions, WasmCapabilities, WasmState, WasmValue};
//!
//! # fn main() -> Result<(), ext_wasm::WasmError> {
//! let state = WasmState::new(WasmCapabilities::default())?;
//! let module = state.compile(
//!     br#"(module (import "host" "double" (func $double (param i32) (result i32)))
//!         (func (export "f") (param i32) (result i32)
//!             (i32.add (call $double (local.get 0)) (i32.const 1))))"#,
//! )?;
//! let (store, _) = state.new_store(StoreOptions::default().with_fuel(1_000))?;
//! let double = Import::func(|_, args| match args {
//!     [WasmValue::I32(x)] => Ok(vec![(2 * x).into()]),
//!     _ => unreachable!("the module declares one i32"),
//! });
//! let instance = state.instantiate(module.id, store, vec![double])?.returned()?;
//! assert_eq!(instance.call("f", &[20.into()])?, [WasmValue::I32(41)]);
//! # Ok(())
//! # }
//! ```

#![warn(missing_docs, unreachable_pub)]

mod bridge;
pub mod runtime;

use std::rc::Rc;

use bridge::*;
use deno_core::OpState;

pub use bridge::EsModules;
pub use wasmtime;

pub use runtime::{
    CallOptions, ExceededLimit, ExportInfo, ExportKind, HostFunction, Import, InstancePool,
    ModuleLimits, Network, Outcome, Preopen, RefHandle, SourceLocation, StateStats, StdioConfig,
    Stop, StoreOptions, StoreStats, TlsConnector, TlsHandshake, TlsStream, WasiConfig,
    WasmCapabilities, WasmCapabilitiesBuilder, WasmError, WasmErrorCode, WasmFrame, WasmFunc,
    WasmGlobal, WasmInstance, WasmMemory, WasmModule, WasmState, WasmStore, WasmTable, WasmValue,
};

include!(concat!(env!("OUT_DIR"), "/extension.rs"));

/// The state of the `JsRuntime` that this `OpState` is of: what the host gave the extension, with the modules, stores
/// and instances that scripts have made since. `None` if the runtime was made without the extension.
///
/// Whatever a host adds to this state belongs to the scripts too: they reach stores, instances and functions by number.
/// Guests that scripts must not reach belong into a [`WasmState`] of their own.
pub fn state(state: &OpState) -> Option<Rc<WasmState>> {
    let bridge = state.try_borrow::<Rc<Bridge>>()?;
    Some(bridge.state.clone())
}

/// The bits in the first `count` slots of a runtime's call frame: right after a call from
/// JavaScript, those of its results if there are several or a NaN among them, of which a JavaScript
/// number cannot carry the payload. For conformance tests.
///
/// # Panics
/// If the runtime was made without the extension.
#[cfg(feature = "testing")]
pub fn frame_bits(state: &OpState, count: usize) -> Vec<u128> {
    state.borrow::<Rc<Bridge>>().frame_bits(count)
}

fn init_state(state: &mut OpState, wasm: WasmState) {
    Bridge::put(state, wasm);
}
