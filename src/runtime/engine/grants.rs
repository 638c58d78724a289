//! Opens what the capabilities grant.
//!
//! What is granted is opened once, and everything from there downwards, where no link leads out. A
//! guest that may write to a folder could otherwise move what is granted in it away and put a link in
//! its place, or put one between the comparison of a path with what is granted and its opening.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use crate::runtime::base::capabilities::WasmCapabilities;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::text;

/// Paths that are granted, and open.
pub(crate) struct GrantedPaths(Vec<Grant>);

struct Grant {
    /// The path, without links, as it was.
    path: PathBuf,
    dir: Dir,
    /// The file in `dir` that is granted; otherwise all of it is.
    file: Option<OsString>,
}

impl GrantedPaths {
    /// Opens what is granted. What does not exist, or cannot be opened, grants nothing.
    pub(crate) fn new(paths: &[PathBuf]) -> Self {
        let open = |path: &Path| Dir::open_ambient_dir(path, ambient_authority()).ok();
        let grants = paths.iter().filter_map(|path| {
            let path = path.canonicalize().ok()?;
            let (dir, file) = if path.is_dir() {
                (open(&path)?, None)
            } else {
                (open(path.parent()?)?, Some(path.file_name()?.to_owned()))
            };
            Some(Grant { path, dir, file })
        });
        Self(grants.collect())
    }

    /// The open folder that leads to `path`, and the way from there; `None` if nothing does.
    fn find(&self, path: &Path) -> Option<(&Dir, PathBuf)> {
        let real = path.canonicalize().ok()?;
        self.0.iter().find_map(|grant| {
            let rest = real.strip_prefix(&grant.path).ok()?;
            let rest = match &grant.file {
                Some(file) => Path::new(file).to_owned(),
                None => Path::new(".").join(rest),
            };
            Some((&grant.dir, rest))
        })
    }

    /// What is granted, without links.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|grant| &*grant.path)
    }

    /// Opens the file at `path`; `None` if it is not granted, no file, or cannot be read.
    pub(crate) fn file(&self, path: &Path) -> Option<File> {
        let (dir, rest) = self.find(path)?;
        // To open what is no file may wait for ever.
        if !dir.metadata(&rest).ok()?.is_file() {
            return None;
        }
        let file = dir.open(&rest).ok()?.into_std();
        file.metadata().ok()?.is_file().then_some(file)
    }

    /// Opens the folder at `path`; `None` if it is not granted, no folder, or cannot be opened.
    pub(crate) fn folder(&self, path: &Path) -> Option<Dir> {
        let (dir, rest) = self.find(path)?;
        dir.open_dir(rest).ok()
    }
}

/// The files that may be compiled.
pub struct CompilableFiles(Option<GrantedPaths>);

impl CompilableFiles {
    pub(crate) fn new(capabilities: &WasmCapabilities) -> Self {
        let granted = || GrantedPaths::new(&capabilities.compile_paths);
        Self(capabilities.allow_file_compile.then(granted))
    }

    /// Reads the file at `path` if the capabilities grant it.
    ///
    /// # Errors
    /// `CompileError` if files are not granted, the file is outside the allow-list after its
    /// links are resolved, or it cannot be read. The message names the path as the app gave it,
    /// never the resolved one, and is the same for a file that is missing and one that is merely
    /// not granted, so that nobody learns which files exist. `CompileError` too if it has more than
    /// `max_bytes`, which are not all read then.
    pub fn read(&self, path: &Path, max_bytes: u64) -> Result<Vec<u8>, WasmError> {
        let shown = text::show(&path.to_string_lossy());
        let Some(granted) = &self.0 else {
            return Err(WasmError::compile(format!(
                "cannot compile {shown}: the host grants no files"
            )));
        };
        let file = granted.file(path);
        let read = file.and_then(|file| read_at_most(file, max_bytes).ok());
        match read {
            Some(contents) if contents.len() as u64 > max_bytes => {
                Err(WasmError::compile(format!(
                    "cannot compile {shown}: it has more than {max_bytes} bytes (max_binary_bytes)"
                )))
            }
            Some(contents) => Ok(contents),
            None => Err(WasmError::compile(format!(
                "cannot compile {shown}: not a readable file, or not granted by the host"
            ))),
        }
    }
}

/// The contents of a file, or one byte more than there may be, however the file grows meanwhile.
fn read_at_most(file: File, max_bytes: u64) -> std::io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    file.take(max_bytes.saturating_add(1))
        .read_to_end(&mut contents)?;
    Ok(contents)
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder with a granted one in it, and files in and beside that.
    fn root(name: &str) -> PathBuf {
        let name = format!("ext_wasm-granted-{}-{name}", std::process::id());
        let root = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("granted/folder")).unwrap();
        fs::create_dir_all(root.join("outside")).unwrap();
        fs::write(root.join("granted/folder/file"), "inside").unwrap();
        fs::write(root.join("outside/file"), "outside").unwrap();
        root
    }

    #[test]
    fn a_link_put_in_the_way_leads_nowhere() {
        let root = root("below");
        let granted = GrantedPaths::new(&[root.join("granted")]);
        let (file, folder) = (
            root.join("granted/folder/file"),
            root.join("granted/folder"),
        );
        let open = granted.folder(&folder).unwrap();
        assert!(granted.file(&file).is_some());
        let (dir, rest) = granted.find(&file).unwrap();

        fs::rename(&folder, root.join("granted/moved")).unwrap();
        symlink(root.join("outside"), &folder).unwrap();
        // Put in after the path was compared, and before.
        assert!(dir.open(rest).is_err());
        assert!(granted.file(&file).is_none() && granted.folder(&folder).is_none());
        assert_eq!(open.read("file").unwrap(), b"inside");
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn a_link_in_the_place_of_what_is_granted_grants_nothing() {
        let root = root("instead");
        let granted = GrantedPaths::new(&[
            root.join("granted/folder"),
            root.join("granted/folder/file"),
            root.join("missing"),
        ]);
        fs::rename(root.join("granted/folder"), root.join("granted/moved")).unwrap();
        symlink("..", root.join("granted/folder")).unwrap();
        symlink("outside", root.join("missing")).unwrap();
        for path in [
            "outside/file",
            "granted/folder/outside/file",
            "missing/file",
        ] {
            assert!(granted.file(&root.join(path)).is_none(), "{path}");
        }
        for path in ["", "outside", "granted/folder", "missing"] {
            assert!(granted.folder(&root.join(path)).is_none(), "{path}");
        }
        fs::remove_dir_all(&root).unwrap();
    }
}
