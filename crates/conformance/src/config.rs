//! What this repository knows of the suites: `spec-tests/suites.toml` and `spec-tests/expectations.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

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
        let names = suite::names();
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

    /// The features that are on for a file: those of its suite, or of Wasm 3.0 if there is no entry for that.
    ///
    /// A file that was given by its path has those of the suite that the innermost of its folders is named after, so
    /// that a checkout of the official suite has each proposal run as it is meant.
    pub fn features(&self, file: &ScriptFile) -> Features {
        let folders = Path::new(&file.name).parent().into_iter();
        let inner = folders.flat_map(Path::components);
        let outer = Path::new(&file.suite).components();
        let names = inner.rev().chain(outer.rev().take(1));
        let mut entries = names.filter_map(|name| self.0.get(name.as_os_str().to_str()?));
        match entries.next() {
            Some(entry) => Features::of(entry.version).with(entry.with.iter().copied()),
            None => Features::of(Version::default()),
        }
    }

    /// How much a suite is known to hold.
    pub fn size(&self, suite: &str) -> Option<Size> {
        self.0.get(suite)?.size
    }
}
