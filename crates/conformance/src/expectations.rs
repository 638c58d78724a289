//! The directives that are known not to pass, with reasons.

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use crate::lane::Lane;
use crate::one_or_more::OneOrMore;

/// The entries of `spec-tests/expectations.toml`.
#[derive(Clone, Debug, Default)]
pub struct Expectations {
    pub entries: Vec<Expectation>,
}

/// The directives of one line, or a whole file, that do not pass.
#[derive(Clone, Debug)]
pub struct Expectation {
    pub suite: String,
    pub file: String,
    /// The whole file if absent: then something in it does not pass.
    pub line: Option<u32>,
    lanes: Vec<Lane>,
    /// Whether the entry is about these lanes and no other.
    only: bool,
    pub outcome: ExpectedOutcome,
    pub reason: String,
}

/// How a directive is known to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExpectedOutcome {
    /// It is run and fails. If it passes, the run fails until the entry is removed.
    Fail,
    /// It is not run.
    Skip,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    expect: Vec<Entry>,
}

/// As written: one reason may do for several files, lines and lanes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    suite: String,
    file: OneOrMore<String>,
    line: Option<OneOrMore<u32>>,
    lane: OneOrMore<Lane>,
    #[serde(default)]
    only: bool,
    outcome: ExpectedOutcome,
    reason: String,
}

impl Expectation {
    /// Whether the entry is about that lane. An entry for the lane `engine` is about all, since they are built on
    /// wasmtime, unless it says `only`: the others do what wasmtime does not do.
    pub fn applies_to(&self, lane: Lane) -> bool {
        self.lanes.contains(&lane) || !self.only && self.lanes.contains(&Lane::Engine)
    }

    /// Whether the entry is about the directives on that line.
    pub fn covers(&self, line: u32) -> bool {
        self.line.is_none_or(|covered| covered == line)
    }
}

impl Expectations {
    /// Reads the text of `expectations.toml`.
    ///
    /// # Errors
    ///
    /// When it is malformed, or an entry gives no reason, names no file, line or lane, or a suite not among `suites`.
    pub fn parse(text: &str, suites: &[&str]) -> anyhow::Result<Self> {
        let document: Document = toml::from_str(text).context("malformed expectations.toml")?;
        let mut entries = Vec::new();
        for entry in document.expect {
            let suite = entry.suite;
            let files = entry.file.into_vec();
            let lanes = entry.lane.into_vec();
            let lines = match entry.line {
                Some(lines) => lines.into_vec().into_iter().map(Some).collect(),
                None => vec![None],
            };
            ensure!(
                suites.contains(&suite.as_str()),
                "expectations.toml names a suite that does not exist: `{suite}`"
            );
            ensure!(
                !files.is_empty() && !lines.is_empty() && !lanes.is_empty(),
                "an entry of expectations.toml for `{suite}` names no file, no line or no lane"
            );
            ensure!(
                !entry.reason.trim().is_empty(),
                "an entry of expectations.toml for {suite}/{} gives no reason",
                files[0]
            );
            ensure!(
                lanes.iter().all(|lane| Lane::SCRIPTS.contains(lane)),
                "an entry of expectations.toml for {suite}/{} names a lane that runs no scripts",
                files[0]
            );
            for file in files {
                entries.extend(lines.iter().map(|line| Expectation {
                    suite: suite.clone(),
                    file: file.clone(),
                    line: *line,
                    lanes: lanes.clone(),
                    only: entry.only,
                    outcome: entry.outcome,
                    reason: entry.reason.clone(),
                }));
            }
        }
        Ok(Self { entries })
    }

    /// The entries for a file in a lane.
    pub fn of(&self, suite: &str, file: &str, lane: Lane) -> Vec<&Expectation> {
        self.entries
            .iter()
            .filter(|entry| entry.suite == suite && entry.file == file && entry.applies_to(lane))
            .collect()
    }
}

/// Whether the directives on `line` are to be skipped.
pub fn skips(entries: &[&Expectation], line: u32) -> bool {
    entries
        .iter()
        .any(|entry| entry.outcome == ExpectedOutcome::Skip && entry.covers(line))
}
