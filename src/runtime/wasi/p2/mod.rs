//! WASI 0.2: the system resources of a component's instance. `component::wasi` exports the functions to components.
//!
//! wasmtime-wasi has the functions. Those that wait are asynchronous there, and its synchronous forms block the thread
//! until they are done, whatever the deadline. So the ones here wait as those of preview 1 do: on the guest's thread, no
//! longer than the guest may run.

mod async_stdio;
mod filesystem;
pub(crate) mod http;
mod io;
mod listing;
mod network;
mod stdio;

use std::collections::HashMap;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use wasmtime::component::{ResourceTable, ResourceType};
use wasmtime_wasi::filesystem::{Dir, WasiFilesystemCtxView};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, IoError};
use wasmtime_wasi::{FsPerms, OpenMode, WasiCtx, WasiCtxView};

use self::http::Http;
use self::network::NetworkAccess;
use self::stdio::{CapturedOutput, ProcessInput, ProcessOutput};
use super::{Outputs, check_texts, not_granted, outputs, size_limit, unusable, without_nul};
use crate::runtime::base::capabilities::WasmCapabilities;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::options::{StdioConfig, WasiConfig};
use crate::runtime::base::text;
use crate::runtime::base::tls::TlsConnector;
use crate::runtime::engine::grants::GrantedPaths;
use crate::runtime::engine::interrupt::Interrupt;
use crate::runtime::engine::network::GrantedNetwork;
use crate::runtime::engine::quota::{DESCRIPTORS, Share};

/// The packages of WASI 0.2 whose interfaces the host provides to any store with WASI.
const PACKAGES: [&str; 5] = ["cli", "clocks", "filesystem", "io", "random"];

/// The packages of WASI 0.3 whose interfaces the host provides to any store with WASI.
const PACKAGES_03: [&str; 4] = ["cli", "clocks", "filesystem", "random"];

/// The interfaces that a component exports if it handles requests, with the part of their versions that compatible versions
/// have in common.
const HTTP_HANDLERS: [&str; 2] = ["wasi:http/incoming-handler@0.2.", "wasi:http/handler@0.3."];

/// The maximum number of random bytes in one call, which no deadline ends before they are made.
const MAX_RANDOM: u64 = 4 << 20;

/// How the host satisfies an import of WASI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Provision {
    pub(crate) kind: ProvisionKind,
    /// Whether it is of WASI 0.3, which a capability of its own allows.
    pub(crate) is_of_03: bool,
}

/// What the host satisfies an import with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProvisionKind {
    /// With an interface of WASI.
    Provided,
    /// With an interface of `wasi:sockets` where the store may use the network. Elsewhere its functions refuse: they return an
    /// error, or end the component. Toolchains import them for every program, also for those that never call them.
    Sockets,
    /// With an interface of `wasi:http` where the store may use the network, or the component handles requests; elsewhere as
    /// [`ProvisionKind::Sockets`].
    Http,
}

/// What a store has of WASI. A component is linked otherwise for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WasiScope {
    None,
    /// All but the network.
    Local,
    All,
}

impl WasiScope {
    /// The number of scopes.
    pub(crate) const COUNT: usize = 3;

    /// Returns the index of this scope, below [`WasiScope::COUNT`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// Whether a component has WASI.
    pub(crate) fn has_wasi(self) -> bool {
        self != Self::None
    }
}

/// Returns how the host satisfies the import of this name for a component that has WASI; `None` if it does not.
pub(crate) fn provision(import: &str) -> Option<Provision> {
    let rest = import.strip_prefix("wasi:")?;
    let (package, rest) = rest.split_once('/')?;
    let (_, version) = rest.split_once('@')?;
    let of_02 = version.strip_prefix("0.2.");
    let (packages, patch) = match of_02 {
        Some(patch) => (&PACKAGES[..], patch),
        None => (&PACKAGES_03[..], version.strip_prefix("0.3.")?),
    };
    if patch.is_empty() || !patch.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let kind = match (package, of_02) {
        ("sockets", _) => ProvisionKind::Sockets,
        ("http", _) => ProvisionKind::Http,
        _ if packages.contains(&package) => ProvisionKind::Provided,
        _ => return None,
    };
    Some(Provision {
        kind,
        is_of_03: of_02.is_none(),
    })
}

/// Whether a component that exports the interface of this name handles requests of HTTP.
pub(crate) fn is_http_handler(export: &str) -> bool {
    let mut handlers = HTTP_HANDLERS.iter();
    handlers.any(|handler| export.starts_with(handler)) && provision(export).is_some()
}

/// Returns the type of a resource of `wasi:io`, which interfaces that the host refuses refer to.
pub(crate) fn resource_type(name: &str) -> Option<ResourceType> {
    Some(match name {
        "error" => ResourceType::host::<IoError>(),
        "input-stream" => ResourceType::host::<DynInputStream>(),
        "output-stream" => ResourceType::host::<DynOutputStream>(),
        "pollable" => ResourceType::host::<DynPollable>(),
        _ => return None,
    })
}

/// The WASI state of a component's instance.
pub(crate) struct WasiP2 {
    ctx: WasiCtx,
    table: ResourceTable,
    interrupt: Arc<Interrupt>,
    outputs: Outputs,
    max_subscriptions: u32,
    /// Whether the component may use WASI 0.3.
    allows_03: bool,
    /// Shares of the process's descriptors for the files that the guest has opened, by the number of the resource.
    shares: HashMap<u32, Share>,
    /// Those for its sockets and their streams.
    sockets: HashMap<u32, Arc<Share>>,
    /// `None` if the guest may not use the network.
    network: Option<Arc<NetworkAccess>>,
    http: Http,
    preopens: Vec<Preopened>,
}

