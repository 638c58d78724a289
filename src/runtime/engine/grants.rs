//! Access to the files and folders that the capabilities grant.
//!
//! Granted folders are opened once, and what is below one is opened from there, component by component, along the path
//! that was compared with the grants and without following a link. A guest with write access to a folder could otherwise
//! move a granted folder away and put a link in its place, or put a link into a path between the comparison of the path
//! and its opening.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use cap_fs_ext::{DirExt as _, FollowSymlinks, OpenOptionsFollowExt as _};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use globset::{GlobBuilder, GlobMatcher};

use crate::runtime::base::capabilities::WasmCapabilities;
use crate::runtime::base::error::WasmError;
use crate::runtime::base::text;

/// The granted paths, as open folders.
pub(crate) struct GrantedPaths(Vec<Grant>);

struct Grant {
    /// The path of the open folder, with links resolved at the time of opening.
    path: PathBuf,
    dir: Dir,
    scope: Scope,
}

/// The granted part of an open folder.
enum Scope {
    /// The folder, and everything in it.
    All,
    /// The folder, and nothing in it by itself.
    Folder,
    /// One file in the folder.
    File(OsString),
    /// Everything whose path relative to the folder matches.
    Matching(GlobMatcher),
}

impl GrantedPaths {
    /// Opens the granted folders: these paths with everything below them, and these patterns, which start from `base`
    /// unless they are absolute. A path that does not exist or cannot be opened grants nothing.
    ///
    /// # Errors
    /// `CompileError` for a pattern that is not valid.
    pub(crate) fn new(paths: &[PathBuf], globs: &[String], base: &Path) -> Result<Self, WasmError> {
        let granted = paths.iter().filter_map(|path| grant(path, Scope::All));
        let mut grants: Vec<Grant> = granted.collect();
        for glob in globs {
            let invalid = |why: &dyn std::fmt::Display| {
                let glob = text::quote(glob);
                WasmError::compile(format!("{glob} is no pattern of paths: {why}"))
            };
            if glob.is_empty() {
                return Err(invalid(&"it is empty"));
            }
            let (folder, pattern) = literal_folder(glob);
            let scope = match pattern {
                None => Scope::Folder,
                Some(pattern) => {
                    let matcher = GlobBuilder::new(&pattern).literal_separator(true).build();
                    let matcher = matcher.map_err(|error| invalid(error.kind()))?;
                    Scope::Matching(matcher.compile_matcher())
                }
            };
            // An empty path is the working directory.
            let folder = Path::new(".").join(base).join(folder);
            grants.extend(grant(&folder, scope));
        }
        Ok(Self(grants))
    }

    /// Returns the open folder of the grant for `path`, and the path relative to it, which had no links; `None` if
    /// `path` is not granted.
    fn find(&self, path: &Path) -> Option<(&Dir, PathBuf)> {
        let real = path.canonicalize().ok()?;
        self.0.iter().find_map(|grant| {
            let rest = real.strip_prefix(&grant.path).ok()?;
            let is_granted = match &grant.scope {
                Scope::All => true,
                Scope::Folder => rest == Path::new(""),
                Scope::File(file) => rest == Path::new(file),
                // `*` also matches the empty text, which is the folder itself.
                Scope::Matching(glob) => rest != Path::new("") && glob.is_match(rest),
            };
            is_granted.then(|| (&grant.dir, rest.to_owned()))
        })
    }

    /// Returns the paths of the open folders, with links resolved.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|grant| &*grant.path)
    }

    /// Opens the file at `path`. Returns `None` if it is not granted, is not a file, or cannot be read.
    pub(crate) fn file(&self, path: &Path) -> Option<File> {
        let (dir, rest) = self.find(path)?;
        open_file(dir, &rest)
    }

    /// Opens the folder at `path`. Returns `None` if it is not granted, is not a folder, or cannot be opened.
    pub(crate) fn folder(&self, path: &Path) -> Option<Dir> {
        let (dir, rest) = self.find(path)?;
        descend(dir, &rest)
    }
}

/// Opens the folder at `path`, to grant `scope` of it; or the folder of the file at `path`, to grant the file, if `path`
/// is a file and is granted itself.
fn grant(path: &Path, scope: Scope) -> Option<Grant> {
    let mut path = path.canonicalize().ok()?;
    let mut scope = scope;
    if !path.is_dir() {
        if let Scope::Matching(_) = scope {
            return None;
        }
        scope = Scope::File(path.file_name()?.to_owned());
        path.pop();
    }
    let dir = Dir::open_ambient_dir(&path, ambient_authority()).ok()?;
    Some(Grant { path, dir, scope })
}

