//! Joins the files of a module.
//!
//! In `deno_core`, a module that apps can import cannot import internal modules of its extension, and under a second
//! specifier apps could import the internals. The files are therefore joined at build time: in one scope, in the
//! order in which ECMAScript evaluates modules (dependencies first, in the order of the imports; a cycle is cut where
//! it closes).
//!
//! The checks make sure that the joined files have the same meaning as the separate files in an editor or a type
//! checker.

mod links;

use std::collections::{HashMap, HashSet};

use links::{Links, Name};

use crate::error::{Error, Problem};
use crate::source::Source;

/// The files that a TypeScript file imports by relative paths, in order and with repetitions. Imports of types count
/// too. For checks of the structure of a module: for an import of `./call.ts` in `ts/func.ts`, the file is
/// `ts/call.ts`.
///
/// # Errors
///
/// [`Error::Source`] if the text does not parse, or breaks a rule for files of a module.
pub fn imported_files(name: &str, text: &str) -> Result<Vec<String>, Error> {
    let links = Links::find(&Source::new(name, text)).map_err(Error::Source)?;
    let files = links.dependencies.into_iter().map(|file| file.text);
    Ok(files.collect())
}

/// The file `entry`, with all files that it imports by relative paths before it.
///
/// Declarations that the entry re-exports stay exported. Other exports become internal.
pub(crate) fn assemble(
    entry: &str,
    read: &dyn Fn(&str) -> Result<Source, Problem>,
) -> Result<Source, Vec<Problem>> {
    let mut walk = Walk {
        read,
        seen: HashSet::from([entry.to_owned()]),
        files: Vec::new(),
        problems: Vec::new(),
    };
    walk.add(read(entry).map_err(|problem| vec![problem])?);
    let Walk {
        mut files,
        mut problems,
        ..
    } = walk;
    // If a file is missing, its names are missing too, and would only cause more problems.
    if problems.is_empty() {
        problems = check(&files);
    }
    if problems.is_empty() {
        hide_internals(&mut files);
        let parts = files
            .iter()
            .map(|file| file.source.without(&file.links.cut));
        Ok(Source::joined(parts))
    } else {
        Err(problems)
    }
}

struct File {
    source: Source,
    links: Links,
}

impl File {
    fn problem(&self, at: &Name, message: String) -> Problem {
        self.source.problem(at.offset, message)
    }
}

struct Walk<'r> {
    read: &'r dyn Fn(&str) -> Result<Source, Problem>,
    seen: HashSet<String>,
    /// In the order of evaluation.
    files: Vec<File>,
    problems: Vec<Problem>,
}

impl Walk<'_> {
    fn add(&mut self, source: Source) {
        let links = match Links::find(&source) {
            Ok(links) => links,
            Err(problems) => return self.problems.extend(problems),
        };
        for path in &links.dependencies {
            if !self.seen.insert(path.text.clone()) {
                continue;
            }
            match (self.read)(&path.text) {
                Ok(dependency) => self.add(dependency),
                Err(problem) => {
                    let message = format!("{}: {}", path.text, problem.message);
                    self.problems.push(source.problem(path.offset, message));
                }
            }
        }
        self.files.push(File { source, links });
    }
}

fn check(files: &[File]) -> Vec<Problem> {
    let (owners, mut problems) = owners(files);
    for file in files {
        problems.extend(check_imports(file, files));
        problems.extend(file.links.free.iter().filter_map(|name| {
            let owner = owners.get(name.text.as_str())?;
            let (links, text) = (&file.links, &name.text);
            if links.free_types.contains(text) && owner.links.values.contains(text) {
                return None;
            }
            let message = format!("`{text}` has to be imported from {}", owner.source.name());
            Some(file.problem(name, message))
        }));
    }
    problems.extend(check_exports(files));
    problems
}

/// The file in which each name is declared.
fn owners(files: &[File]) -> (HashMap<&str, &File>, Vec<Problem>) {
    let mut owners: HashMap<&str, &File> = HashMap::new();
    let mut problems = Vec::new();
    for file in files {
        for name in &file.links.declared {
            if let Some(other) = owners.insert(&name.text, file) {
                let message = format!(
                    "`{}` is declared in {} too, and the files of a module share one scope",
                    name.text,
                    other.source.name()
                );
                problems.push(file.problem(name, message));
            }
        }
    }
    (owners, problems)
}

fn check_imports(file: &File, files: &[File]) -> Vec<Problem> {
    let unknown = file.links.imports.iter().filter(|import| {
        let from = files.iter().find(|file| file.source.name() == import.from);
        !from.is_some_and(|from| from.links.exported().any(|name| name == import.name.text))
    });
    unknown
        .map(|import| {
            let message = format!("{} does not export `{}`", import.from, import.name.text);
            file.problem(&import.name, message)
        })
        .collect()
}

fn check_exports(files: &[File]) -> Vec<Problem> {
    let Some((entry, others)) = files.split_last() else {
        return Vec::new();
    };
    let public = &entry.links.forwards;
    let mut problems = Vec::new();
    for file in others {
        problems.extend(file.links.entry_only.iter().map(|span| {
            let message = format!("only {} can export in this form", entry.source.name());
            file.source.problem(span.start, message)
        }));
        for export in &file.links.exports {
            let is_public = |name: &&Name| public.contains(&name.text);
            let mut names = export.names.iter();
            if export.names.iter().any(|name| is_public(&name)) {
                problems.extend(names.find(|name| !is_public(name)).map(|name| {
                    let message = format!("`{}` is internal: declare it apart", name.text);
                    file.problem(name, message)
                }));
            }
        }
    }
    problems
}

fn hide_internals(files: &mut [File]) {
    let Some((entry, others)) = files.split_last_mut() else {
        return;
    };
    let public = &entry.links.forwards;
    for file in others {
        let Links { exports, cut, .. } = &mut file.links;
        let internal = exports
            .iter()
            .filter(|export| !export.names.iter().any(|name| public.contains(&name.text)));
        cut.extend(internal.map(|export| export.keyword));
    }
}
