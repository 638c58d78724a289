//! WebAssembly without JavaScript: what `host:wasm` does, as a Rust library.
//!
//! [`WasmState`] holds everything. A guest's references and the host's values meet as numbers
//! ([`RefHandle`]), so that nothing here depends on what the host's values are.

mod admission;
mod cache;
mod capabilities;
mod compile_queue;
mod deadline;
mod engine;
mod error;
mod func;
mod global;
mod granted;
mod host;
mod hosted;
mod instance;
mod intern;
mod interrupt;
mod known;
mod limits;
mod memory;
mod module;
mod module_limits;
mod refs;
mod rewrite;
mod state;
mod store;
mod system;
mod table;
mod tag;
mod text;
mod types;
mod value;
mod wasi;

pub use capabilities::WasmCapabilities;
pub use compile_queue::Waiting;
pub use engine::{Checks, MEMORY_RESERVATION, Tune};
pub use error::{WasmError, WasmErrorCode};
pub use func::WasmFunc;
pub use global::WasmGlobal;
pub use granted::Files;
pub use host::{HostFunction, Stop};
pub use hosted::HostImports;
pub use instance::{Import, WasmInstance};
pub use limits::{CallOptions, StoreOptions};
pub use memory::{MemoryView, WasmMemory};
pub use module::{Code, Compiler, WasmModule};
pub use module_limits::ModuleLimits;
pub use state::WasmState;

pub use store::{Outcome, Progress, RunningCall, Signature, Stopped, StoreLease, WasmStore};
pub(crate) use store::{ThreadStack, is_above};
pub use table::WasmTable;
pub(crate) use text::quote;
pub(crate) use types::parse_type;
pub use types::{ExportInfo, ExportKind, ExternInfo, ImportInfo};
pub use value::{RefHandle, WasmValue};
pub use wasi::{Outputs, Preopen, StdioConfig, WASI_MODULES, WasiConfig};