/// Opens a folder below an open one, at a path that has no links.
fn descend(dir: &Dir, path: &Path) -> Option<Dir> {
    let mut dir = dir.try_clone().ok()?;
    for part in path.components() {
        let Component::Normal(name) = part else {
            return None;
        };
        dir = dir.open_dir_nofollow(name).ok()?;
    }
    Some(dir)
}

/// Opens a file below an open folder, at a path that has no links.
fn open_file(dir: &Dir, path: &Path) -> Option<File> {
    let folder = descend(dir, path.parent()?)?;
    let name = path.file_name()?;
    // Opening a file of another kind, for example a pipe, may block forever.
    if !folder.symlink_metadata(name).ok()?.is_file() {
        return None;
    }
    let mut options = OpenOptions::new();
    options.read(true).follow(FollowSymlinks::No);
    let file = folder.open_with(name, &options).ok()?.into_std();
    file.metadata().ok()?.is_file().then_some(file)
}

/// Splits a pattern into the folder before the first component with pattern characters, and the rest, if there is any.
fn literal_folder(glob: &str) -> (PathBuf, Option<String>) {
    let is_literal = |part: &&str| !part.contains(['*', '?', '[', ']', '{', '}', '\\']);
    let parts = glob.split('/').filter(|part| !matches!(*part, "" | "."));
    let parts: Vec<&str> = parts.collect();
    let literal = parts.iter().take_while(|part| is_literal(part)).count();
    let (folder, rest) = parts.split_at(literal);
    let root = if glob.starts_with('/') { "/" } else { "" };
    let folder = PathBuf::from(format!("{root}{}", folder.join("/")));
    (folder, (!rest.is_empty()).then(|| rest.join("/")))
}

/// The files that `compileFile` may read.
pub(crate) struct CompilableFiles(Option<GrantedPaths>);

impl CompilableFiles {
    /// Opens the granted paths.
    ///
    /// # Errors
    /// As [`GrantedPaths::new`].
    pub(crate) fn new(capabilities: &WasmCapabilities) -> Result<Self, WasmError> {
        let paths = match capabilities.allow_file_compile {
            true => &capabilities.compile_paths[..],
            false => &[],
        };
        let base = &capabilities.base_folder;
        let granted = GrantedPaths::new(paths, &capabilities.compile_globs, base)?;
        let allows = capabilities.allow_file_compile || !capabilities.compile_globs.is_empty();
        Ok(Self(allows.then_some(granted)))
    }