/// A preopened folder.
struct Preopened {
    folder: Dir,
    /// The name that the guest knows.
    name: String,
    _share: Share,
}

impl WasiP2 {
    /// Makes the WASI state for `config`, as [`Wasi::new`](super::Wasi::new) does for preview 1. `tls` is for requests with
    /// the scheme `https`.
    ///
    /// # Errors
    /// As [`Wasi::new`](super::Wasi::new).
    pub(crate) fn new(
        config: WasiConfig,
        capabilities: &WasmCapabilities,
        preopens: &GrantedPaths,
        network: &GrantedNetwork,
        tls: Option<Arc<dyn TlsConnector>>,
    ) -> Result<Self, WasmError> {
        check_texts(&config, capabilities)?;
        let outputs = outputs(&config, capabilities)?;
        let mut builder = WasiCtx::builder();
        builder.args(&config.args).envs(&config.env);
        builder.max_random_size(MAX_RANDOM);
        match config.stdin {
            StdioConfig::Null | StdioConfig::Piped => {}
            StdioConfig::Bytes(bytes) => {
                builder.stdin(wasmtime_wasi::p2::pipe::MemoryInputPipe::new(bytes));
            }
            StdioConfig::Inherit => {
                builder.stdin(ProcessInput);
            }
        }
        match (&outputs.stdout, config.stdout) {
            (Some(captured), _) => _ = builder.stdout(CapturedOutput(captured.clone())),
            (None, StdioConfig::Inherit) => _ = builder.stdout(ProcessOutput::Stdout),
            (None, _) => {}
        }
        match (&outputs.stderr, config.stderr) {
            (Some(captured), _) => _ = builder.stderr(CapturedOutput(captured.clone())),
            (None, StdioConfig::Inherit) => _ = builder.stderr(ProcessOutput::Stderr),
            (None, _) => {}
        }
        let cap = capabilities.max_wasi_descriptors;
        let mut preopened = Vec::new();
        for preopen in &config.preopens {
            let name = without_nul("a preopen's name", &preopen.guest)?;
            if preopened.len() >= cap as usize {
                return Err(unusable(format!(
                    "it has more folders than max_wasi_descriptors, which is {cap}"
                )));
            }
            if !preopen.readonly && size_limit::max_file_size().is_some() {
                // A write beyond the limit would end the process, and wasmtime-wasi does not look.
                return Err(unusable(format!(
                    "preopen {} has to be read-only, since the process has a maximum file size",
                    text::quote(name)
                )));
            }
            let share = DESCRIPTORS.take(1).map_err(unusable)?;
            let (perms, mode) = match preopen.readonly {
                true => (FsPerms::ReadOnly, OpenMode::READ),
                false => (FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE),
            };
            let granted = preopens.folder(&preopen.host);
            let granted = granted.ok_or_else(|| not_granted(&preopen.host))?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let opened = rustix::fs::openat(&granted, ".", flags, Mode::empty());
            let opened = opened.map_err(|_| not_granted(&preopen.host))?;
            preopened.push(Preopened {
                folder: Dir::new(opened.into(), perms, mode, false),
                name: name.to_owned(),
                _share: share,
            });
        }
        let network = network.part(&config.network)?;
        let network = (!network.is_empty()).then(|| Arc::new(NetworkAccess::new(network)));
        if let Some(network) = network.clone() {
            builder.allow_tcp(true).allow_udp(true);
            builder.socket_addr_check(move |address, usage| {
                let allows = network.allows(address, usage);
                Box::pin(async move { allows })
            });
        }
        let mut table = ResourceTable::new();
        table.set_max_capacity(cap as usize);
        Ok(Self {
            ctx: builder.build(),
            table,
            interrupt: Arc::default(),
            outputs,
            max_subscriptions: capabilities.max_wasi_subscriptions,
            allows_03: capabilities.allow_wasi_03,
            shares: HashMap::new(),
            sockets: HashMap::new(),
            http: Http::new(network.clone(), tls, cap),
            network,
            preopens: preopened,
        })
    }

    /// Returns what the store has of WASI.
    pub(crate) fn scope(&self) -> WasiScope {
        match self.network {
            Some(_) => WasiScope::All,
            None => WasiScope::Local,
        }
    }

    /// Ends everything that the guest has open, after it has ended itself.
    pub(crate) fn close(&mut self) {
        self.table = ResourceTable::new();
        self.http.close();
        self.shares.clear();
        self.sockets.clear();
    }

    /// Returns the interrupt of the calls in the store, which ends waits.
    pub(crate) fn interrupt(&self) -> Arc<Interrupt> {
        self.interrupt.clone()
    }

    /// Whether the component may use WASI 0.3.
    pub(crate) fn allows_03(&self) -> bool {
        self.allows_03
    }

    /// Returns a handle to the captured output.
    pub(crate) fn outputs(&self) -> Outputs {
        self.outputs.clone()
    }

    /// Returns the state for the functions of wasmtime-wasi that do not wait.
    pub(crate) fn view(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.ctx,
            table: &mut self.table,
        }
    }

    fn filesystem(&mut self) -> WasiFilesystemCtxView<'_> {
        WasiFilesystemCtxView {
            ctx: self.ctx.filesystem(),
            table: &mut self.table,
        }
    }
}
