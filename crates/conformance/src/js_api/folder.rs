//! Finds the test files, and the scripts that a file needs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::suite::{self, ScriptFile};

/// How the names of test files end.
const EXTENSION: &str = ".any.js";

/// The folder of the official tests in each repository that has them, and the name of its suites.
const OFFICIAL: [(&str, &str); 2] = [("test/js-api", "js-api"), ("wasm/jsapi", "jsapi")];

/// The path by which test files name the folder of the tests, in either repository.
const WEB_FOLDER: &str = "/wasm/jsapi/";

/// A folder of tests.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Folder {
    /// The whole folder, of which a part may have been asked for.
    root: PathBuf,
    /// The name of its suite.
    pub name: String,
    /// Whether it is one of the official folders.
    pub is_official: bool,
}

/// A test file.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// Its path within the folder, with slashes.
    pub name: String,
    /// The file as reports name it: the suite is the folder's name and the first folder within it.
    pub script: ScriptFile,
}

/// What a test file says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The scripts to run before it.
    pub scripts: Vec<String>,
    /// Whether it takes longer than others.
    pub is_long: bool,
}

impl Folder {
    /// The folder that a path is in: an official one at it, below or above it, or else the path itself.
    ///
    /// # Errors
    ///
    /// When there is no such path.
    pub fn of(path: &Path) -> anyhow::Result<Self> {
        let whole =
            fs::canonicalize(path).with_context(|| format!("cannot use `{}`", path.display()))?;
        for (folder, name) in OFFICIAL {
            let above = whole.ancestors().find(|above| above.ends_with(folder));
            let below = whole.join(folder);
            let root = above.map(Path::to_owned);
            if let Some(root) = root.or_else(|| below.is_dir().then_some(below)) {
                return Ok(Self {
                    root,
                    name: name.to_owned(),
                    is_official: true,
                });
            }
        }
        let root = match whole.is_dir() {
            true => whole,
            false => whole.parent().unwrap_or(&whole).to_owned(),
        };
        let name = root.file_name().unwrap_or(root.as_os_str());
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            root,
            is_official: false,
        })
    }

    /// All of its test files, in order.
    ///
    /// # Errors
    ///
    /// When a folder cannot be read.
    pub fn files(&self) -> anyhow::Result<Vec<TestFile>> {
        let mut paths = Vec::new();
        suite::collect(&self.root, "js", &mut paths)
            .with_context(|| format!("cannot read the folder `{}`", self.root.display()))?;
        paths.retain(|path| path.to_string_lossy().ends_with(EXTENSION));
        paths.sort();
        Ok(paths.iter().map(|path| self.file(path)).collect())
    }

    /// The test files at a path: itself, or all in it however deep.
    ///
    /// # Errors
    ///
    /// When there are none.
    pub fn files_at(&self, path: &Path) -> anyhow::Result<Vec<TestFile>> {
        let whole = fs::canonicalize(path)?;
        let mut files = self.files()?;
        files.retain(|file| file.path().starts_with(&whole));
        ensure!(
            !files.is_empty(),
            "no file `*{EXTENSION}` in `{}`",
            path.display()
        );
        Ok(files)
    }

    fn file(&self, path: &Path) -> TestFile {
        let name = path.strip_prefix(&self.root).unwrap_or(path);
        let name = name.display().to_string().replace('\\', "/");
        let (suite, in_suite) = match name.split_once('/') {
            Some((folder, rest)) => (format!("{}/{folder}", self.name), rest),
            None => (self.name.clone(), name.as_str()),
        };
        TestFile {
            script: ScriptFile::at(suite, in_suite, path),
            name,
        }
    }

    /// Where a script is that the file at `path` needs. Its name is relative to the file, or begins with a slash: then
    /// it is relative to the root of web-platform-tests.
    pub fn resolve(&self, path: &Path, script: &str) -> PathBuf {
        if let Some(script) = script.strip_prefix(WEB_FOLDER) {
            return self.root.join(script);
        }
        match script.strip_prefix('/') {
            // Two folders above, in web-platform-tests.
            Some(script) => {
                let web_root = self.root.ancestors().nth(2).unwrap_or(&self.root);
                web_root.join(script)
            }
            None => path.parent().unwrap_or(path).join(script),
        }
    }
}

impl Metadata {
    /// Reads the comments at the start of a test file: `// META: script=PATH` and `// META: timeout=long`. Others do not
    /// change how a file runs here.
    pub fn parse(text: &str) -> Self {
        let mut this = Self::default();
        let comments = text
            .lines()
            .map_while(|line| line.strip_prefix("// META: "));
        for comment in comments.map(str::trim) {
            this.is_long |= comment == "timeout=long";
            this.scripts
                .extend(comment.strip_prefix("script=").map(str::to_owned));
        }
        this
    }
}

impl TestFile {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.script.path().unwrap_or(Path::new(""))
    }
}
