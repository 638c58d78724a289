//! The modules in files, folders and packages.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use super::archive::{self, GZIP_MAGIC};
use super::report::Unreadable;
use super::text::show;

/// The maximum number of bytes of a module. `host:wasm` takes smaller ones only.
const MAX_MODULE_BYTES: u64 = 512 << 20;

/// Where a module is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    path: PathBuf,
    /// The number of the entry, if the file is a package.
    entry: Option<usize>,
}

/// A module that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The path, with the name in the package after it.
    pub name: String,
    pub source: Source,
    pub bytes: u64,
    /// The names of other files with the same contents.
    pub also: Vec<String>,
}

/// The modules that were found, and the files and folders that could not be read.
pub struct Sources {
    pub modules: Vec<Found>,
    pub unreadable: Vec<Unreadable>,
}

impl Source {
    /// Reads the module.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn read(&self) -> anyhow::Result<Vec<u8>> {
        match self.entry {
            Some(entry) => archive::read(&self.path, entry, MAX_MODULE_BYTES),
            None => {
                let mut bytes = Vec::new();
                let file = File::open(&self.path)?;
                file.take(MAX_MODULE_BYTES).read_to_end(&mut bytes)?;
                Ok(bytes)
            }
        }
    }
}

/// Finds the modules at these paths: files, folders and packages. With `largest`, only so many of each path. Modules
/// with the same contents are found once.
///
/// # Errors
///
/// When there is nothing at a path, or no module at any of them.
pub fn find(paths: &[PathBuf], largest: Option<NonZeroUsize>) -> anyhow::Result<Sources> {
    let mut search = Search::default();
    let mut found: Vec<Found> = Vec::new();
    let mut numbers: HashMap<Contents, usize> = HashMap::new();
    for path in paths {
        search.path(path)?;
        search.contents.clear();
        let mut own = std::mem::take(&mut search.modules);
        if let Some(largest) = largest {
            // The order of modules of the same size stays.
            own.sort_by_key(|(_, module)| Reverse(module.bytes));
            own.truncate(largest.get());
        }
        for (contents, module) in own {
            match numbers.get(&contents) {
                Some(same) => {
                    found[*same].also.push(module.name);
                    found[*same].also.extend(module.also);
                }
                None => {
                    numbers.insert(contents, found.len());
                    found.push(module);
                }
            }
        }
    }
    let found = Sources {
        modules: found,
        unreadable: search.unreadable,
    };
    ensure!(
        !found.modules.is_empty() || !found.unreadable.is_empty(),
        "no module (.wasm, .wat, or in a .tgz) in {}",
        paths
            .iter()
            .map(|path| show(&path.display().to_string()))
            .collect::<Vec<_>>()
            .join(", ")
    );
    Ok(found)
}

/// The size and a hash of the contents of a module.
type Contents = (u64, u64);

#[derive(Default)]
struct Search {
    /// The modules at the current path.
    modules: Vec<(Contents, Found)>,
    /// Their numbers.
    contents: HashMap<Contents, usize>,
    unreadable: Vec<Unreadable>,
    hasher: RandomState,
    /// Folders that were read, without links: a link can lead back.
    folders: HashSet<PathBuf>,
}

impl Search {
    /// Takes a path that the user gave.
    fn path(&mut self, path: &Path) -> anyhow::Result<()> {
        let name = show(&path.display().to_string());
        let metadata = fs::metadata(path).with_context(|| format!("cannot use `{name}`"))?;
        if metadata.is_dir() {
            self.folder(path);
            return Ok(());
        }
        ensure!(
            metadata.is_file(),
            "`{name}` is neither a file nor a folder"
        );
        self.file(path);
        Ok(())
    }

    /// Takes all modules in a folder, however deep. Links are followed.
    fn folder(&mut self, root: &Path) {
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            let read = folder.canonicalize().and_then(|real| {
                let is_new = self.folders.insert(real);
                is_new.then(|| sorted(&folder)).transpose()
            });
            let entries = match read {
                Ok(entries) => entries.unwrap_or_default(),
                Err(error) => {
                    self.unreadable(&folder.display().to_string(), &error.into());
                    continue;
                }
            };
            let mut inner = Vec::new();
            for path in entries {
                match fs::metadata(&path) {
                    Ok(metadata) if metadata.is_dir() => inner.push(path),
                    Ok(metadata) if metadata.is_file() && is_wanted(&path) => self.file(&path),
                    Ok(_) => {}
                    Err(error) if is_wanted(&path) => {
                        self.unreadable(&path.display().to_string(), &error.into());
                    }
                    // A link to nothing, with a name that no module has.
                    Err(_) => {}
                }
            }
            folders.extend(inner.into_iter().rev());
        }
    }

    /// Takes a file: a package if it is gzipped, and else a module.
    fn file(&mut self, path: &Path) {
        let name = path.display().to_string();
        let taken = match path.to_str() {
            Some(_) => self.readable(path, &name),
            None => Err(anyhow::anyhow!("its name is not UTF-8")),
        };
        if let Err(error) = taken {
            self.unreadable(&name, &error);
        }
    }

    fn readable(&mut self, path: &Path, name: &str) -> anyhow::Result<()> {
        let mut file = File::open(path)?;
        let mut magic = Vec::new();
        file.by_ref().take(2).read_to_end(&mut magic)?;
        let source = |entry| Source {
            path: path.to_owned(),
            entry,
        };
        if magic != GZIP_MAGIC {
            ensure!(!is_package(path), "it is not gzipped");
            return self.module(name.to_owned(), source(None), magic.chain(file));
        }
        archive::for_each(path, |packed| {
            if is_module(Path::new(&packed.name)) {
                let name = format!("{name}/{}", packed.name);
                self.module(name, source(Some(packed.index)), packed)?;
            }
            Ok(true)
        })
    }

    fn module(&mut self, name: String, source: Source, mut from: impl Read) -> anyhow::Result<()> {
        let (mut bytes, mut hasher) = (0, self.hasher.build_hasher());
        let mut chunk = vec![0; 1 << 16];
        loop {
            let length = from.read(&mut chunk)?;
            if length == 0 {
                break;
            }
            bytes += length as u64;
            ensure!(
                bytes <= MAX_MODULE_BYTES,
                "{} has more than {MAX_MODULE_BYTES} bytes",
                show(&name)
            );
            hasher.write(&chunk[..length]);
        }
        let name = show(&name);
        let contents = (bytes, hasher.finish());
        if let Some(same) = self.contents.get(&contents) {
            self.modules[*same].1.also.push(name);
            return Ok(());
        }
        self.contents.insert(contents, self.modules.len());
        let module = Found {
            name,
            source,
            bytes,
            also: Vec::new(),
        };
        self.modules.push((contents, module));
        Ok(())
    }

    fn unreadable(&mut self, name: &str, error: &anyhow::Error) {
        self.unreadable.push(Unreadable {
            name: show(name),
            why: show(&format!("{error:#}")),
        });
    }
}

/// The paths in a folder, in order.
fn sorted(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?;
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.sort();
    Ok(paths)
}

fn is_wanted(path: &Path) -> bool {
    is_module(path) || is_package(path)
}

fn is_module(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "wasm" || extension == "wat")
}

fn is_package(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.ends_with(b".tgz") || name.ends_with(b".tar.gz")
}
