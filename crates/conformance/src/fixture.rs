//! Fixtures: modules in text, each a file that begins with a comment on what it is for.
//!
//! A fixture may import from another one in the same folder, by its file stem as the module name.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use wasmparser::{Parser, Payload};

use crate::files;

/// A `.wat` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixture {
    /// The file stem, by which other fixtures import from it.
    pub name: String,
    pub text: String,
}

impl Fixture {
    /// Reads a fixture.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is not UTF-8.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = files::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_stem().unwrap_or_default().display().to_string();
        Ok(Self { name, text })
    }

    /// What the first line's comment says the fixture is for.
    pub fn purpose(&self) -> Option<&str> {
        let comment = self.text.lines().next()?.strip_prefix(";;")?.trim();
        (!comment.is_empty()).then_some(comment)
    }

    /// The names of the modules it imports from, each once. Empty if it is no module: that is for a host to find.
    fn imports(&self) -> Vec<String> {
        let Ok(binary) = wat::parse_str(&self.text) else {
            return Vec::new();
        };
        let mut modules = Vec::new();
        for payload in Parser::new(0).parse_all(&binary) {
            let Ok(Payload::ImportSection(section)) = payload else {
                continue;
            };
            for import in section.into_imports().flatten() {
                if !modules.iter().any(|module| module == import.module) {
                    modules.push(import.module.to_owned());
                }
            }
        }
        modules
    }
}

/// All fixtures of a folder, each after those it imports from.
///
/// # Errors
///
/// When a file cannot be read, or fixtures import from each other in a circle.
pub fn discover(folder: &Path) -> anyhow::Result<Vec<Fixture>> {
    let mut paths = Vec::new();
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?
    {
        let path = entry?.path();
        if path.extension().is_some_and(|ext| ext == "wat") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut order = Order::default();
    for path in paths {
        order.visit(path)?;
    }
    Ok(order.done)
}

/// The fixture at `path` last, and before it those it needs, each after those it imports from.
///
/// # Errors
///
/// As [`discover`].
pub fn with_dependencies(path: &Path) -> anyhow::Result<Vec<Fixture>> {
    let mut order = Order::default();
    order.visit(path.to_owned())?;
    Ok(order.done)
}

#[derive(Default)]
struct Order {
    /// The files being visited, each imported by the one before.
    open: Vec<PathBuf>,
    seen: Vec<PathBuf>,
    done: Vec<Fixture>,
}

impl Order {
    fn visit(&mut self, path: PathBuf) -> anyhow::Result<()> {
        if self.open.contains(&path) {
            bail!(
                "{} imports from itself, perhaps through others",
                path.display()
            );
        }
        if self.seen.contains(&path) {
            return Ok(());
        }
        let fixture = Fixture::read(&path)?;
        self.open.push(path.clone());
        for module in fixture.imports() {
            let dependency = path.with_file_name(format!("{module}.wat"));
            // A name with a slash in it would lead out of the folder.
            if dependency.parent() == path.parent() && dependency.is_file() {
                self.visit(dependency)?;
            }
        }
        self.open.pop();
        self.seen.push(path);
        self.done.push(fixture);
        Ok(())
    }
}
