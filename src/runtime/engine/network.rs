//! The hosts and ports of the network that the capabilities grant.

use crate::runtime::base::error::WasmError;
use crate::runtime::base::network::{Host, Network, Rule};
use crate::runtime::base::text;

/// The entries of the capabilities, or those of them that a store has.
#[derive(Clone, Debug, Default)]
pub(crate) struct GrantedNetwork {
    pub(crate) connect: Vec<Rule>,
    pub(crate) listen: Vec<Rule>,
}

impl GrantedNetwork {
    /// Reads the entries.
    ///
    /// # Errors
    /// `CompileError` for an entry that is not valid.
    pub(crate) fn new(network: &Network) -> Result<Self, WasmError> {
        Self::read(network, &WasmError::compile)
    }

    /// Reads the entries that a store asks for, all of which have to be granted.
    ///
    /// # Errors
    /// `InstantiateError` for an entry that is not valid or not granted.
    pub(crate) fn part(&self, asked: &Network) -> Result<Self, WasmError> {
        let part = Self::read(asked, &WasmError::instantiate)?;
        let what = ["connect to", "listen at"];
        let lists = [
            (&self.connect, &part.connect, &asked.connect),
            (&self.listen, &part.listen, &asked.listen),
        ];
        for (what, (granted, rules, entries)) in what.into_iter().zip(lists) {
            let is_granted = |rule: &Rule| granted.iter().any(|granted| granted.covers(rule));
            let missing = rules.iter().position(|rule| !is_granted(rule));
            if let Some(missing) = missing {
                let entry = text::quote(&entries[missing]);
                return Err(WasmError::instantiate(format!(
                    "the option wasi is unusable: the host does not let guests {what} {entry}"
                )));
            }
        }
        Ok(part)
    }

    /// Whether there are no entries.
    pub(crate) fn is_empty(&self) -> bool {
        self.connect.is_empty() && self.listen.is_empty()
    }

    fn read(network: &Network, error: &dyn Fn(String) -> WasmError) -> Result<Self, WasmError> {
        let rules = |entries: &[String]| -> Result<Vec<Rule>, WasmError> {
            let rules = entries.iter().map(|entry| {
                let invalid = |why: String| {
                    error(format!(
                        "{} is no entry of the network: {why}",
                        text::quote(entry)
                    ))
                };
                Rule::parse(entry).map_err(invalid)
            });
            rules.collect()
        };
        let listen = rules(&network.listen)?;
        let is_name = |rule: &Rule| matches!(rule.host, Host::Name(_));
        if let Some(name) = listen.iter().position(is_name) {
            return Err(error(format!(
                "{} is no entry of the network: guests listen at addresses, not at names",
                text::quote(&network.listen[name])
            )));
        }
        Ok(Self {
            connect: rules(&network.connect)?,
            listen,
        })
    }
}
