//! The process of a program: it runs the program in a lane, on the streams of the process.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use ext_wasm::runtime::{
    ComponentFunction, Import, Outcome, Preopen, StdioConfig, StoreOptions, WasiConfig, WasmState,
};
use ext_wasm::{WasmCapabilities, WasmError, WasmErrorCode};
use serde::{Deserialize, Serialize};
use wasmtime::component::Val;

use super::{adapter, engine, script};
use crate::lane::Lane;
use crate::run::with_deep_stack;

/// The status of a process whose program did not start: its lane does not take it.
pub(super) const REFUSED: i32 = 121;

/// The status of a process whose program failed otherwise: a trap, say.
const FAILED: u8 = 122;

/// The program that a process runs, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Guest {
    pub(super) path: PathBuf,
    pub(super) lane: Lane,
    /// The method of an instance that runs it.
    pub(super) call: String,
    /// Whether a component is made of it first.
    pub(super) is_adapted: bool,
    /// Whether it is a program of WASI 0.3.
    pub(super) is_of_03: bool,
    /// Whether it may use the network.
    pub(super) has_network: bool,
    pub(super) args: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    /// The folder that it sees as `/`.
    pub(super) root: Option<PathBuf>,
}

/// How a program ended that did not fail.
pub(super) enum End {
    /// With this status.
    Exited(i32),
    /// It did not start, for this reason.
    Refused(String),
}

/// Runs the program that the text names, and returns the status of the process: that of the program.
pub fn run(guest: &str) -> ExitCode {
    let end = serde_json::from_str(guest)
        .context("no program")
        .and_then(|guest: Guest| with_deep_stack(|| guest.run())?);
    let (status, message) = match end {
        Ok(End::Exited(status)) => (u8::try_from(status).unwrap_or(u8::MAX), String::new()),
        Ok(End::Refused(message)) => (REFUSED as u8, message),
        Err(error) => (FAILED, format!("{error:#}")),
    };
    // If standard error is closed, there is no other place to report it.
    let _ = io::stderr().write_all(message.as_bytes());
    ExitCode::from(status)
}

impl Guest {
    fn run(&self) -> anyhow::Result<End> {
        match self.lane {
            Lane::Engine => engine::run(self),
            Lane::Runtime => self.run_in_runtime(),
            _ => script::run(self),
        }
    }

    /// Whether it is run as a component.
    pub(super) fn is_component(&self) -> bool {
        self.call.starts_with("run")
    }

    /// The binary to run.
    pub(super) fn binary(&self) -> anyhow::Result<Vec<u8>> {
        let binary = fs::read(&self.path)?;
        match self.is_adapted {
            true => adapter::component_of(&binary),
            false => Ok(binary),
        }
    }

    /// Its arguments, of which the first is its name.
    pub(super) fn args(&self) -> Vec<String> {
        let name = self.path.file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        [name].into_iter().chain(self.args.clone()).collect()
    }

    /// What `host:wasm` grants it.
    pub(super) fn capabilities(&self) -> WasmCapabilities {
        let mut capabilities = WasmCapabilities::builder()
            .allow_wasi()
            .preopen_paths(self.root.clone());
        if self.is_of_03 {
            capabilities = capabilities.allow_wasi_03();
        }
        if self.has_network {
            capabilities = capabilities.connect(self.hosts()).listen(self.hosts());
        }
        capabilities.build()
    }

    /// The hosts of the network that it may use.
    pub(super) fn hosts(&self) -> Vec<String> {
        match self.has_network {
            true => ["0.0.0.0/0", "[::/0]"].map(str::to_owned).to_vec(),
            false => Vec::new(),
        }
    }

    fn run_in_runtime(&self) -> anyhow::Result<End> {
        let mut wasi = WasiConfig::default();
        wasi.args = self.args();
        wasi.env = self.env.clone().into_iter().collect();
        wasi.preopens = self.root.iter().map(|root| preopen(root)).collect();
        wasi.network.connect = self.hosts();
        wasi.network.listen = self.hosts();
        wasi.stdin = StdioConfig::Inherit;
        wasi.stdout = StdioConfig::Inherit;
        wasi.stderr = StdioConfig::Inherit;
        let state = WasmState::new(self.capabilities())?;
        let options = StoreOptions::default().with_wasi(wasi);
        match self.is_component() {
            true => self.run_component(&state, options),
            false => self.run_module(&state, options),
        }
    }

    fn run_module(&self, state: &WasmState, options: StoreOptions) -> anyhow::Result<End> {
        let (store, _) = state.new_store(options)?;
        let module = state.compile(&self.binary()?)?;
        let imports = module.imports.iter().map(|_| Import::Wasi).collect();
        let instance = returned(state.instantiate(module.id, store, imports)?)?;
        let (_, start) = instance.export("_start")?;
        let called = instance.store().func(start)?.call(&[]);
        match called {
            Ok(outcome) => returned(outcome).map(|_| End::Exited(0)),
            Err(error) => status(error),
        }
    }

    fn run_component(&self, state: &WasmState, options: StoreOptions) -> anyhow::Result<End> {
        let component = match state.compile_component(&self.binary()?) {
            Ok(component) => component,
            Err(error) => return refused(error),
        };
        let wit = component.interface().wit()?;
        let exports = wit.lines().map(str::trim);
        let mut exports =
            exports.filter_map(|line| line.strip_prefix("export ")?.strip_suffix(';'));
        // A program of WASI 0.3 may export the one of WASI 0.2, too, which does nothing.
        let version = if self.is_of_03 { "0.3." } else { "" };
        let wanted = format!("wasi:cli/run@{version}");
        let run = exports.find(|export| export.starts_with(&wanted));
        let run = format!("{}#run", run.context("it exports no wasi:cli/run")?);
        // WASI provides all of them.
        let missing = |_| -> Box<ComponentFunction> { Box::new(|_, _| Ok(Vec::new())) };
        let imports = (0..component.host_functions()).map(missing).collect();
        let made = state.instantiate_component(component.id, options, imports);
        let (_, instance) = match made {
            Ok(made) => made,
            Err(error) => return refused(error),
        };
        match instance.call(&run, &[]) {
            Ok(Some(Val::Result(result))) => Ok(End::Exited(result.is_err().into())),
            Ok(other) => anyhow::bail!("it returned {other:?}"),
            Err(error) => status(error),
        }
    }
}

fn preopen(root: &Path) -> Preopen {
    Preopen {
        guest: "/".to_owned(),
        host: root.to_path_buf(),
        readonly: false,
    }
}

fn returned<T>(outcome: Outcome<T>) -> anyhow::Result<T> {
    ensure!(
        matches!(outcome, Outcome::Returned(_)),
        "it did not return, and no error says why"
    );
    Ok(outcome.returned()?)
}

/// The end of a program that ended with this error.
fn status(error: WasmError) -> anyhow::Result<End> {
    match error.exit_code {
        Some(status) => Ok(End::Exited(status)),
        None => Err(error.into()),
    }
}

/// The end of a program that the runtime does not take, if that is what the error says.
pub(super) fn refused(error: WasmError) -> anyhow::Result<End> {
    match error.code {
        WasmErrorCode::CompileError | WasmErrorCode::InstantiateError => {
            Ok(End::Refused(error.message))
        }
        _ => Err(error.into()),
    }
}
