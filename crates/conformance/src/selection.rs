//! The files of a run, and the checks of a suite as a whole.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::ensure;

use crate::config::Config;
use crate::judge::Finding;
use crate::lane::Lane;
use crate::report::Report;
use crate::suite::{self, ScriptFile};

/// One of several equal parts of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    number: usize,
    of: usize,
}

impl FromStr for Shard {
    type Err = String;

    /// As `K/N`.
    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (number, of) = text.split_once('/')?;
            Some((number.parse().ok()?, of.parse().ok()?))
        };
        match parse() {
            Some((number, of)) if 1 <= number && number <= of => Ok(Self { number, of }),
            _ => Err("expected K/N with K from 1 to N".to_owned()),
        }
    }
}

impl Shard {
    /// Leaves the elements of this part.
    pub fn retain<T>(self, all: &mut Vec<T>) {
        let mut index = 0;
        all.retain(|_| {
            index += 1;
            index % self.of == self.number % self.of
        });
    }
}

/// The files that a run was asked for.
#[derive(Default)]
pub struct Selection {
    pub paths: Vec<PathBuf>,
    pub suites: Vec<String>,
    pub filter: Option<String>,
    pub shard: Option<Shard>,
}

/// The files that were found.
pub struct Files {
    /// All of the suites and paths.
    found: Vec<ScriptFile>,
    /// The files among them that are to run.
    pub selected: Vec<ScriptFile>,
}

impl Selection {
    /// Finds the files: of all suites, if there are neither suites nor paths.
    ///
    /// # Errors
    ///
    /// When a suite or path cannot be used, or there is nothing to run.
    pub fn find(&self) -> anyhow::Result<Files> {
        let mut found = Vec::new();
        for path in &self.paths {
            found.extend(suite::at_path(path)?);
        }
        for name in &self.suites {
            found.extend(suite::find(name)?);
        }
        if self.paths.is_empty() && self.suites.is_empty() {
            for name in suite::names() {
                found.extend(suite::find(name)?);
            }
        }
        let mut selected = found.clone();
        if let Some(filter) = &self.filter {
            selected.retain(|file| file.label().contains(filter));
            ensure!(!selected.is_empty(), "no file matches `{filter}`");
        }
        if let Some(shard) = self.shard {
            shard.retain(&mut selected);
        }
        Ok(Files { found, selected })
    }
}

impl Files {
    /// Whether all that was found is to run.
    pub fn is_whole(&self) -> bool {
        self.selected.len() == self.found.len()
    }

    /// The names of the suites, in the order in which they were asked for.
    pub fn suites(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.found.iter().map(|file| file.suite.as_str()).collect();
        names.dedup();
        names
    }

    /// Adds the failures of whole suites to the report of a lane: an entry of the expectations for a file that does not
    /// exist, and a suite with another size than `suites.toml` says.
    pub fn check(&self, config: &Config, lane: Lane, report: &mut Report) {
        for suite in self.suites() {
            let in_suite = || self.found.iter().filter(|file| file.suite == suite);
            for entry in &config.expectations.entries {
                let gone = entry.suite == suite && !in_suite().any(|file| file.name == entry.file);
                if gone && entry.applies_to(lane) {
                    let label = format!("{suite}/{}", entry.file);
                    let got = "no such file: remove it from expectations";
                    report.add_failure(suite, &label, lane, Finding::wrong_entry(entry, got));
                }
            }
            let Some(size) = config.suites.size(suite) else {
                continue;
            };
            let files = in_suite().count();
            if files != size.files {
                let finding = Finding::wrong_size(size.files, files, "files");
                report.add_failure(suite, suite, lane, finding);
            }
            let ran = || {
                let rows = report.files.iter();
                rows.filter(|row| row.suite == suite && row.lane == lane)
            };
            let directives: usize = ran().map(|row| row.totals.directives()).sum();
            if ran().count() == files && directives != size.directives {
                let finding = Finding::wrong_size(size.directives, directives, "directives");
                report.add_failure(suite, suite, lane, finding);
            }
        }
    }
}
