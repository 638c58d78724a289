//! The builder of capabilities.

use std::path::PathBuf;

use crate::runtime::base::capabilities::WasmCapabilities;
use crate::runtime::base::instance_pool::InstancePool;
use crate::runtime::base::module_limits::ModuleLimits;

/// Builder of [`WasmCapabilities`], which documents each grant and cap. A field that is not set keeps its default.
///
/// ```
/// use ext_wasm::WasmCapabilities;
///
/// let capabilities = WasmCapabilities::builder()
///     .compile_paths(["plugins"])
///     .max_memory_bytes(64 << 20)
///     .max_timeout_ms(1_000)
///     .build();
/// assert!(capabilities.allow_file_compile && !capabilities.allow_wasi);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "`build` makes the capabilities"]
pub struct WasmCapabilitiesBuilder(WasmCapabilities);

macro_rules! setters {
    ($($name:ident: $type:ty;)*) => {$(
        #[doc = concat!("Sets [`", stringify!($name), "`](WasmCapabilities::", stringify!($name), ").")]
        pub fn $name(mut self, $name: $type) -> Self {
            self.0.$name = $name.into();
            self
        }
    )*};
}

impl WasmCapabilitiesBuilder {
    /// Lets `compileFile` read these files, and all files in these folders.
    pub fn compile_paths<P: Into<PathBuf>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.0.allow_file_compile = true;
        self.0
            .compile_paths
            .extend(paths.into_iter().map(Into::into));
        self
    }

    /// Lets `compileFile` read files that match these [patterns](WasmCapabilities::compile_globs).
    pub fn compile_globs<P: Into<String>>(mut self, globs: impl IntoIterator<Item = P>) -> Self {
        self.0
            .compile_globs
            .extend(globs.into_iter().map(Into::into));
        self
    }

    /// Allows WASI, without any folder.
    pub fn allow_wasi(mut self) -> Self {
        self.0.allow_wasi = true;
        self
    }

    /// Allows WASI 0.3 for components, besides WASI itself.
    pub fn allow_wasi_03(mut self) -> Self {
        self.0.allow_wasi = true;
        self.0.allow_wasi_03 = true;
        self
    }

    /// Allows WASI, with these folders as possible preopens.
    pub fn preopen_paths<P: Into<PathBuf>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.0
            .preopen_paths
            .extend(paths.into_iter().map(Into::into));
        self.allow_wasi()
    }

    /// Allows WASI, with the folders that match these [patterns](WasmCapabilities::preopen_globs) as possible
    /// preopens.
    pub fn preopen_globs<P: Into<String>>(mut self, globs: impl IntoIterator<Item = P>) -> Self {
        self.0
            .preopen_globs
            .extend(globs.into_iter().map(Into::into));
        self
    }

    /// Allows WASI, with these hosts of the network for components to [connect to](crate::runtime::Network::connect).
    pub fn connect<E: Into<String>>(mut self, hosts: impl IntoIterator<Item = E>) -> Self {
        let hosts = hosts.into_iter().map(Into::into);
        self.0.network.connect.extend(hosts);
        self
    }

    /// Allows WASI, with these addresses for components to [listen at](crate::runtime::Network::listen).
    pub fn listen<E: Into<String>>(mut self, addresses: impl IntoIterator<Item = E>) -> Self {
        let addresses = addresses.into_iter().map(Into::into);
        self.0.network.listen.extend(addresses);
        self
    }

    /// Keeps machine code in this folder: [`cache_path`](WasmCapabilities::cache_path).
    pub fn cache_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.0.cache_path = Some(path.into());
        self
    }

    setters! {
        max_pending_compiles: u32;
        module_limits: ModuleLimits;
        allow_legacy_exceptions: bool;
        webassembly_global: bool;
        max_output_bytes: usize;
        max_wasi_descriptors: u32;
        max_wasi_subscriptions: u32;
        max_wasi_listing_entries: u32;
        max_wasi_text_bytes: u32;
        max_memory_bytes: u64;
        max_fuel: u64;
        max_timeout_ms: u64;
        max_running_calls: u32;
        max_component_calls: u32;
        max_component_streams: u32;
        max_table_elements: u64;
        max_modules: u32;
        max_es_module_names: u32;
        max_stores: u32;
        max_instances: u32;
        instance_pool: InstancePool;
        max_memories: u32;
        max_tables: u32;
        max_references: u32;
    }

    /// Returns the capabilities.
    pub fn build(self) -> WasmCapabilities {
        self.0
    }
}

impl WasmCapabilities {
    /// Returns a builder that starts with the default, which grants nothing.
    pub fn builder() -> WasmCapabilitiesBuilder {
        WasmCapabilitiesBuilder::default()
    }
}
