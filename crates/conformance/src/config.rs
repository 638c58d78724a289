//! The configuration of the suites: `spec-tests/suites.toml` and `spec-tests/expectations.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use crate::checkout::Checkout;
use crate::expectations::Expectations;
use crate::features::{Feature, Features, Version};
use crate::suite::{self, ScriptFile};

/// How suites are run and what is expected of them.
#[derive(Debug)]
pub struct Config {
    pub suites: Suites,
    pub expectations: Expectations,
}

impl Config {
    /// Reads both files of this repository.
    ///
    /// # Errors
    ///
    /// When one cannot be read or says something that cannot be.
    pub fn load() -> anyhow::Result<Self> {
        let mut names = suite::names();
        names.push(suite::COMPONENT_MODEL);
        let read = |name: &str| {
            let path = suite::spec_tests().join(name);
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        Ok(Self {
            suites: Suites::parse(&read("suites.toml")?, &names)?,
            expectations: Expectations::parse(&read("expectations.toml")?, &names)?,
        })
    }
}

/// The entries of `spec-tests/suites.toml`, by suite.
#[derive(Debug, Default, Deserialize)]
pub struct Suites(BTreeMap<String, Entry>);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default)]
    version: Version,
    /// Features that are on as well.
    #[serde(default)]
    with: BTreeSet<Feature>,
    size: Option<Size>,
}

/// How much a suite holds, so that it does not go unnoticed when some of it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    pub files: usize,
    /// In all files together.
    pub directives: usize,
}

impl Suites {
    /// Reads the text of `suites.toml`.
    ///
    /// # Errors
    ///
    /// When it is malformed, or names a suite that is not among `suites` or a feature that does not exist.
    pub fn parse(text: &str, suites: &[&str]) -> anyhow::Result<Self> {
        let this: Self = toml::from_str(text).context("malformed suites.toml")?;
        for suite in this.0.keys() {
            ensure!(
                suites.contains(&suite.as_str()),
                "suites.toml names a suite that does not exist: `{suite}`"
            );
        }
        Ok(this)
    }

    /// The features that are on for a file.
    ///
    /// A file of a suite has those of the suite. A file that was given by its path has those of the checkout that it is
    /// in: of the suite of the proposal that the checkout is of, and of the version of the specification that the
    /// proposal is based on. Any other file has the default configuration of `host:wasm`, as our own scripts have.
    pub fn features(&self, file: &ScriptFile) -> Features {
        let Some(path) = file.given_path() else {
            return self.features_of(&file.suite);
        };
        let version = Features::of(Version::default());
        let is_pending = |proposal: &str| !self.features_of(proposal).is_subset(&version);
        match Checkout::find(path, &suite::proposals(), &is_pending) {
            None => self.host_wasm(),
            Some(Checkout { proposal, version }) => {
                let of_version = version.map(Features::of);
                let of_proposal = proposal.map(|proposal| self.features_of(&proposal));
                match (of_version, of_proposal) {
                    (Some(version), Some(proposal)) => proposal.union(&version),
                    (version, proposal) => version.or(proposal).unwrap_or_default(),
                }
            }
        }
    }

    /// The features that are on in the default configuration of `host:wasm`.
    pub fn host_wasm(&self) -> Features {
        self.features_of(suite::SPEC_TESTS)
    }

    /// The features of a suite: those of Wasm 3.0 if there is no entry for it.
    fn features_of(&self, suite: &str) -> Features {
        match self.0.get(suite) {
            Some(entry) => Features::of(entry.version).with(entry.with.iter().copied()),
            None => Features::default(),
        }
    }

    /// How much a suite is known to hold.
    pub fn size(&self, suite: &str) -> Option<Size> {
        self.0.get(suite)?.size
    }
}
