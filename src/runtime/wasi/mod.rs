//! WASI: the system resources of a store's guests. Here are those of preview 1, whose functions `linking::wasi` exports to
//! modules; [`p2`] has those of WASI 0.2 for components.

pub(crate) mod call;
mod captured;
mod descriptors;
mod directory;
pub(crate) mod errno;
mod fd;
mod fdstat;
mod file;
mod listing;
pub(crate) mod memory;
mod metadata;
pub(crate) mod p2;
mod path;
mod poll;
mod readiness;
mod size_limit;
mod sock;
mod streams;
mod system;

use std::path::Path;
use std::time::Instant;

use self::captured::Captured;
use self::descriptors::{Descriptor, Descriptors};
use self::directory::Directory;
use self::streams::{Input, Output, Sink};
use crate::runtime::base::capabilities::WasmCapabilities;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::options::{StdioConfig, WasiConfig};
use crate::runtime::base::text;
use crate::runtime::engine::grants::GrantedPaths;
use crate::runtime::engine::quota::DESCRIPTORS;

/// The captured output of guests, for streams that are [piped](StdioConfig::Piped).
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    stdout: Option<Captured>,
    stderr: Option<Captured>,
}

impl Outputs {
    /// Returns the standard output; `None` if it is not captured.
    pub fn stdout(&self) -> Option<Vec<u8>> {
        self.stdout.as_ref().map(Captured::contents)
    }

    /// Returns the standard error output; `None` if it is not captured.
    pub fn stderr(&self) -> Option<Vec<u8>> {
        self.stderr.as_ref().map(Captured::contents)
    }
}

/// The WASI state of one store.
pub(crate) struct Wasi {
    args: Vec<String>,
    /// Each variable as `NAME=value`.
    environment: Vec<String>,
    descriptors: Descriptors,
    /// The zero of the monotonic clock.
    started: Instant,
    max_subscriptions: u32,
    max_listing_entries: usize,
    outputs: Outputs,
}

impl Wasi {
    /// Makes the WASI state for `config`. The capabilities have to allow WASI, and `preopens` has to grant the
    /// folders.
    ///
    /// # Errors
    /// `InstantiateError` if a resource is not granted, or the config cannot be used.
    pub(crate) fn new(
        mut config: WasiConfig,
        capabilities: &WasmCapabilities,
        preopens: &GrantedPaths,
    ) -> Result<Self, WasmError> {
        check_texts(&config, capabilities)?;
        if !config.network.is_empty() {
            return Err(unusable(
                "preview 1 has no network: it is for components".to_owned(),
            ));
        }
        let variables = config.env.iter();
        let variables = variables.map(|(name, value)| format!("{name}={value}"));
        let environment = variables.collect();
        let outputs = outputs(&config, capabilities)?;
        Ok(Self {
            descriptors: descriptors(&mut config, capabilities, preopens, &outputs)?,
            args: config.args,
            environment,
            started: Instant::now(),
            max_subscriptions: capabilities.max_wasi_subscriptions,
            max_listing_entries: capabilities.max_wasi_listing_entries as usize,
            outputs,
        })
    }

    /// Returns a handle to the captured output.
    pub(crate) fn outputs(&self) -> Outputs {
        self.outputs.clone()
    }
}

/// Checks that the capabilities allow WASI, and the arguments and the environment.
///
/// # Errors
/// `InstantiateError` if there is no WASI, or a text cannot be used.
fn check_texts(config: &WasiConfig, capabilities: &WasmCapabilities) -> Result<(), WasmError> {
    if !capabilities.allows_wasi() {
        return Err(WasmError::instantiate("the host grants no WASI"));
    }
    let mut bytes = 0;
    for arg in &config.args {
        bytes += without_nul("an argument", arg)?.len() + 1;
    }
    for (name, value) in &config.env {
        if name.is_empty() || name.contains('=') {
            let name = text::quote(name);
            return Err(unusable(format!("{name} is no name of a variable")));
        }
        without_nul("a variable's name", name)?;
        without_nul("a variable's value", value)?;
        bytes += name.len() + value.len() + 2;
    }
    for entry in config.network.connect.iter().chain(&config.network.listen) {
        bytes += entry.len() + 1;
    }
    let cap = capabilities.max_wasi_text_bytes;
    if bytes > cap as usize {
        return Err(unusable(format!(
            "args, env and network have {bytes} bytes, more than max_wasi_text_bytes, which is {cap}"
        )));
    }
    Ok(())
}

/// Makes the places for the captured output.
///
/// # Errors
/// `InstantiateError` if a stream has a config that only an input can have.
fn outputs(config: &WasiConfig, capabilities: &WasmCapabilities) -> Result<Outputs, WasmError> {
    let cap = capabilities.max_output_bytes;
    Ok(Outputs {
        stdout: Captured::new("stdout", &config.stdout, cap)?,
        stderr: Captured::new("stderr", &config.stderr, cap)?,
    })
}

/// Makes the initial descriptors: the three standard streams, and the preopens.
fn descriptors(
    config: &mut WasiConfig,
    capabilities: &WasmCapabilities,
    preopens: &GrantedPaths,
    outputs: &Outputs,
) -> Result<Descriptors, WasmError> {
    let cap = capabilities.max_wasi_descriptors;
    let full = |_| {
        unusable(format!(
            "it has more streams and folders than max_wasi_descriptors, which is {cap}"
        ))
    };
    let mut descriptors = Descriptors::new(cap);
    descriptors
        .push(Descriptor::Input(match std::mem::take(&mut config.stdin) {
            StdioConfig::Null | StdioConfig::Piped => Input::bytes(Vec::new()),
            StdioConfig::Inherit => Input::inherited(),
            StdioConfig::Bytes(bytes) => Input::bytes(bytes),
        }))
        .map_err(full)?;
    for (config, captured, process) in [
        (&config.stdout, &outputs.stdout, Sink::Stdout),
        (&config.stderr, &outputs.stderr, Sink::Stderr),
    ] {
        let sink = match captured {
            Some(captured) => Sink::Captured(captured.clone()),
            None if *config == StdioConfig::Inherit => process,
            None => Sink::Null,
        };
        let output = Descriptor::Output(Output::new(sink));
        descriptors.push(output).map_err(full)?;
    }
    for preopen in &config.preopens {
        let name = without_nul("a preopen's name", &preopen.guest)?.to_owned();
        let share = DESCRIPTORS.take(1).map_err(unusable)?;
        let granted = preopens.folder(&preopen.host);
        let directory =
            granted.and_then(|dir| Directory::preopen(&dir, name, preopen.readonly, share).ok());
        let directory = directory.ok_or_else(|| not_granted(&preopen.host))?;
        descriptors
            .push(Descriptor::Directory(directory))
            .map_err(full)?;
    }
    Ok(descriptors)
}

/// The message is the same for a missing folder and a folder that is not granted, so that it does not reveal which
/// folders exist.
fn not_granted(path: &Path) -> WasmError {
    unusable(format!(
        "cannot preopen {}: not a folder, or not granted by the host",
        text::show(&path.to_string_lossy())
    ))
}

fn unusable(why: String) -> WasmError {
    WasmError::instantiate(format!("the option wasi is unusable: {why}"))
}

/// Checks that a text has no NUL, since strings in preview 1 end in NUL.
fn without_nul<'a>(what: &str, text: &'a str) -> Result<&'a str, WasmError> {
    if text.contains('\0') {
        return Err(unusable(format!(
            "{what} contains NUL: {}",
            text::quote(text)
        )));
    }
    Ok(text)
}
