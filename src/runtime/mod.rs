//! WebAssembly without JavaScript: the functions of `host:wasm` as a Rust library.
//!
//! [`WasmState`] owns all modules, stores and instances. References cross between host and guest as numbers
//! ([`RefHandle`]), so that the runtime does not depend on the type of the host's values.

mod admission;
mod base;
mod codec;
mod component;
mod debug_info;
mod engine;
mod instance;
mod linking;
mod module;
mod objects;
mod rewrite;
mod state;
mod store;
mod wasi;

pub use base::capabilities::WasmCapabilities;
pub use base::capabilities_builder::WasmCapabilitiesBuilder;
pub use base::error::{WasmError, WasmErrorCode};
pub use base::frame::{SourceLocation, WasmFrame};
pub use base::instance_pool::InstancePool;
pub use base::module_limits::{ExceededLimit, ModuleLimits};
pub use base::network::Network;
pub use base::options::{CallOptions, Preopen, StdioConfig, StoreOptions, WasiConfig};
pub use base::stats::{StateStats, StoreStats};
pub(crate) use base::text::{quote, show_long};
pub use base::tls::{TlsConnector, TlsHandshake, TlsStream};
pub(crate) use base::types::parse_type;
pub use base::types::{ExportInfo, ExportKind, ExternInfo, ImportInfo};
pub use base::value::{RefHandle, WasmValue};
pub use component::instance::{ComponentFunction, ComponentInstance};
/// Calls whose values cross as images.
pub(crate) mod component_images {
    pub(crate) use super::codec::{Lifted, pack};
    pub(crate) use super::component::images::ImageCall;
}
pub use component::{ComponentInterface, WasmComponent};
pub(crate) use engine::{EngineChoice, EngineKind};
#[cfg(feature = "testing")]
pub use engine::{MEMORY_RESERVATION, Tune};
pub use instance::{Import, WasmInstance};
pub use linking::host_imports::HostImports;
pub use linking::wasi::WASI_MODULES;
pub(crate) use module::Code;
pub use module::WasmModule;
pub(crate) use module::compiler::Compiler;
pub(crate) use module::unclaimed::UnclaimedModules;
pub use objects::func::WasmFunc;
pub use objects::global::WasmGlobal;
pub use objects::memory::{MemoryView, WasmMemory};
pub use objects::object::ObjectKind;
pub use objects::table::WasmTable;
#[cfg(feature = "testing")]
pub use state::StateEngines;
pub use state::WasmState;
pub(crate) use state::async_components::ComponentEvent;
pub use store::host_function::{HostFunction, Stop};
pub(crate) use store::native_stack::{ThreadStack, is_above};
pub use store::{
    Outcome, Progress, RunningCall, Signature, Stopped, StoreLease, SuspendableCall, Turn,
    WasmStore,
};
pub use wasi::Outputs;
pub use wasi::p2::http::incoming::{HttpExchange, HttpHead, HttpRequest};
