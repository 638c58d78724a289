//! What the host lets an app do. Everything is denied until it is granted.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::runtime::base::module_limits::ModuleLimits;

/// The rights and limits that the embedder gives to one runtime.
///
/// The default grants no file, no WASI, and puts generous caps on what an app may hold alive.
/// A cap always wins over a larger request of the app. Paths are resolved when the
/// [state](crate::runtime::WasmState) is made: one that does not exist then grants nothing.
///
/// `serde` reads them, from the `[capabilities.wasm]` of a manifest for example: a key is the name of a field, what is
/// missing keeps its default, and an unknown key is an error. `load` and `preopens` are other names of `compile_globs`
/// and `preopen_globs`, as Forge's manifests have them.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct WasmCapabilities {
    /// Whether `compileFile` may read files at all. Default: no.
    pub allow_file_compile: bool,
    /// Folders that `compileFile` may read all of, and files that it may read, if
    /// `allow_file_compile`. Links are resolved before a path is compared. Default: none.
    pub compile_paths: Vec<PathBuf>,
    /// Patterns of files that `compileFile` may read, whatever `allow_file_compile` says, as `plugins/**/*.wasm`:
    /// `*` and `?` match no `/`, `**` matches folders, `{a,b}` and `[a-z]` match one of several. A path is compared
    /// after its links are resolved. Default: none.
    #[serde(alias = "load")]
    pub compile_globs: Vec<String>,
    /// A folder for machine code, so that a module which another process has compiled, or an earlier
    /// one, need not be compiled again; it is made if there is none. Default: none.
    ///
    /// wasmtime, whose own cache this is, runs what it finds there: whoever can write to the folder can
    /// run anything in this process. It is refused if others than this user can write to it, if the
    /// path leads through links, or if guests in this process are or were granted it, one around it,
    /// or one in it. That no guest of another process is, by whatever path, is for the host to see to.
    ///
    /// wasmtime removes what was not used lately where there is more than about half a GiB. Each
    /// folder that was named costs a thread for as long as the process lives.
    pub cache_path: Option<PathBuf>,
    /// The most compiles and longer validations that may run, or wait in line, at one time: one a core
    /// runs in a process. Each holds its source. Default: 1,000.
    pub max_pending_compiles: u32,
    /// What a module may hold and cost, before it is compiled.
    pub module_limits: ModuleLimits,
    /// Whether stores may have WASI. Default: no.
    pub allow_wasi: bool,
    /// Folders that guests with WASI may be given, and whatever is in them. Links are resolved
    /// before a path is compared. Default: none.
    pub preopen_paths: Vec<PathBuf>,
    /// Patterns of folders that guests may be given, like `compile_globs`, with all that is in them. Any of them allows
    /// WASI. Default: none.
    #[serde(alias = "preopens")]
    pub preopen_globs: Vec<String>,
    /// The most bytes that are kept of what the guests of a store write to a stream that is
    /// captured; to write more ends the guest. Default: 16 MiB.
    pub max_output_bytes: usize,
    /// The most descriptors that the guests of a store may have open at one time, with the three
    /// streams and the folders that they are given; to open more is `EMFILE`. Each file or folder is
    /// one of the process's too, and a folder that is being listed another one: the guests of all of a
    /// process's states may together have three quarters of what the system gives the process, and to
    /// open more is `ENFILE`. Default: 1,024.
    pub max_wasi_descriptors: u32,
    /// The most things that a guest may wait for in one `poll_oneoff`; more are `EINVAL`.
    /// Default: 4,096.
    pub max_wasi_subscriptions: u32,
    /// The most entries that are kept of all folders which the guests of a store are listing, so that
    /// they can go back to them; further back, the folder is listed anew. An entry has up to 255 bytes, and as
    /// many again for the bookkeeping at most. Default: 1,024.
    pub max_wasi_listing_entries: u32,
    /// The most bytes that the arguments and environment variables of a store may have together.
    /// Default: 1 MiB.
    pub max_wasi_text_bytes: u32,
    /// The most bytes that the linear memories and the garbage-collected heap of one store may
    /// hold together. Default: none but what the address space sets.
    pub max_memory_bytes: Option<u64>,
    /// The most fuel an instance starts with. If set, *every* instance is metered.
    /// Default: none.
    pub max_fuel: Option<u64>,
    /// The longest that a call may take, in milliseconds. If set, *every* call has a deadline.
    /// Default: none.
    pub max_timeout_ms: Option<u64>,
    /// The most calls that may run at one time without their caller waiting for them; each has a
    /// thread. A guest that cannot be interrupted, and was given up, counts until it ends.
    /// Default: 1,000.
    pub max_running_calls: u32,
    /// The most elements that the tables of one store may hold together. Default: 10,000,000.
    pub max_table_elements: u64,
    /// The most modules that an app may hold at one time. Default: 10,000.
    pub max_modules: u32,
    /// The most stores alive at one time, those of instances that have one of their own included. Default:
    /// 20,000.
    pub max_stores: u32,
    /// The most instances alive at one time. Default: 10,000.
    pub max_instances: u32,
    /// The most linear memories in one store. Default: 10,000. The guests of all of a process's states
    /// together may besides have as many as leave the rest of the process enough of the mappings that the
    /// system gives a process.
    pub max_memories: u32,
    /// The most tables in one store. Default: 10,000.
    pub max_tables: u32,
    /// The most references of one store that cross between host and guest and are alive at one time: objects
    /// of the guests' that the host holds, values of the host's that guests hold, and functions, memories,
    /// globals, tables and tags that the host has a number for, each. Default: 1,000,000.
    pub max_references: u32,
}

impl Default for WasmCapabilities {
    fn default() -> Self {
        Self {
            allow_file_compile: false,
            compile_paths: Vec::new(),
            compile_globs: Vec::new(),
            cache_path: None,
            max_pending_compiles: 1_000,
            module_limits: ModuleLimits::default(),
            allow_wasi: false,
            preopen_paths: Vec::new(),
            preopen_globs: Vec::new(),
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
            max_modules: 10_000,
            max_stores: 20_000,
            max_instances: 10_000,
            max_memories: 10_000,
            max_tables: 10_000,
            max_references: 1_000_000,
        }
    }
}

impl WasmCapabilities {
    /// The same, with paths and patterns that are relative to this folder: those of a manifest, to where it is.
    #[must_use]
    pub fn relative_to(mut self, folder: &Path) -> Self {
        let paths = self.compile_paths.iter_mut().chain(&mut self.preopen_paths);
        for path in paths.chain(&mut self.cache_path) {
            *path = folder.join(&*path);
        }
        // The folder's own name is no pattern.
        let folder = globset::escape(&folder.to_string_lossy());
        for glob in self.compile_globs.iter_mut().chain(&mut self.preopen_globs) {
            if !Path::new(glob).is_absolute() {
                *glob = format!("{folder}/{}", glob.strip_prefix("./").unwrap_or(glob));
            }
        }
        self
    }

    /// Whether stores may have WASI.
    pub(crate) fn allows_wasi(&self) -> bool {
        self.allow_wasi || !self.preopen_globs.is_empty()
    }
}
