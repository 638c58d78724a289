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
            Some(Self { base, rest })
        })
    }

    /// The place at `path`, if it exists, where everything is granted.
    pub(super) fn anywhere(path: &Path) -> Option<Self> {
        let base = path.canonicalize().ok()?;
        let rest = PathBuf::new();
        Some(Self { base, rest })
    }

    /// Opens the file that is there; `None` if it is none, or cannot be read.
    pub(super) fn file(&self) -> Option<File> {
        // To open what is no file may wait for ever.
        if !self.base.join(&self.rest).is_file() {
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
            path: self.base.join(&self.rest),
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
