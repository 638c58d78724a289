//! Compiled components.

use std::sync::{Arc, OnceLock};

use wasmtime::component::{Component, ComponentExportIndex, InstancePre};

use super::linking;
use super::types::{Function, Interface};
use crate::runtime::admission::ComponentProfile;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::module_limits::ModuleLimits;
use crate::runtime::base::options::Checks;
use crate::runtime::engine::EngineKind;
use crate::runtime::engine::quota::{DESCRIPTORS, MAPPINGS, PER_CODE, Share};
use crate::runtime::store::StoreData;

/// A component's binary, its interface, and its machine code for each engine that it was compiled for.
pub(crate) struct ComponentCode {
    wasm: Box<[u8]>,
    pub(crate) profile: ComponentProfile,
    pub(crate) interface: Arc<Interface>,
    /// The kind of the engines that it is compiled for.
    pub(crate) kind: EngineKind,
    /// Indexed by [`Checks::index`].
    compiled: [OnceLock<CompiledComponent>; Checks::WAYS],
}

/// A component's machine code for one engine.
pub(crate) struct CompiledComponent {
    component: Component,
    kind: EngineKind,
    /// The exported functions, by number.
    pub(crate) exports: Box<[ComponentExportIndex]>,
    /// The component linked with the host's functions, made on first use: without WASI, and with it.
    linked: [OnceLock<InstancePre<StoreData>>; 2],
    /// The shares of the process's mappings and descriptors.
    _shares: [Share; 2],
}

impl ComponentCode {
    pub(crate) fn new(
        wasm: &[u8],
        profile: ComponentProfile,
        kind: EngineKind,
        interface: Interface,
    ) -> Self {
        Self {
            wasm: wasm.into(),
            profile,
            kind,
            interface: Arc::new(interface),
            compiled: Default::default(),
        }
    }

    /// Returns the binary that the code was compiled from.
    pub(crate) fn wasm(&self) -> &[u8] {
        &self.wasm
    }

    /// Checks the limits on the interface and on the cost of its types.
    ///
    /// # Errors
    /// `CompileError` if one is exceeded.
    pub(crate) fn check_limits(&self, limits: &ModuleLimits) -> Result<(), WasmError> {
        self.interface.check_size(limits)?;
        self.profile.check_cost(limits)
    }

    /// Whether there is machine code with these checks.
    pub(crate) fn is_ready(&self, checks: Checks) -> bool {
        self.get(checks).is_some()
    }

    /// Returns the machine code with these checks, if it was compiled.
    pub(crate) fn get(&self, checks: Checks) -> Option<&CompiledComponent> {
        self.compiled[checks.index()].get()
    }

    /// Adds the machine code with these checks, unless there is some.
    ///
    /// # Errors
    /// `CompileError` if there are too few mappings left for the code, or too few descriptors for the initial contents of
    /// its memories.
    pub(crate) fn add(&self, component: Component, checks: Checks) -> Result<(), WasmError> {
        let compiled =
            CompiledComponent::new(component, self.kind, &self.profile, &self.interface)?;
        self.compiled[checks.index()].get_or_init(|| compiled);
        Ok(())
    }
}

impl CompiledComponent {
    fn new(
        component: Component,
        kind: EngineKind,
        profile: &ComponentProfile,
        interface: &Interface,
    ) -> Result<Self, WasmError> {
        let shares = MAPPINGS
            .take(PER_CODE)
            .and_then(|mappings| Ok([mappings, DESCRIPTORS.take(profile.images)?]));
        let shares =
            shares.map_err(|why| WasmError::compile(format!("too many components: {why}")))?;
        let exports = interface.exports.functions.iter();
        let exports = exports.map(|function| export_index(&component, function));
        let exports = exports.collect::<Option<_>>();
        let exports = exports.ok_or_else(|| WasmError::compile("the exports have changed"))?;
        Ok(Self {
            component,
            kind,
            exports,
            linked: Default::default(),
            _shares: shares,
        })
    }

    /// Returns the component linked with functions that call those of the host, and with WASI if the store has it.
    ///
    /// # Errors
    /// `InstantiateError` if it imports something that the host does not provide.
    pub(crate) fn linked(
        &self,
        interface: &Arc<Interface>,
        has_wasi: bool,
    ) -> Result<&InstancePre<StoreData>, WasmError> {
        let cell = &self.linked[usize::from(has_wasi)];
        if let Some(linked) = cell.get() {
            return Ok(linked);
        }
        let linked = linking::link(&self.component, interface, has_wasi, self.kind)?;
        Ok(cell.get_or_init(|| linked))
    }
}

fn export_index(component: &Component, function: &Function) -> Option<ComponentExportIndex> {
    let mut index = None;
    for name in &function.path {
        index = Some(component.get_export_index(index.as_ref(), &**name)?);
    }
    index
}
