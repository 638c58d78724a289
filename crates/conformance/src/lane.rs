//! The lanes: the runtimes that this repository runs every script on.

use std::fmt;
use std::str::FromStr;

use anyhow::bail;
use serde::{Deserialize, Serialize};

use crate::features::Features;
use crate::host::Host;
use crate::hosts::engine::EngineHost;
use crate::hosts::runtime::RuntimeHost;
use crate::hosts::script::ScriptHost;

/// A runtime of this repository that scripts run on.
///
/// What passes in `engine` and fails in another lane is our bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// wasmtime alone.
    Engine,
    /// `ext_wasm`'s Rust API.
    Runtime,
    /// `ext_wasm`'s TypeScript API, in a JavaScript runtime.
    Script,
}

type Constructor = fn(&Features) -> anyhow::Result<Box<dyn Host>>;

/// The lanes that can be run, in the order they are reported.
const AVAILABLE: &[(Lane, Constructor)] = &[
    (Lane::Engine, |features| {
        Ok(Box::new(EngineHost::new(features)?))
    }),
    (Lane::Runtime, |features| {
        Ok(Box::new(RuntimeHost::new(features)?))
    }),
    (Lane::Script, |features| {
        Ok(Box::new(ScriptHost::new(features)?))
    }),
];

impl Lane {
    /// The lanes that can be run.
    pub fn available() -> impl Iterator<Item = Lane> {
        AVAILABLE.iter().map(|(lane, _)| *lane)
    }

    /// A host for one script, made on the thread that runs it: it need not be `Send`.
    ///
    /// # Errors
    ///
    /// When the lane is not available or its runtime cannot have these features.
    pub fn host(self, features: &Features) -> anyhow::Result<Box<dyn Host>> {
        match AVAILABLE.iter().find(|(lane, _)| *lane == self) {
            Some((_, constructor)) => constructor(features),
            None => bail!("lane `{self}` is not available"),
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Lane::Engine => "engine",
            Lane::Runtime => "runtime",
            Lane::Script => "script",
        })
    }
}

impl FromStr for Lane {
    type Err = String;

    /// Only lanes that are available have a name here.
    fn from_str(name: &str) -> Result<Self, String> {
        let found = Lane::available().find(|lane| lane.to_string() == name);
        found.ok_or_else(|| {
            let available: Vec<String> = Lane::available().map(|lane| lane.to_string()).collect();
            format!("not available; the lanes are: {}", available.join(", "))
        })
    }
}
