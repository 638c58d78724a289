//! The capabilities that the host grants to one runtime. Everything is denied until it is granted.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::runtime::base::instance_pool::InstancePool;
use crate::runtime::base::module_limits::ModuleLimits;
use crate::runtime::base::network::Network;

/// The rights and limits that the embedder gives to one runtime.
///
/// The default grants no file and no WASI, and has generous caps on the objects that an app may keep alive. A cap
/// always wins over a larger request of the app. Paths are resolved when the [state](crate::runtime::WasmState) is
/// made; a path that does not exist at that time grants nothing.
///
/// `serde` reads the capabilities, for example from the `[capabilities.wasm]` table of a manifest. Each key is the
/// name of a field, a missing key keeps its default, and an unknown key is an error. Forge's manifests use the keys
/// `load` and `preopens`, which are aliases of `compile_globs` and `preopen_globs`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct WasmCapabilities {
    /// Whether `compileFile` may read the files of `compile_paths`. Default: no.
    pub allow_file_compile: bool,
    /// Files that `compileFile` may read, and folders whose files it may read, if `allow_file_compile` is set.
    /// Links are resolved before a path is compared. Default: none.
    pub compile_paths: Vec<PathBuf>,
    /// Glob patterns of files that `compileFile` may read, for example `plugins/**/*.wasm`. They apply whether or
    /// not `allow_file_compile` is set. `*` and `?` do not match `/`, `**` matches any number of folders, and
    /// `{a,b}` and `[a-z]` match one of several alternatives; a pattern without such characters is the path of one
    /// file. Links are resolved before a path is compared. Default: none.
    #[serde(alias = "load")]
    pub compile_globs: Vec<String>,
    /// The folder that relative patterns start from. Default: the working directory of the process when the state is
    /// made.
    #[serde(skip)]
    pub base_folder: PathBuf,
    /// The folder of the cache of machine code. A module that this or another process has compiled before is then
    /// not compiled again. The folder is created if it does not exist. Default: no cache.
    ///
    /// The cache is wasmtime's own, and wasmtime runs the code that it finds in the folder: a user who can write to
    /// the folder can run any code in this process. The folder is refused if other users can write to it, if its
    /// path contains links, or if guests of this process have or had access to it, to a folder around it, or to a
    /// folder in it. The host has to make sure that no guest of another process has access to it by any path.
    ///
    /// What is known of each module is kept beside its code, so that another process need not analyse and validate it
    /// again. It is compared with the caps of that process.
    ///
    /// wasmtime removes entries that were not used lately when the cache is larger than about half a GiB. Each
    /// folder that is named here costs one thread for the life of the process.
    pub cache_path: Option<PathBuf>,
    /// The maximum number of compilations and long validations that run or wait at one time. A process runs one of
    /// them per core. Each holds its source in memory. Default: 1,000.
    pub max_pending_compiles: u32,
    /// The caps on one module, which are checked before it is compiled.
    pub module_limits: ModuleLimits,
    /// Whether modules may have legacy exception instructions (`try`, `catch`, `catch_all`, `rethrow`, `delegate`),
    /// which compilers wrote by default before `try_table` was standardised. They are turned into the standard ones
    /// before the module is compiled. Default: yes.
    pub allow_legacy_exceptions: bool,
    /// Whether the global `WebAssembly` of the runtime is an object as `createWebAssembly` makes it, from before the
    /// first line of an app on. Its limits are these caps. An engine's own `WebAssembly`, which has no limits, is
    /// removed, and the engine compiles no WebAssembly for the runtime any more. Default: no.
    pub webassembly_global: bool,
    /// Whether stores may have WASI. Default: no.
    pub allow_wasi: bool,
    /// Whether components with WASI may use WASI 0.3. Its implementation in wasmtime is new, and wasmtime makes no security
    /// releases for it. Default: no.
    pub allow_wasi_03: bool,
    /// Folders that guests with WASI may get as preopens, with everything in them. Links are resolved before a path
    /// is compared. Default: none.
    pub preopen_paths: Vec<PathBuf>,
    /// Glob patterns of folders that guests may get as preopens, with everything in them. The syntax is the one of
    /// `compile_globs`. Any pattern here allows WASI. Default: none.
    #[serde(alias = "preopens")]
    pub preopen_globs: Vec<String>,
    /// The hosts that components with WASI may connect to, and the addresses at which they may listen. Any entry here allows
    /// WASI. Default: none.
    pub network: Network,
    /// The maximum number of bytes kept of the output that the guests of a store write to one captured stream. A
    /// guest that writes more is ended. Default: 16 MiB.
    pub max_output_bytes: usize,
    /// The maximum number of descriptors that the guests of a store have open at one time, including the three
    /// standard streams and the preopens. Opening more fails with `EMFILE`. Each open file or folder also takes one
    /// descriptor of the process, and a folder that is being listed takes one more. The guests of all states of a
    /// process together get at most three quarters of the descriptors that the system allows the process; opening
    /// more fails with `ENFILE`.
    ///
    /// It is also the maximum number of files, folders, sockets, streams, pollables and other resources of WASI 0.2 and 0.3 that a
    /// component has at one time. A component that makes more is ended; one that opens a file where the process has too few
    /// descriptors left gets `insufficient-memory`. Default: 1,024.
    pub max_wasi_descriptors: u32,
    /// The maximum number of subscriptions in one `poll_oneoff`; more fail with `EINVAL`. It is also the maximum number of
    /// pollables in one `poll` of WASI 0.2; a component that waits for more is ended. Default: 4,096.
    pub max_wasi_subscriptions: u32,
    /// The maximum number of directory entries kept for all folders that the guests of a store are listing, so that
    /// a guest can continue at an earlier entry. If an earlier entry is not kept any more, the folder is listed
    /// again. An entry takes up to 255 bytes for its name, and at most the same again for bookkeeping. Default:
    /// 1,024.
    pub max_wasi_listing_entries: u32,
    /// The maximum number of bytes of the arguments, the environment variables and the entries of the network of a store
    /// together. Default: 1 MiB.
    pub max_wasi_text_bytes: u32,
    /// The maximum number of bytes of the linear memories and the garbage-collected heaps of one store, or of one group
    /// of stores, together.
    /// Default: no cap other than the address space.
    pub max_memory_bytes: Option<u64>,
    /// The maximum fuel that an instance starts with. If set, *every* instance is metered. Default: none.
    pub max_fuel: Option<u64>,
    /// The maximum duration of a call, in milliseconds. If set, *every* call has a deadline. Default: none.
    pub max_timeout_ms: Option<u64>,
    /// The maximum number of asynchronous calls that run at one time; each has a thread. A guest that was given up
    /// but cannot be interrupted counts until it ends. Default: 1,000.
    pub max_running_calls: u32,
    /// The maximum number of elements of the tables of one store, or of one group of stores, together. Default:
    /// 10,000,000.
    pub max_table_elements: u64,
    /// The maximum number of bytes of the host's memory for the values that go into a component in one call, and for
    /// those that come out. A value takes more there than in the component: an element of a list 40 bytes. Default:
    /// 128 MiB.
    pub max_component_value_bytes: u64,
    /// The maximum number of calls of one asynchronous component that have not ended at one time. It also bounds its tasks, and
    /// its calls of WASI 0.3 that have not ended: at most four for each of these calls and of its streams. Default: 10,000.
    pub max_component_calls: u32,
    /// The maximum number of streams and futures that are open at one time between one component and the host, in both
    /// directions together. At most one chunk of each waits in the host. Default: 10,000.
    pub max_component_streams: u32,
    /// The maximum number of modules that an app holds at one time. Default: 10,000.
    pub max_modules: u32,
    /// The maximum number of imports and exports of an ES module together; their names may have 256 bytes each on
    /// average. The JavaScript engine handles them one by one, and QuickJS compares each export with all others.
    /// Default: 10,000.
    pub max_es_module_names: u32,
    /// The maximum number of stores alive at one time. An instance that was made without a store has its own, which
    /// counts. Default: 20,000.
    pub max_stores: u32,
    /// The maximum number of instances alive at one time. Default: 10,000.
    pub max_instances: u32,
    /// A pool for the instances that have a store of their own. An instance is made outside of it where the pool is full, or
    /// its module does not fit: it has several memories, more than two tables, or a memory that is shared or starts with more
    /// than 4 GiB, or exceeds `max_instance_bytes`. The only other difference to be seen is that further instances, which
    /// join the store of one in the pool, need places in the pool, too. No pool is used if `max_table_elements` is larger
    /// than its default, since a table in a pool has at most that many. A module takes about twice the memory for its
    /// machine code. Default: no pool.
    pub instance_pool: Option<InstancePool>,
    /// The maximum number of linear memories in one store. Default: 10,000. In addition, the guests of all states
    /// of a process together have a maximum that leaves the rest of the process enough of the memory mappings that
    /// the system allows it.
    pub max_memories: u32,
    /// The maximum number of tables in one store. Default: 10,000.
    pub max_tables: u32,
    /// The maximum number of references of one store that cross between host and guest and are alive at one time.
    /// It applies to each of these kinds separately: guest objects that the host holds; host values that guests
    /// hold; functions, memories, globals, tables and tags for which the host has a handle. Default: 1,000,000.
    pub max_references: u32,
}

