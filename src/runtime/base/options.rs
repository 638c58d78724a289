//! What an app asks for: how a store, a call and WASI are made.

use std::path::PathBuf;

use super::capabilities::WasmCapabilities;

/// What an app asks for when it makes a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreOptions {
    /// The fuel to start with; about one unit an instruction. `None`: not metered, unless the
    /// capabilities say so.
    pub fuel: Option<u64>,
    /// The most bytes that the store's memories may hold together. `None`: what the capabilities
    /// say.
    pub max_memory_bytes: Option<u64>,
    /// How long a call may take, in milliseconds: with all that it calls, the host's functions
    /// included. `None`: as long as it likes, unless the capabilities say otherwise.
    pub timeout_ms: Option<u64>,
    /// Whether a call that is running can be [aborted](crate::runtime::RunningCall::abort) and have a deadline
    /// of its own. So they can with a `timeout_ms`.
    pub interruptible: bool,
    /// What the guests may reach of the system, through WASI. `None`: they have no WASI.
    pub wasi: Option<WasiConfig>,
}

/// How a call is made whose caller does not wait for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallOptions {
    /// How long it may take, in milliseconds, up to the cap. `None`: as long as any call in its store.
    pub timeout_ms: Option<u64>,
    /// Whether it has to be possible to [abort](crate::runtime::RunningCall::abort) it wherever its guest is.
    pub abortable: bool,
}

impl StoreOptions {
    /// Gives the store a budget of so much [`fuel`](Self::fuel).
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

    /// Gives each call a deadline: [`timeout_ms`](Self::timeout_ms).
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

    /// Gives the guests [`wasi`](Self::wasi).
    #[must_use]
    pub fn with_wasi(mut self, wasi: WasiConfig) -> Self {
        self.wasi = Some(wasi);
        self
    }

    /// These options with the caps of `capabilities` applied.
    pub(crate) fn capped(self, capabilities: &WasmCapabilities) -> Self {
        Self {
            fuel: capped(self.fuel, capabilities.max_fuel),
            max_memory_bytes: capped(self.max_memory_bytes, capabilities.max_memory_bytes),
            timeout_ms: capped(self.timeout_ms, capabilities.max_timeout_ms),
            interruptible: self.interruptible,
            wasi: self.wasi,
        }
    }

    /// What the code of such a store's guests has to check for.
    pub(crate) fn checks(&self) -> Checks {
        Checks {
            fuel: self.fuel.is_some(),
            interrupt: self.interruptible || self.timeout_ms.is_some(),
        }
    }
}

/// The smaller of a request and a cap, where either may be absent.
pub(crate) fn capped(request: Option<u64>, cap: Option<u64>) -> Option<u64> {
    match (request, cap) {
        (Some(request), Some(cap)) => Some(request.min(cap)),
        (request, cap) => request.or(cap),
    }
}

/// What guest code checks for while it runs, which slows it down: only where it is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checks {
    /// Whether its fuel has run out.
    pub fuel: bool,
    /// Whether it should end: its deadline has passed, or the call was aborted.
    pub interrupt: bool,
}

impl Checks {
    /// How many ways there are to combine them.
    pub(crate) const WAYS: usize = 4;

    /// A number below [`Checks::WAYS`] for each way.
    pub(crate) fn index(self) -> usize {
        usize::from(self.fuel) + 2 * usize::from(self.interrupt)
    }
}

/// What an app gives the guests of a store. Without any of it they have no arguments, no
/// environment, no files, and streams that are empty or go nowhere; they can read the clocks and
/// random numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WasiConfig {
    /// The arguments; the first is by convention the program's name.
    pub args: Vec<String>,
    /// The environment variables.
    pub env: Vec<(String, String)>,
    /// The folders, of which the capabilities have to allow each.
    pub preopens: Vec<Preopen>,
    /// What guests read.
    pub stdin: StdioConfig,
    /// Where guests write.
    pub stdout: StdioConfig,
    /// Where guests write messages.
    pub stderr: StdioConfig,
}

/// A folder of the host's under a name for guests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preopen {
    /// The name.
    pub guest: String,
    /// The folder. A relative path starts where the process does.
    pub host: PathBuf,
    /// Whether guests may only read it.
    pub readonly: bool,
}

/// One of the standard streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StdioConfig {
    /// Empty, or thrown away.
    #[default]
    Null,
    /// That of the process.
    Inherit,
    /// Kept for the app, which reads it with [`Outputs`], up to a cap. As input: empty.
    Piped,
    /// These bytes. Not for output.
    Bytes(Vec<u8>),
}
