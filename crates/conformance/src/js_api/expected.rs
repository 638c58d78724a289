//! The results that are expected of the official tests: the subtests that are known to fail, with reasons, and the
//! number of subtests of each file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use crate::lane::Lane;
use crate::one_or_more::OneOrMore;
use crate::{files, suite};

/// The file with the entries.
const EXPECTATIONS: &str = "expectations.toml";

/// The file with the numbers.
const SUBTESTS: &str = "subtests.toml";

/// The start of the file with the numbers.
const HEADER: &str =
    "# How many subtests each file of the official tests of the JavaScript API has.
# Written by `cargo conformance js-api PATH --record`.
";

/// The results that are expected.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    entries: Vec<Entry>,
    subtests: Subtests,
    /// Where it was read from.
    folder: PathBuf,
}

/// The number of subtests of each file, by the name of the folder of tests.
type Subtests = BTreeMap<String, BTreeMap<String, usize>>;

/// A subtest that is known to fail, or a file that is not run.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The file's path in the folder of tests.
    pub file: String,
    /// `None` for a file that is not run.
    pub subtest: Option<String>,
    pub reason: String,
    engine: Option<String>,
    lanes: Vec<Lane>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    expect: Vec<WrittenEntry>,
}

/// How many subtests a file is known to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Nothing is recorded of its folder.
    Any,
    /// That of other files in its folder is recorded.
    Unknown,
    Known(usize),
}

/// As written: one reason may do for several files or subtests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEntry {
    file: OneOrMore<String>,
    subtest: Option<OneOrMore<String>>,
    #[serde(default)]
    skip: bool,
    engine: Option<String>,
    lane: Option<OneOrMore<Lane>>,
    reason: String,
}

impl Expected {
    /// The folder of what this repository expects of the official tests.
    pub fn official_folder() -> PathBuf {
        suite::spec_tests().join("js-api")
    }

    /// Reads the two files of a folder. Either may be missing.
    ///
    /// # Errors
    ///
    /// When the folder or a file cannot be read, or says something that cannot be.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        ensure!(folder.is_dir(), "no folder `{}`", folder.display());
        let read = |name: &str| {
            let path = folder.join(name);
            let text = path.exists().then(|| fs::read_to_string(&path)).transpose();
            text.with_context(|| format!("cannot read {}", path.display()))
        };
        let subtests = read(SUBTESTS)?;
        let mut this = Self::parse(
            &read(EXPECTATIONS)?.unwrap_or_default(),
            subtests.as_deref().unwrap_or_default(),
        )?;
        folder.clone_into(&mut this.folder);
        Ok(this)
    }

    /// Reads the texts of the two files.
    ///
    /// # Errors
    ///
    /// When one is malformed, or an entry gives no reason, or names no file, subtest, engine or lane.
    pub fn parse(expectations: &str, subtests: &str) -> anyhow::Result<Self> {
        let document: Document =
            toml::from_str(expectations).with_context(|| format!("malformed {EXPECTATIONS}"))?;
        let mut entries = Vec::new();
        for written in document.expect {
            entries.extend(written.entries()?);
        }
        Ok(Self {
            entries,
            subtests: toml::from_str(subtests).with_context(|| format!("malformed {SUBTESTS}"))?,
            folder: PathBuf::new(),
        })
    }

    /// The entries for a lane on this program's JavaScript engine.
    pub fn of_lane(&self, lane: Lane, engine: &str) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| {
            entry.lanes.contains(&lane) && entry.engine.as_deref().is_none_or(|of| of == engine)
        })
    }

    /// How many subtests a file has.
    pub fn size(&self, folder: &str, file: &str) -> Size {
        let Some(files) = self.subtests.get(folder) else {
            return Size::Any;
        };
        files
            .get(file)
            .map_or(Size::Unknown, |size| Size::Known(*size))
    }

    /// The files of which the number of subtests was recorded.
    pub fn recorded_files(&self, folder: &str) -> impl Iterator<Item = &str> {
        let files = self.subtests.get(folder).into_iter().flatten();
        files.map(|(file, _)| file.as_str())
    }

    /// Records the number of subtests of files. For other files of `names` it stays, and for others it is forgotten.
    ///
    /// # Errors
    ///
    /// When the file system does not let it.
    pub fn record(
        mut self,
        folder: &str,
        names: &BTreeSet<&str>,
        subtests: BTreeMap<String, usize>,
    ) -> anyhow::Result<PathBuf> {
        let files = self.subtests.entry(folder.to_owned()).or_default();
        files.retain(|name, _| names.contains(name.as_str()));
        files.extend(subtests);
        let path = self.folder.join(SUBTESTS);
        files::write(&path, &render(&self.subtests)?)?;
        Ok(path)
    }
}

/// The text of the file with the numbers.
fn render(subtests: &Subtests) -> anyhow::Result<String> {
    let numbers = toml::to_string(subtests)?;
    Ok(format!("{HEADER}\n{numbers}"))
}

impl WrittenEntry {
    fn entries(self) -> anyhow::Result<Vec<Entry>> {
        let files = self.file.into_vec();
        let lanes = match self.lane {
            Some(lanes) => lanes.into_vec(),
            None => vec![Lane::Standard],
        };
        let subtests: Vec<Option<String>> = match self.subtest {
            Some(subtests) => subtests.into_vec().into_iter().map(Some).collect(),
            None => vec![None],
        };
        let label = files.join(", ");
        ensure!(
            !files.is_empty() && !subtests.is_empty() && !lanes.is_empty(),
            "an entry of {EXPECTATIONS} for `{label}` names no file, no subtest or no lane"
        );
        ensure!(
            !self.reason.trim().is_empty(),
            "an entry of {EXPECTATIONS} for {label} gives no reason"
        );
        ensure!(
            self.skip == subtests.contains(&None),
            "an entry of {EXPECTATIONS} for {label} has to name subtests that fail, or skip the file"
        );
        ensure!(
            lanes.iter().all(|lane| Lane::OBJECTS.contains(lane)),
            "an entry of {EXPECTATIONS} for {label} names a lane that does not run these tests"
        );
        let engine = self.engine.as_deref();
        ensure!(
            engine.is_none_or(|engine| ["quickjs", "v8"].contains(&engine)),
            "an entry of {EXPECTATIONS} for {label} names an engine other than quickjs and v8"
        );
        let mut entries = Vec::new();
        for file in &files {
            entries.extend(subtests.iter().map(|subtest| Entry {
                file: file.clone(),
                subtest: subtest.clone(),
                reason: self.reason.clone(),
                engine: self.engine.clone(),
                lanes: lanes.clone(),
            }));
        }
        Ok(entries)
    }
}
