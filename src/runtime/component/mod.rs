//! Components: their types, compiled code, and instances.

mod async_instance;
mod code;
mod concurrent;
mod declarations;
pub(crate) mod encoding;
mod http;
mod image_values;
pub(crate) mod images;
pub(crate) mod instance;
mod interface_reader;
mod linking;
mod members;
mod names;
mod plans;
mod refusal;
mod resources;
mod text;
pub(crate) mod transmit;
mod type_costs;
pub(crate) mod types;
pub(crate) mod validation;
mod validation_cost;
mod values;
mod wasi;
mod wit;

use std::sync::Arc;

use serde::Serialize;

pub(crate) use self::code::ComponentCode;
use self::types::Interface;
use crate::runtime::base::error::WasmError;
use crate::runtime::engine::EngineKind;

/// The description of a component.
#[derive(Serialize)]
pub(crate) struct Description<'a> {
    id: u32,
    /// Whether it has asynchronous functions, streams or futures.
    #[serde(rename = "async")]
    is_async: bool,
    #[serde(flatten)]
    interface: &'a Interface,
}

/// The imports and exports of a component.
pub struct ComponentInterface(Arc<Interface>);

impl ComponentInterface {
    pub(crate) fn new(interface: Arc<Interface>) -> Self {
        Self(interface)
    }

    /// Returns the imports and exports in WIT: a world, followed by the packages of the interfaces.
    ///
    /// # Errors
    /// `RuntimeError` if the text is longer than 4 MiB.
    pub fn wit(&self) -> Result<String, WasmError> {
        wit::wit(&self.0)
    }

    /// Returns TypeScript declarations of the imports and exports.
    ///
    /// # Errors
    /// `RuntimeError` if the text is longer than 4 MiB.
    pub fn types(&self) -> Result<String, WasmError> {
        declarations::declarations(&self.0)
    }
}

/// A compiled component.
#[derive(Clone)]
#[non_exhaustive]
pub struct WasmComponent {
    /// The handle of the component, unique for the life of the state that compiled it.
    pub id: u32,
    pub(crate) code: Arc<ComponentCode>,
}

impl WasmComponent {
    pub(crate) fn new(id: u32, code: Arc<ComponentCode>) -> Self {
        Self { id, code }
    }

    /// Whether both have the same compiled code, because they were compiled from the same binary.
    pub fn shares_code_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.code, &other.code)
    }

    /// Returns the number of functions of the host that an instance needs: one for each function that the component
    /// imports, and one for each resource that it imports, which is called when it drops one.
    pub fn host_functions(&self) -> usize {
        let interface = &self.code.interface;
        interface.imports.functions.len() + interface.imported_resources as usize
    }

    /// Returns its imports and exports.
    pub fn interface(&self) -> ComponentInterface {
        ComponentInterface::new(self.code.interface.clone())
    }

    /// Returns the description of the component for hosts that convert values themselves.
    pub(crate) fn description(&self) -> Description<'_> {
        Description {
            id: self.id,
            is_async: self.code.kind == EngineKind::Async,
            interface: &self.code.interface,
        }
    }
}
