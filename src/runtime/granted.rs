//! Opens what the capabilities grant.
//!
//! A path is compared with what is granted after its links are resolved, and then opened from the
//! granted folder downwards, where no link leads out: whoever may write below that folder (a guest
//! that was given it) could put one there between the comparison and the opening.

use std::fs::File;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;

/// A place at or below a granted path.
pub(super) struct Granted {
    /// The place, without links.
    real: PathBuf,
    /// The granted path, without links.
    base: PathBuf,
    /// The way from there; empty if that is the place.
    rest: PathBuf,
}

impl Granted {
    /// The place at `path`, if it exists and one of the `granted` paths is it or leads to it.
    pub(super) fn find(path: &Path, granted: &[PathBuf]) -> Option<Self> {
        let real = path.canonicalize().ok()?;
        granted.iter().find_map(|granted| {
            let base = granted.canonicalize().ok()?;
            let rest = real.strip_prefix(&base).ok()?.to_owned();
            Some(Self {
                real: real.clone(),
                base,
                rest,
            })
        })
    }

    /// The place at `path`, if it exists, where everything is granted.
    pub(super) fn anywhere(path: &Path) -> Option<Self> {
        let real = path.canonicalize().ok()?;
        Some(Self {
            base: real.clone(),
            rest: PathBuf::new(),
            real,
        })
    }

    /// Opens the file that is there; `None` if it is none, or cannot be read.
    pub(super) fn file(&self) -> Option<File> {
        // To open what is no file may wait for ever.
        if !self.real.is_file() {
            return None;
        }
        let file = if self.rest.as_os_str().is_empty() {
            File::open(&self.base).ok()?
        } else {
            let base = Dir::open_ambient_dir(&self.base, ambient_authority()).ok()?;
            base.open(&self.rest).ok()?.into_std()
        };
        file.metadata().ok()?.is_file().then_some(file)
    }

    /// Opens the folder that is there; `None` if it is none, or cannot be read.
    pub(super) fn folder(&self) -> Option<Folder> {
        let base = Dir::open_ambient_dir(&self.base, ambient_authority()).ok()?;
        let dir = if self.rest.as_os_str().is_empty() {
            base
        } else {
            base.open_dir(&self.rest).ok()?
        };
        Some(Folder {
            path: self.real.clone(),
            dir,
        })
    }
}

/// A folder that is open.
pub(super) struct Folder {
    path: PathBuf,
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "cannot be named")
    )]
    dir: Dir,
}

impl Folder {
    /// A path that names the open folder itself, for as long as it is open; elsewhere than on Linux,
    /// which has no such path, that of where it was.
    pub(super) fn path(&self) -> PathBuf {
        #[cfg(target_os = "linux")]
        {
            use std::os::fd::AsRawFd as _;
            let open = PathBuf::from(format!("/proc/self/fd/{}", self.dir.as_raw_fd()));
            if open.is_dir() {
                return open;
            }
        }
        self.path.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was a folder is a link that leads out by the time it is opened.
    #[cfg(unix)]
    #[test]
    fn a_link_put_in_between_leads_nowhere() {
        let root = std::env::temp_dir().join(format!("ext_wasm-granted-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        std::fs::create_dir_all(root.join("granted/folder")).unwrap();
        std::fs::create_dir_all(root.join("outside")).unwrap();
        std::fs::write(root.join("granted/folder/file"), "inside").unwrap();
        std::fs::write(root.join("outside/file"), "outside").unwrap();
        let granted = [root.join("granted")];
        let file = Granted::find(&root.join("granted/folder/file"), &granted).unwrap();
        let folder = Granted::find(&root.join("granted/folder"), &granted).unwrap();
        assert!(file.file().is_some() && folder.folder().is_some());
        let open = folder.folder().unwrap();

        std::fs::rename(root.join("granted/folder"), root.join("granted/moved")).unwrap();
        std::os::unix::fs::symlink(root.join("outside"), root.join("granted/folder")).unwrap();
        assert!(file.file().is_none() && folder.folder().is_none());
        if cfg!(target_os = "linux") {
            let inside = std::fs::read(open.path().join("file")).unwrap();
            assert_eq!(inside, b"inside");
        }
        std::fs::remove_dir_all(&root).unwrap();
    }
}