    /// Reads the file at `path` if the capabilities grant it.
    ///
    /// # Errors
    /// `CompileError` if no files are granted, the file is outside the granted paths after its links are resolved,
    /// or it cannot be read. The message has the path as the app gave it, never the resolved path. It is the same
    /// for a missing file and a file that is not granted, so that it does not reveal which files exist. Also
    /// `CompileError` if the file has more than `max_bytes` bytes; the rest is not read then.
    pub(crate) fn read(&self, path: &Path, max_bytes: u64) -> Result<Vec<u8>, WasmError> {
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

/// Reads at most `max_bytes` + 1 bytes, even if the file grows while it is read.
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

    /// Makes a folder with a granted folder in it, a file in the granted folder, and a file outside of it.
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
    fn a_link_that_replaces_a_folder_is_not_followed() {
        let root = root("below");
        let granted = GrantedPaths::new(&[root.join("granted")], &[], &root).unwrap();
        let (file, folder) = (
            root.join("granted/folder/file"),
            root.join("granted/folder"),
        );
        let open = granted.folder(&folder).unwrap();
        assert!(granted.file(&file).is_some());
        let (dir, rest) = granted.find(&file).unwrap();

        fs::rename(&folder, root.join("granted/moved")).unwrap();
        symlink(root.join("outside"), &folder).unwrap();
        // The link is put in after the path was checked, and before.
        assert!(open_file(dir, &rest).is_none());
        assert!(granted.file(&file).is_none() && granted.folder(&folder).is_none());
        assert_eq!(open.read("file").unwrap(), b"inside");
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn a_link_that_replaces_a_granted_path_grants_nothing() {
        let root = root("instead");
        let paths = [
            root.join("granted/folder"),
            root.join("granted/folder/file"),
            root.join("missing"),
        ];
        let globs = ["granted/folder/**", "missing/*"].map(str::to_owned);
        let granted = GrantedPaths::new(&paths, &globs, &root).unwrap();
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

    #[test]
    fn patterns_grant_only_matching_paths() {
        let root = root("globs");
        for path in ["a.wasm", "b.txt", "deep/c.wasm", "deep/er/d.wasm"] {
            let path = root.join("granted").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        symlink("../outside/file", root.join("granted/link.wasm")).unwrap();
        symlink("a.wasm", root.join("granted/inside.txt")).unwrap();
        let files = |glob: &str| {
            let granted = GrantedPaths::new(&[], &[glob.to_owned()], &root).unwrap();
            let all = [
                "a.wasm",
                "b.txt",
                "deep/c.wasm",
                "deep/er/d.wasm",
                "link.wasm",
                "inside.txt",
            ];
            let found = all.map(|path| root.join("granted").join(path));
            let found = found.iter().map(|path| granted.file(path).is_some());
            found.collect::<Vec<bool>>()
        };
        // A link is checked as its target.
        assert_eq!(
            files("granted/*.wasm"),
            [true, false, false, false, false, true]
        );
        assert_eq!(
            files("granted/**/*.wasm"),
            [true, false, true, true, false, true]
        );
        assert_eq!(
            files("granted/*/*.wasm"),
            [false, false, true, false, false, false]
        );
        assert_eq!(
            files("granted/[b].{txt,wasm}"),
            [false, true, false, false, false, false]
        );
        assert_eq!(
            files("granted/a.wasm"),
            [true, false, false, false, false, true]
        );
        assert_eq!(files("*/b.txt"), [false, true, false, false, false, false]);
        assert_eq!(files("missing/**"), [false; 6]);

        symlink("deep", root.join("granted/linked")).unwrap();
        let folders = |glob: &str| {
            let granted = GrantedPaths::new(&[], &[glob.to_owned()], &root).unwrap();
            let all = [
                "granted",
                "granted/deep",
                "granted/deep/er",
                "granted/linked",
            ];
            all.map(|path| granted.folder(&root.join(path)).is_some())
        };
        assert_eq!(folders("granted/*"), [false, true, false, true]);
        assert_eq!(folders("granted/**"), [false, true, true, true]);
        for literal in ["granted/deep", "./granted//deep/", "granted/linked"] {
            assert_eq!(folders(literal), [false, true, false, true], "{literal}");
        }
        // A pattern without pattern characters grants a folder, and no file in it.
        assert_eq!(files("granted"), [false; 6]);
        assert_eq!(folders("granted/."), [true, false, false, false]);
        for wrong in ["a/[b", ""] {
            let error = GrantedPaths::new(&[], &[wrong.to_owned()], &root)
                .err()
                .unwrap();
            let message = format!("\"{wrong}\" is no pattern of paths: ");
            assert!(error.message.starts_with(&message), "{error}");
        }
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn a_link_to_another_file_of_the_folder_is_not_followed() {
        let root = root("inside");
        let granted = GrantedPaths::new(&[], &["**/x".to_owned()], &root).unwrap();
        fs::create_dir(root.join("granted/x")).unwrap();
        fs::write(root.join("outside/x"), "granted").unwrap();
        let (dir, file) = granted.find(&root.join("outside/x")).unwrap();
        let (_, folder) = granted.find(&root.join("granted/x")).unwrap();
        assert!(open_file(dir, &file).is_some() && descend(dir, &folder).is_some());
        fs::remove_file(root.join("outside/x")).unwrap();
        fs::remove_dir(root.join("granted/x")).unwrap();
        // Links that a guest puts in after the check.
        symlink("file", root.join("outside/x")).unwrap();
        symlink("../outside", root.join("granted/x")).unwrap();
        assert!(open_file(dir, &file).is_none() && descend(dir, &folder).is_none());
        fs::rename(root.join("outside"), root.join("moved")).unwrap();
        symlink("moved", root.join("outside")).unwrap();
        assert!(open_file(dir, Path::new("outside/file")).is_none());
        fs::remove_dir_all(&root).unwrap();
    }
}
