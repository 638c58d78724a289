//! The lanes: the runtimes that this repository runs every script on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::features::Features;
use crate::host::Host;
use crate::hosts::engine::EngineHost;
use crate::hosts::runtime::RuntimeHost;
use crate::hosts::script::{ScriptHost, Sessions};

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
        })
    }
}

impl Lane {
    /// All of them, in the order they are reported.
    pub const ALL: [Lane; 3] = [Lane::Engine, Lane::Runtime, Lane::Script];
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

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Lane::ALL.into_iter().find(|lane| lane.to_string() == name);
        found.ok_or_else(|| {
            let names = Lane::ALL.map(|lane| lane.to_string());
            format!("the lanes are: {}", names.join(", "))
        })
    }
}
