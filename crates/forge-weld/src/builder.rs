use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use oxc::allocator::Allocator;
use oxc::span::SourceType;

use crate::api_page;
use crate::declarations::declare_module;
use crate::error::{Error, Problem};
use crate::extension::{self, State};
use crate::javascript;
use crate::modules;
use crate::ops;
use crate::source::Source;

/// The environment variable that makes a build write the checked-in declarations, if it is `1`.
pub(crate) const WRITE_TYPES: &str = "FORGE_WELD_WRITE_TYPES";

/// Builds an extension from one TypeScript module. See the [crate documentation](crate) for how the
/// pieces fit together.
/// All paths are relative to the directory of the crate whose build script uses the builder.
#[must_use = "nothing is built before `build` is called"]
pub struct ExtensionBuilder {
    name: String,
    specifier: String,
    ts_path: String,
    ops: Vec<String>,
    state: Option<State>,
    types_dir: Option<PathBuf>,
    generated: Vec<Generated>,
    api_page: Option<PathBuf>,
    watched: Vec<String>,
}

/// A file of the module whose text the build script makes.
struct Generated {
    path: String,
    text: String,
}

impl ExtensionBuilder {
    /// An extension with a Rust type `name`. Scripts import its module as `specifier`.
    pub fn new(name: &str, specifier: &str) -> Self {
        Self {
            name: name.to_owned(),
            specifier: specifier.to_owned(),
            ts_path: "ts/init.ts".to_owned(),
            ops: Vec::new(),
            state: None,
            types_dir: None,
            generated: Vec::new(),
            api_page: None,
            watched: Vec::new(),
        }
    }

