//! The specification of a program: a JSON file beside it, or the default where there is none.
//!
//! There are two forms. The newer one lists operations; the older one has the arguments of a run and its expected outcome.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;

/// What is done with a program, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Specification {
    pub operations: Vec<Operation>,
    /// The servers of HTTP that the program asks.
    pub servers: Vec<Server>,
    /// The parts of WASI that the program needs beyond the others.
    pub proposals: Vec<Proposal>,
}

/// A part of WASI that a runtime need not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proposal {
    Http,
    Sockets,
}

/// A step of the test.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum Operation {
    /// Starts the program.
    Run(Run),
    /// Waits for its end.
    Wait {
        #[serde(default)]
        exit_code: i32,
    },
    /// Reads as many bytes from an output as the payload has, which they have to be.
    Read {
        #[serde(default = "stdout")]
        id: String,
        #[serde(default)]
        payload: String,
        /// Whether the program may write nothing else to it.
        #[serde(skip)]
        is_all: bool,
    },
    /// Writes to its input.
    Write {
        id: String,
        #[serde(default)]
        payload: String,
    },
    /// Connects to the address that the program has written to its output, on a line.
    Connect {
        #[serde(default = "server")]
        id: String,
        #[serde(default)]
        protocol_type: Protocol,
    },
    /// Sends bytes over a connection.
    Send {
        id: String,
        #[serde(default)]
        payload: String,
    },
    /// Receives bytes from a connection.
    Recv {
        id: String,
        #[serde(default)]
        payload: String,
    },
    /// Sends a request of HTTP to the program.
    Request(serde_json::Value),
    /// Ends it by a signal.
    Kill {
        #[serde(default)]
        signal: Option<String>,
    },
}

/// How a program is started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The folder beside the program that it sees as `/`.
    #[serde(default)]
    pub root: Option<String>,
}

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    #[default]
    Tcp,
    Udp,
    Http,
}

/// A server of HTTP that the program asks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub name: String,
    #[serde(default)]
    pub kind: Option<String>,
    #[serde(default)]
    pub endpoints: Vec<serde_json::Value>,
}

fn stdout() -> String {
    "stdout".to_owned()
}

fn server() -> String {
    "server".to_owned()
}

/// The newer form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WithOperations {
    operations: Option<Vec<Operation>>,
    #[serde(default)]
    proposals: Vec<Proposal>,
    #[serde(default)]
    servers: Vec<Server>,
    /// The world of the component, which tells it itself.
    #[serde(rename = "world")]
    _world: Option<String>,
}

/// The older form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Legacy {
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    root: Option<String>,
    #[serde(default)]
    exit_code: i32,
    stdout: Option<String>,
    stderr: Option<String>,
}

impl Default for Specification {
    fn default() -> Self {
        Self {
            operations: vec![
                Operation::Run(Run::default()),
                Operation::Wait { exit_code: 0 },
            ],
            servers: Vec::new(),
            proposals: Vec::new(),
        }
    }
}

impl Specification {
    /// Reads the text of a specification.
    ///
    /// # Errors
    ///
    /// When it is malformed, has an unknown key or operation, or operations in an order that cannot be.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let value: serde_json::Value = serde_json::from_str(text).context("no JSON")?;
        let keys = value.as_object().context("no object")?;
        let is_newer = ["operations", "proposals", "servers", "world"]
            .iter()
            .any(|key| keys.contains_key(*key));
        let this = match is_newer {
            true => serde_json::from_value::<WithOperations>(value)?.into(),
            false => serde_json::from_value::<Legacy>(value)?.into(),
        };
        Self::check(&this)?;
        Ok(this)
    }

    fn check(&self) -> anyhow::Result<()> {
        let mut is_running = false;
        let mut connections = Vec::new();
        for operation in &self.operations {
            match operation {
                Operation::Run(_) => {
                    ensure!(!is_running, "a second `run` before the `wait` of the first");
                    is_running = true;
                    continue;
                }
                _ => ensure!(is_running, "an operation before `run`, or after `wait`"),
            }
            match operation {
                Operation::Wait { .. } => is_running = false,
                Operation::Read { id, .. } => ensure!(
                    ["stdout", "stderr"].contains(&id.as_str()),
                    "a program has no output `{id}`"
                ),
                Operation::Write { id, .. } => {
                    ensure!(id == "stdin", "a program has no input `{id}`");
                }
                Operation::Connect { id, .. } => {
                    ensure!(!connections.contains(id), "a second connection `{id}`");
                    connections.push(id.clone());
                }
                Operation::Send { id, .. } | Operation::Recv { id, .. } => {
                    ensure!(connections.contains(id), "no connection `{id}`");
                }
                _ => {}
            }
        }
        if is_running {
            bail!("a `run` without a `wait`");
        }
        ensure!(!self.operations.is_empty(), "no operations");
        Ok(())
    }

    /// Whether the program gets input.
    pub fn has_input(&self) -> bool {
        let mut operations = self.operations.iter();
        operations.any(|operation| matches!(operation, Operation::Write { .. }))
    }

    /// The first operation that this harness cannot do, if there is one.
    pub fn unsupported(&self) -> Option<&'static str> {
        if !self.servers.is_empty() {
            return Some("servers");
        }
        self.operations
            .iter()
            .find_map(|operation| match operation {
                Operation::Request(_) => Some("request"),
                Operation::Kill { .. } => Some("kill"),
                Operation::Connect { protocol_type, .. } if *protocol_type != Protocol::Tcp => {
                    Some("connect, other than by TCP")
                }
                _ => None,
            })
    }
}

impl From<WithOperations> for Specification {
    fn from(written: WithOperations) -> Self {
        Self {
            operations: written
                .operations
                .unwrap_or_else(|| Self::default().operations),
            servers: written.servers,
            proposals: written.proposals,
        }
    }
}

impl From<Legacy> for Specification {
    fn from(written: Legacy) -> Self {
        let run = Run {
            args: written.args,
            env: written.env,
            root: written.root,
        };
        let mut operations = vec![Operation::Run(run)];
        for (id, payload) in [("stdout", written.stdout), ("stderr", written.stderr)] {
            operations.extend(payload.map(|payload| Operation::Read {
                id: id.to_owned(),
                payload,
                is_all: true,
            }));
        }
        operations.push(Operation::Wait {
            exit_code: written.exit_code,
        });
        Self {
            operations,
            ..Self::default()
        }
    }
}
