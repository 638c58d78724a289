//! WASI preview 1: what a store's guests may reach of the system.

mod captured;
mod functions;

use std::path::{Path, PathBuf};

use wasmtime::{Engine, Extern, Linker};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtxBuilder};

use self::captured::Captured;
use super::capabilities::WasmCapabilities;
use super::error::WasmError;
use super::granted::Granted;
use super::store::StoreData;

/// The modules that WASI's functions are imported from.
pub const WASI_MODULES: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];

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

/// What guests have written to the streams that are [piped](StdioConfig::Piped).
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    stdout: Option<Captured>,
    stderr: Option<Captured>,
}

impl Outputs {
    /// What was written to the standard output; `None` if it is not captured.
    pub fn stdout(&self) -> Option<Vec<u8>> {
        self.stdout.as_ref().map(Captured::contents)
    }

    /// What was written to the standard error; `None` if it is not captured.
    pub fn stderr(&self) -> Option<Vec<u8>> {
        self.stderr.as_ref().map(Captured::contents)
    }
}

/// The WASI of one store.
pub(crate) struct Wasi {
    context: WasiP1Ctx,
    outputs: Outputs,
}

impl Wasi {
    /// Sets up what `config` asks for, if `capabilities` allow it and its folders are in `preopens`.
    ///
    /// # Errors
    /// `InstantiateError` if they do not, or something in the config cannot be used.
    pub(crate) fn new(
        config: WasiConfig,
        capabilities: &WasmCapabilities,
        preopens: &Granted,
    ) -> Result<Self, WasmError> {
        if !capabilities.allow_wasi {
            return Err(WasmError::instantiate("the host grants no WASI"));
        }
        let _entered = functions::tokio()?.enter();
        let mut builder = WasiCtxBuilder::new();
        // The guest is called synchronously, or has a thread of its own.
        builder.allow_blocking_current_thread(true);
        for arg in &config.args {
            builder.arg(text("an argument", arg)?);
        }
        for (name, value) in &config.env {
            if name.is_empty() || name.contains('=') {
                return Err(unusable(format!("{name:?} is no name of a variable")));
            }
            builder.env(
                text("a variable's name", name)?,
                text("a variable's value", value)?,
            );
        }
        for preopen in &config.preopens {
            let folder = preopens.folder(&preopen.host);
            let folder = folder.ok_or_else(|| not_granted(&preopen.host))?;
            let perms = if preopen.readonly {
                FsPerms::ReadOnly
            } else {
                FsPerms::ReadWrite
            };
            let guest = text("a preopen's name", &preopen.guest)?;
            builder
                .preopened_dir(folder.path(), guest, perms)
                .map_err(|_| not_granted(&preopen.host))?;
        }
        match config.stdin {
            StdioConfig::Null | StdioConfig::Piped => {}
            StdioConfig::Inherit => {
                builder.inherit_stdin();
            }
            StdioConfig::Bytes(bytes) => {
                builder.stdin(MemoryInputPipe::new(bytes));
            }
        }
        let cap = capabilities.max_output_bytes;
        let stdout = Captured::new("stdout", &config.stdout, cap)?;
        if let Some(captured) = &stdout {
            builder.stdout(captured.clone());
        } else if config.stdout == StdioConfig::Inherit {
            builder.inherit_stdout();
        }
        let stderr = Captured::new("stderr", &config.stderr, cap)?;
        if let Some(captured) = &stderr {
            builder.stderr(captured.clone());
        } else if config.stderr == StdioConfig::Inherit {
            builder.inherit_stderr();
        }
        Ok(Self {
            context: builder.build_p1(),
            outputs: Outputs { stdout, stderr },
        })
    }

    /// Where what guests write can be read.
    pub(crate) fn outputs(&self) -> Outputs {
        self.outputs.clone()
    }
}

/// All functions of WASI, for stores of an engine.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<StoreData>, WasmError> {
    let failed = |error: wasmtime::Error| WasmError::instantiate(format!("no WASI: {error:#}"));
    let mut linker = Linker::new(engine);
    // By `exit` and `functions`.
    linker.allow_shadowing(true);
    wasmtime_wasi::p1::add_to_linker_sync(&mut linker, context).map_err(failed)?;
    wasmtime_wasi::p0::add_to_linker_sync(&mut linker, context).map_err(failed)?;
    for module in WASI_MODULES {
        linker
            .func_wrap(module, "proc_exit", exit)
            .map_err(failed)?;
    }
    functions::add_to_linker(&mut linker).map_err(failed)?;
    Ok(linker)
}

/// `proc_exit`: in the place of wasmtime's, which takes a status of 126 and more for an error of its
/// own kind, because shells give those a meaning. `exit(-1)` is common.
fn exit(status: i32) -> wasmtime::Result<()> {
    Err(I32Exit(status).into())
}

fn context(data: &mut StoreData) -> &mut WasiP1Ctx {
    match &mut data.wasi {
        Some(wasi) => &mut wasi.context,
        None => unreachable!("`function` gives none to a store without WASI"),
    }
}

/// The function of WASI of this name, for a store that has WASI.
pub(crate) fn function(
    mut store: wasmtime::StoreContextMut<'_, StoreData>,
    linker: &Linker<StoreData>,
    module: &str,
    name: &str,
) -> Result<Extern, WasmError> {
    if store.data().wasi.is_none() {
        return Err(WasmError::instantiate("the store has no WASI"));
    }
    let function = linker.get(&mut store, module, name);
    function.map_err(|_| WasmError::instantiate("WASI has no such function"))
}

/// Says the same of a folder that is missing and of one that is not granted, so that nobody learns
/// which there are.
fn not_granted(path: &Path) -> WasmError {
    unusable(format!(
        "cannot preopen {}: not a folder, or not granted by the host",
        path.display()
    ))
}

fn unusable(why: String) -> WasmError {
    WasmError::instantiate(format!("the option wasi is unusable: {why}"))
}

/// Preview 1 hands out strings that end in NUL.
fn text<'a>(what: &str, text: &'a str) -> Result<&'a str, WasmError> {
    if text.contains('\0') {
        return Err(unusable(format!("{what} contains NUL: {text:?}")));
    }
    Ok(text)
}
