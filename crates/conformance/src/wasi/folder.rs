//! Finds the programs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use super::specification::Specification;
use crate::suite::{self, ScriptFile};

/// A version of WASI that programs are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Version {
    #[serde(rename = "wasm32-wasip1")]
    Preview1,
    #[serde(rename = "wasm32-wasip2")]
    Preview2,
    #[serde(rename = "wasm32-wasip3")]
    Preview3,
}

impl Version {
    const ALL: [(Self, &'static str); 3] = [
        (Self::Preview1, "wasm32-wasip1"),
        (Self::Preview2, "wasm32-wasip2"),
        (Self::Preview3, "wasm32-wasip3"),
    ];

    fn of_folder(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, folder)| *folder == name);
        found.map(|(version, _)| *version)
    }
}

/// The suites, in the order they are reported.
pub const SUITES: [&str; 3] = ["wasi-preview1", "wasi-0.2", "wasi-0.3"];

/// A program as it is run in one suite.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program as reports name it.
    pub script: ScriptFile,
    pub path: PathBuf,
    pub version: Version,
    /// Whether a component is made of it first.
    pub is_adapted: bool,
    /// What is done with it, or why that is not known.
    pub specification: Result<Specification, String>,
}

impl Program {
    /// The first operation of its specification that this harness cannot do, if there is one.
    pub fn unsupported(&self) -> Option<&'static str> {
        let specification = self.specification.as_ref().ok()?;
        specification.unsupported()
    }

    /// The names of the calls that run it, for a lane that has both.
    pub fn calls(&self) -> [&'static str; 2] {
        match self.version == Version::Preview1 && !self.is_adapted {
            true => ["start", "startAsync"],
            false => ["run", "runAsync"],
        }
    }
}

/// A file `manifest.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    /// The name of the folder's programs, for people.
    #[serde(rename = "name")]
    _name: Option<String>,
    version: Option<Version>,
}

/// Finds the programs at a path, which is one of them or a folder.
///
/// # Errors
///
/// When there are none, a folder cannot be read, or nothing tells the version of WASI of a program.
pub fn find(path: &Path) -> anyhow::Result<Vec<Program>> {
    let whole =
        fs::canonicalize(path).with_context(|| format!("cannot use `{}`", path.display()))?;
    let mut paths = Vec::new();
    if whole.is_dir() {
        suite::collect(&whole, "wasm", &mut paths)
            .with_context(|| format!("cannot read the folder `{}`", whole.display()))?;
        paths.sort();
    } else {
        paths.push(whole.clone());
    }
    ensure!(
        !paths.is_empty(),
        "no program (*.wasm) in `{}`",
        path.display()
    );
    let mut programs = Vec::new();
    for path in paths {
        let folder = path.parent().unwrap_or(&path);
        let version = version_of(folder)?;
        let specification = specification_of(&path);
        let name = name_of(&path, &whole);
        let suites: &[(usize, bool)] = match version {
            Version::Preview1 => &[(0, false), (1, true)],
            Version::Preview2 => &[(1, false)],
            Version::Preview3 => &[(2, false)],
        };
        programs.extend(suites.iter().map(|(suite, is_adapted)| Program {
            // The specification is shown where a program fails.
            script: ScriptFile::at(SUITES[*suite], &name, path.with_extension("json")),
            path: path.clone(),
            version,
            is_adapted: *is_adapted,
            specification: specification.clone(),
        }));
    }
    Ok(programs)
}

fn version_of(folder: &Path) -> anyhow::Result<Version> {
    let manifest = folder.join("manifest.json");
    let mut version = None;
    if manifest.exists() {
        let what = || format!("cannot use `{}`", manifest.display());
        let text = fs::read_to_string(&manifest).with_context(what)?;
        let manifest: Manifest = serde_json::from_str(&text).with_context(what)?;
        version = manifest.version;
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    version
        .or_else(|| Version::of_folder(&name))
        .with_context(|| {
            format!(
                "nothing tells the version of WASI of the programs in `{}`",
                folder.display()
            )
        })
}

fn specification_of(path: &Path) -> Result<Specification, String> {
    let path = path.with_extension("json");
    if !path.exists() {
        return Ok(Specification::default());
    }
    let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
    Specification::parse(&text).map_err(|error| format!("{error:#}"))
}

/// The name of a program: `rust/some_test` for `tests/rust/testsuite/wasm32-wasip1/some_test.wasm`.
fn name_of(path: &Path, given: &Path) -> String {
    let tests = path.ancestors().find(|above| above.ends_with("tests"));
    let root = match (tests, given.is_dir()) {
        (Some(tests), _) => tests,
        (None, true) => given,
        (None, false) => path.parent().unwrap_or(path),
    };
    let path = path.strip_prefix(root).unwrap_or(path).with_extension("");
    let parts = path.iter().map(|part| part.to_string_lossy());
    let is_layout = |part: &str| part == "testsuite" || Version::of_folder(part).is_some();
    let parts: Vec<_> = parts.filter(|part| !is_layout(part)).collect();
    parts.join("/")
}