    /// The source of the module. The default is `ts/init.ts`.
    /// Files that it imports by relative paths (`./values.ts`) become parts of the module. Apps see an export of such
    /// a file only if this file re-exports it: `export { compile } from "./module.ts"`.
    pub fn ts_path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.ts_path);
        self
    }

    /// The ops to register, by the names of their functions.
    pub fn ops(mut self, names: &[&str]) -> Self {
        self.ops.extend(names.iter().map(|name| (*name).to_owned()));
        self
    }

    /// The function that sets up the `OpState` of a new runtime, and the name and type of each value that it takes
    /// after the state. The same values, in the same order, become the parameters of the `init` of the extension.
    pub fn state(mut self, function: &str, options: &[(&str, &str)]) -> Self {
        let owned = |(name, ty): &(&str, &str)| ((*name).to_owned(), (*ty).to_owned());
        self.state = Some(State {
            function: function.to_owned(),
            options: options.iter().map(owned).collect(),
        });
        self
    }

    /// The directory of the checked-in `.d.ts`. A build writes the file only if `FORGE_WELD_WRITE_TYPES` is `1`.
    /// Exports whose doc comment says `@internal` are left out.
    pub fn generate_sdk_types(mut self, directory: &str) -> Self {
        self.types_dir = Some(directory.into());
        self
    }

    /// A TypeScript file of the module whose text the build script makes, for example from constants in Rust.
    ///
    /// The file is checked in, so that editors find it. A build writes it if `FORGE_WELD_WRITE_TYPES` is `1`, and
    /// otherwise fails if the file has another text.
    pub fn generated(mut self, path: &str, text: &str) -> Self {
        self.generated.push(Generated {
            path: path.to_owned(),
            text: text.to_owned(),
        });
        self
    }

    /// The checked-in Markdown page that describes the module. A build writes the page when it writes the `.d.ts`.
    pub fn generate_api_page(mut self, path: &str) -> Self {
        self.api_page = Some(path.into());
        self
    }

    /// Adds a path whose change makes cargo run the build script again. The TypeScript files are always watched.
    pub fn watch(mut self, path: &str) -> Self {
        self.watched.push(path.to_owned());
        self
    }

    /// Builds the extension into cargo's `OUT_DIR`.
    ///
    /// # Errors
    /// - [`Error::Source`] with all problems: a file is missing, does not parse or breaks a
    ///   rule of the language; an export lacks an explicit type; an op is used but not registered,
    ///   registered but not used, or registered twice; the code needs a runtime helper (`using`) or
    ///   cannot be written in ASCII; a file imports what another does not export, or under another
    ///   name, or uses what it does not import; two files declare the same name; a
    ///   [generated](Self::generated) file is stale. If a file cannot be read or parsed, or the files do not
    ///   fit together, other problems are not reported.
    /// - [`Error::NotABuildScript`] outside of a build script.
    /// - [`Error::Write`] if an output cannot be written.
    pub fn build(self) -> Result<(), Error> {
        let manifest_dir = cargo_dir("CARGO_MANIFEST_DIR")?;
        let out_dir = cargo_dir("OUT_DIR")?;
        println!("cargo:rerun-if-env-changed={WRITE_TYPES}");
        for path in &self.watched {
            println!("cargo:rerun-if-changed={path}");
        }
        let write_types = env::var_os(WRITE_TYPES).is_some_and(|value| value == "1");
        self.build_in(&manifest_dir, &out_dir, write_types)
    }

    pub(crate) fn build_in(
        &self,
        manifest_dir: &Path,
        out_dir: &Path,
        write_types: bool,
    ) -> Result<(), Error> {
        if write_types {
            for Generated { path, text } in &self.generated {
                write(&manifest_dir.join(path), text)?;
            }
        }
        let read = |path: &str| {
            println!("cargo:rerun-if-changed={path}");
            Source::read(manifest_dir, path)
        };
        let welded = self.weld(&read).map_err(Error::Source)?;
        let name = self.specifier.replace(':', "-");
        let types_file = format!("{name}.d.ts");
        let page = api_page::page(&self.specifier, &welded.declarations);
        write(&out_dir.join("init.js"), &welded.javascript)?;
        write(&out_dir.join("extension.rs"), &welded.rust)?;
        write(&out_dir.join(&types_file), &welded.declarations)?;
        write(&out_dir.join(format!("{name}.md")), &page)?;
        if !write_types {
            return Ok(());
        }
        if let Some(directory) = &self.types_dir {
            let path = manifest_dir.join(directory).join(&types_file);
            write(&path, &welded.declarations)?;
        }
        if let Some(path) = &self.api_page {
            write(&manifest_dir.join(path), &page)?;
        }
        Ok(())
    }

    pub(crate) fn weld(
        &self,
        read: &dyn Fn(&str) -> Result<Source, Problem>,
    ) -> Result<Welded, Vec<Problem>> {
        let mut problems = ops::check_list(&self.ts_path, &self.ops);
        problems.extend(self.generated.iter().filter_map(|file| file.check(read)));
        let source = modules::assemble(&self.ts_path, read);
        let welded = source.and_then(|source| self.weld_source(&source));
        let welded = ok_or_collect(welded, &mut problems);
        problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        welded.filter(|_| problems.is_empty()).ok_or(problems)
    }

    fn weld_source(&self, source: &Source) -> Result<Welded, Vec<Problem>> {
        let specifier = &self.specifier;
        let allocator = Allocator::new();
        let mut program = source.parse(&allocator, SourceType::ts().with_module(true))?;

        let (semantic, mut problems) = source.analyse(&program);
        let sound = problems.is_empty();
        problems.extend(ops::check(source, &semantic, &self.ops));
        problems.extend(javascript::check_using(source, &semantic));
        let scoping = semantic.into_scoping();
        let declarations = declare_module(source, specifier, &allocator, &program);
        let declarations = ok_or_collect(declarations, &mut problems);
        // The transformer may rely on the checks of the semantic analysis.
        if !sound {
            return Err(problems);
        }
        let javascript =
            javascript::extension_module(source, specifier, &allocator, &mut program, scoping);
        let javascript = ok_or_collect(javascript, &mut problems);

        match (javascript, declarations) {
            (Some(javascript), Some(declarations)) if problems.is_empty() => Ok(Welded {
                rust: extension::rust(
                    &self.name,
                    specifier,
                    &self.ops,
                    self.state.as_ref(),
                    &javascript,
                ),
                javascript,
                declarations,
            }),
            _ => Err(problems),
        }
    }
}

impl Generated {
    /// The problem of a checked-in file whose text differs from the text that the build script makes.
    fn check(&self, read: &dyn Fn(&str) -> Result<Source, Problem>) -> Option<Problem> {
        let wanted = Source::new(&self.path, &self.text);
        match read(&self.path) {
            Ok(present) if present.text() == wanted.text() => None,
            _ => {
                let message = format!("the file is stale: build once with {WRITE_TYPES}=1");
                Some(wanted.problem(0, message))
            }
        }
    }
}

/// The outputs of a build.
pub(crate) struct Welded {
    pub(crate) javascript: String,
    pub(crate) declarations: String,
    pub(crate) rust: String,
}

fn ok_or_collect<T>(result: Result<T, Vec<Problem>>, problems: &mut Vec<Problem>) -> Option<T> {
    result.map_err(|more| problems.extend(more)).ok()
}

fn cargo_dir(variable: &'static str) -> Result<PathBuf, Error> {
    env::var_os(variable)
        .map(PathBuf::from)
        .ok_or(Error::NotABuildScript(variable))
}

/// Writes a file, unless it already has this text: a new date would make cargo rebuild other crates.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    if fs::read(path).is_ok_and(|present| present == text.as_bytes()) {
        return Ok(());
    }
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(path, text))
        .map_err(|source| Error::Write {
            path: path.to_owned(),
            source,
        })
}
