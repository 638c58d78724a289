//! The options of stores, calls and WASI that an app asks for.

use std::path::PathBuf;

use super::capabilities::WasmCapabilities;
use super::network::Network;

/// The options of a new store. The capabilities cap them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreOptions {
    /// The initial fuel; an instruction takes about one unit. `None`: not metered, unless the capabilities have a
    /// cap.
    pub fuel: Option<u64>,
    /// The maximum number of bytes of the store's memories together. `None`: the cap of the capabilities.
    pub max_memory_bytes: Option<u64>,
    /// The maximum duration of a call, in milliseconds, including the host functions that it calls. `None`:
    /// unlimited, unless the capabilities have a cap.
    pub timeout_ms: Option<u64>,
    /// Whether a running call can be [aborted](crate::runtime::RunningCall::abort) and have its own deadline. A
    /// store with a `timeout_ms` allows both as well.
    pub interruptible: bool,
    /// The system resources that the guests reach through WASI. `None`: they have no WASI.
    pub wasi: Option<WasiConfig>,
}

/// The options of an asynchronous call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallOptions {
    /// The maximum duration of the call, in milliseconds, up to the cap. `None`: the duration that the store has
    /// for any call.
    pub timeout_ms: Option<u64>,
    /// Whether the call has to be [abortable](crate::runtime::RunningCall::abort) at any point of guest code.
    pub abortable: bool,
}

impl StoreOptions {
    /// Gives the store a budget of [`fuel`](Self::fuel).
    #[must_use]
    pub fn with_fuel(mut self, fuel: u64) -> Self {
        self.fuel = Some(fuel);
        self
    }

    /// Caps the store's memories: [`max_memory_bytes`](Self::max_memory_bytes).
    #[must_use]
    pub fn with_max_memory_bytes(mut self, bytes: u64) -> Self {
        self.max_memory_bytes = Some(bytes);
        self
    }

    /// Gives each call a timeout: [`timeout_ms`](Self::timeout_ms).
    #[must_use]
    pub fn with_timeout_ms(mut self, timeout_ms: u64) -> Self {
        self.timeout_ms = Some(timeout_ms);
        self
    }

    /// Lets calls be interrupted: [`interruptible`](Self::interruptible).
    #[must_use]
    pub fn with_interrupts(mut self) -> Self {
        self.interruptible = true;
        self
    }

    /// Gives the guests WASI: [`wasi`](Self::wasi).
    #[must_use]
    pub fn with_wasi(mut self, wasi: WasiConfig) -> Self {
        self.wasi = Some(wasi);
        self
    }

    /// Returns these options, limited by the caps of `capabilities`.
    pub(crate) fn capped(self, capabilities: &WasmCapabilities) -> Self {
        Self {
            fuel: capped(self.fuel, capabilities.max_fuel),
            max_memory_bytes: capped(self.max_memory_bytes, capabilities.max_memory_bytes),
            timeout_ms: capped(self.timeout_ms, capabilities.max_timeout_ms),
            interruptible: self.interruptible,
            wasi: self.wasi,
        }
    }

    /// Returns the checks that the guest code of a store with these options needs.
    pub(crate) fn checks(&self) -> Checks {
        Checks {
            fuel: self.fuel.is_some(),
            interrupt: self.interruptible || self.timeout_ms.is_some(),
        }
    }
}

/// Returns the smaller of a request and a cap, either of which may be absent.
pub(crate) fn capped(request: Option<u64>, cap: Option<u64>) -> Option<u64> {
    match (request, cap) {
        (Some(request), Some(cap)) => Some(request.min(cap)),
        (request, cap) => request.or(cap),
    }
}

/// The checks that guest code does while it runs. They cost time, so code has only the checks that its store needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) struct Checks {
    /// Whether code checks that its fuel has not run out.
    pub fuel: bool,
    /// Whether code checks for an interrupt: an expired deadline or an aborted call.
    pub interrupt: bool,
}

impl Checks {
    /// The number of combinations of checks.
    pub(crate) const WAYS: usize = 4;

    /// Returns the index of this combination, below [`Checks::WAYS`].
    pub(crate) fn index(self) -> usize {
        usize::from(self.fuel) + 2 * usize::from(self.interrupt)
    }
}

/// The WASI resources of the guests of a store. The default has no arguments, no environment variables, no files,
/// empty input and discarded output. Clocks and random numbers are always available.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WasiConfig {
    /// The arguments; by convention the first is the program's name.
    pub args: Vec<String>,
    /// The environment variables.
    pub env: Vec<(String, String)>,
    /// The preopened folders. The capabilities have to allow each of them.
    pub preopens: Vec<Preopen>,
    /// The hosts and addresses that components may use. The capabilities have to grant each of them. Modules, which have WASI
    /// preview 1, have no network: an entry makes a store for them impossible.
    pub network: Network,
    /// The standard input of the guests.
    pub stdin: StdioConfig,
    /// The standard output of the guests.
    pub stdout: StdioConfig,
    /// The standard error output of the guests.
    pub stderr: StdioConfig,
}

/// A folder of the host that guests see under another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preopen {
    /// The name for guests.
    pub guest: String,
    /// The folder on the host. A relative path starts in the process's working directory.
    pub host: PathBuf,
    /// Whether guests have read access only.
    pub readonly: bool,
}

/// The source or destination of one standard stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StdioConfig {
    /// As input: empty. As output: discarded.
    #[default]
    Null,
    /// The stream of the process.
    Inherit,
    /// Output is kept, up to a cap, and the app reads it with
    /// [`Outputs`](crate::runtime::Outputs). As input: empty.
    Piped,
    /// As input: these bytes. Not allowed for output.
    Bytes(Vec<u8>),
}