impl Default for WasmCapabilities {
    fn default() -> Self {
        Self {
            allow_file_compile: false,
            compile_paths: Vec::new(),
            compile_globs: Vec::new(),
            base_folder: PathBuf::new(),
            cache_path: None,
            max_pending_compiles: 1_000,
            module_limits: ModuleLimits::default(),
            allow_legacy_exceptions: true,
            webassembly_global: false,
            allow_wasi: false,
            allow_wasi_03: false,
            preopen_paths: Vec::new(),
            preopen_globs: Vec::new(),
            network: Network::default(),
            max_output_bytes: 16 << 20,
            max_wasi_descriptors: 1_024,
            max_wasi_subscriptions: 4_096,
            max_wasi_listing_entries: 1_024,
            max_wasi_text_bytes: 1 << 20,
            max_memory_bytes: None,
            max_fuel: None,
            max_timeout_ms: None,
            max_running_calls: 1_000,
            max_table_elements: 10_000_000,
            max_component_value_bytes: 128 << 20,
            max_component_calls: 10_000,
            max_component_streams: 10_000,
            max_modules: 10_000,
            max_es_module_names: 10_000,
            max_stores: 20_000,
            max_instances: 10_000,
            instance_pool: None,
            max_memories: 10_000,
            max_tables: 10_000,
            max_references: 1_000_000,
        }
    }
}

impl WasmCapabilities {
    /// Returns the same capabilities with relative paths and patterns resolved against `folder`, for example the
    /// folder of the manifest.
    #[must_use]
    pub fn relative_to(mut self, folder: &Path) -> Self {
        let paths = self.compile_paths.iter_mut().chain(&mut self.preopen_paths);
        for path in paths.chain(&mut self.cache_path) {
            *path = folder.join(&*path);
        }
        self.base_folder = folder.join(&self.base_folder);
        self
    }

    /// Whether stores may have WASI.
    pub(crate) fn allows_wasi(&self) -> bool {
        self.allow_wasi || !self.preopen_globs.is_empty() || !self.network.is_empty()
    }
}
