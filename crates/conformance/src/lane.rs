//! The lanes: the runtimes that this repository runs every script or test on.

use std::fmt;

use anyhow::bail;
use serde::{Deserialize, Serialize};

use crate::features::Features;
use crate::host::Host;
use crate::hosts::engine::EngineHost;
use crate::hosts::runtime::RuntimeHost;
use crate::hosts::script::{ScriptHost, Sessions};

/// A runtime that scripts or tests run on.
///
/// Three of them run scripts: what passes in `engine` and fails in another lane is our bug. Two run the tests of
/// WebAssembly's JavaScript API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// wasmtime alone.
    Engine,
    /// `ext_wasm`'s Rust API.
    Runtime,
    /// `ext_wasm`'s TypeScript API, in a JavaScript runtime.
    Script,
    /// The object `WebAssembly` that `createWebAssembly` of `host:wasm` makes.
    Standard,
    /// The object `WebAssembly` that the JavaScript engine has itself, as a control.
    Own,
}

/// Makes the hosts of scripts that run one after another on a thread.
///
/// What does not show in a script's result is kept for the next: the JavaScript runtime.
#[derive(Default)]
pub struct Hosts {
    sessions: Sessions,
}

impl Hosts {
    /// A host for one script, made on the thread that runs it: it need not be `Send`.
    ///
    /// # Errors
    ///
    /// When the lane's runtime cannot have these features.
    pub fn host(&self, lane: Lane, features: &Features) -> anyhow::Result<Box<dyn Host>> {
        Ok(match lane {
            Lane::Engine => Box::new(EngineHost::new(features)?),
            Lane::Runtime => Box::new(RuntimeHost::new(features)?),
            Lane::Script => Box::new(ScriptHost::new(features, &self.sessions)?),
            Lane::Standard | Lane::Own => bail!("the lane `{lane}` runs no scripts"),
        })
    }
}

impl Lane {
    /// Those that run scripts, in the order they are reported.
    pub const SCRIPTS: [Lane; 3] = [Lane::Engine, Lane::Runtime, Lane::Script];

    /// Those that run the tests of the JavaScript API: objects `WebAssembly`.
    pub const OBJECTS: [Lane; 2] = [Lane::Standard, Lane::Own];

    /// What it is, as part of a sentence.
    pub fn description(self) -> &'static str {
        match self {
            Lane::Engine => "wasmtime alone",
            Lane::Runtime => "the Rust API",
            Lane::Script => "the TypeScript API in a JavaScript runtime",
            Lane::Standard => "the object WebAssembly that host:wasm makes",
            Lane::Own => "the object WebAssembly of the JavaScript engine",
        }
    }

    /// What it runs one after another in a file.
    pub fn parts(self) -> &'static str {
        match self {
            Lane::Engine | Lane::Runtime | Lane::Script => "directives",
            Lane::Standard | Lane::Own => "subtests",
        }
    }
}

/// Finds a lane among these by its name.
///
/// # Errors
///
/// When there is none: a message with their names.
pub fn parse(name: &str, lanes: &[Lane]) -> Result<Lane, String> {
    let found = lanes.iter().find(|lane| lane.to_string() == name);
    found.copied().ok_or_else(|| {
        let names: Vec<String> = lanes.iter().map(Lane::to_string).collect();
        format!("the lanes are: {}", names.join(", "))
    })
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Lane::Engine => "engine",
            Lane::Runtime => "runtime",
            Lane::Script => "script",
            Lane::Standard => "standard",
            Lane::Own => "own",
        })
    }
}
