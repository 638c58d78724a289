//! Open folders, and operations on paths in them.
//!
//! cap-std resolves each path, and never outside of the folder. This module adds the POSIX rule for a path that
//! ends in a slash: it means the folder at the path, or the folder that a link there points to, and nothing else.

use std::io;
use std::time::Duration;

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt as _, OpenOptionsSyncExt as _};
use cap_std::fs::{Dir, FileTypeExt as _, Metadata, OpenOptions};
use rustix::fs::Timestamps;
use wasmtime_wasi::p1::types::{Errno, Fdflags, Lookupflags, Oflags, Rights};

use super::descriptors;
use super::errno::Result;
use super::file::File;
use super::listing::Listing;
use crate::runtime::engine::quota::Share;

/// The interval between checks whether a pipe has a reader.
const READER_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A folder that a guest has opened, or got as a preopen.
pub(super) struct Directory {
    dir: Dir,
    /// The name for guests, if it is a preopen.
    preopen: Option<String>,
    /// Whether guests have read access only, to the folder and everything in it.
    readonly: bool,
    pub(super) listing: Option<Listing>,
    _share: Share,
}

/// A folder or file that a guest has opened.
pub(super) enum Opened {
    Directory(Directory),
    File(File),
}

impl Directory {
    /// Makes a preopen with this name for guests.
    pub(super) fn preopen(
        dir: &Dir,
        name: String,
        readonly: bool,
        share: Share,
    ) -> io::Result<Self> {
        // Opened again, because the existing descriptor may not have the right to list the folder.
        let dir = match dir.open(".") {
            Ok(dir) => Dir::from_std_file(dir.into_std()),
            Err(_) => dir.try_clone()?,
        };
        Ok(Self {
            dir,
            preopen: Some(name),
            readonly,
            listing: None,
            _share: share,
        })
    }

    pub(super) fn dir(&self) -> &Dir {
        &self.dir
    }

    pub(super) fn preopened_as(&self) -> Option<&str> {
        self.preopen.as_deref()
    }

    pub(super) fn metadata(&self) -> Result<Metadata> {
        Ok(self.dir.dir_metadata()?)
    }

    /// Returns the folder for a modification.
    ///
    /// # Errors
    /// `EPERM` if guests have read access only.
    pub(super) fn writable_dir(&self) -> Result<&Dir> {
        if self.readonly {
            return Err(Errno::Perm.into());
        }
        Ok(&self.dir)
    }

    /// Sets the times of the folder itself.
    ///
    /// # Errors
    /// `EPERM` if guests have read access only.
    pub(super) fn set_times(&self, times: &Timestamps) -> Result<()> {
        Ok(rustix::fs::futimens(self.writable_dir()?, times)?)
    }

    /// Returns the metadata of the file at a path.
    pub(super) fn metadata_at(&self, path: &str, lookup: Lookupflags) -> Result<Metadata> {
        Ok(if follows(path, lookup) {
            self.dir.metadata(path)?
        } else {
            self.dir.symlink_metadata(path)?
        })
    }

    pub(super) fn set_times_at(
        &self,
        path: &str,
        lookup: Lookupflags,
        times: &Timestamps,
    ) -> Result<()> {
        let dir = self.writable_dir()?;
        let mut options = OpenOptions::new();
        options.read(true).follow(follow(path, lookup));
        // Opened with `O_PATH`: to open the file for reading could block, or not be allowed.
        #[cfg(target_os = "linux")]
        {
            use cap_std::fs::OpenOptionsExt as _;
            use rustix::fs::{AtFlags, OFlags};
            options.custom_flags(OFlags::PATH.bits().cast_signed());
            let place = dir.open_with(path, &options)?;
            rustix::fs::utimensat(&place, "", times, AtFlags::EMPTY_PATH)?;
        }
        #[cfg(not(target_os = "linux"))]
        {
            let file = dir.open_with(path, options.nonblock(true))?;
            rustix::fs::futimens(&file, times)?;
        }
        Ok(())
    }

    pub(super) async fn open(
        &self,
        path: &str,
        lookup: Lookupflags,
        oflags: Oflags,
        rights: Rights,
        flags: Fdflags,
    ) -> Result<Opened> {
        let creates = oflags.contains(Oflags::CREAT);
        let writes = creates || oflags.contains(Oflags::TRUNC) || rights.contains(Rights::FD_WRITE);
        if oflags.contains(Oflags::DIRECTORY)
            && oflags.intersects(Oflags::CREAT | Oflags::EXCL | Oflags::TRUNC)
        {
            return Err(Errno::Inval.into());
        }
        if writes {
            self.writable_dir()?;
        }
        let share = descriptors::share()?;
        let mut options = OpenOptions::new();
        options
            .read(rights.contains(Rights::FD_READ) || !rights.contains(Rights::FD_WRITE))
            .write(writes)
            .truncate(oflags.contains(Oflags::TRUNC))
            .create(creates)
            .create_new(creates && oflags.contains(Oflags::EXCL))
            .sync(flags.contains(Fdflags::SYNC))
            .dsync(flags.contains(Fdflags::DSYNC))
            .rsync(flags.contains(Fdflags::RSYNC))
            // Opening a pipe would block until its other end is opened, and the wait could not be interrupted.
            .nonblock(true)
            .follow(follow(path, lookup));
        let file = loop {
            match self.dir.open_with(path, &options) {
                Ok(file) => break file.into_std(),
                Err(error) if self.lacks_reader(&error, path, flags) => {
                    tokio::time::sleep(READER_POLL_INTERVAL).await;
                }
                Err(error) => return Err(error.into()),
            }
        };
        if file.metadata()?.is_dir() {
            return Ok(Opened::Directory(Self {
                dir: Dir::from_std_file(file),
                preopen: None,
                readonly: self.readonly,
                listing: None,
                _share: share,
            }));
        }
        if oflags.contains(Oflags::DIRECTORY) {
            return Err(Errno::Notdir.into());
        }
        let file = File::new(file, rights, flags, self.readonly, share)?;
        Ok(Opened::File(file))
    }

    /// Whether the error is that a pipe was opened for writing without a reader, and the guest wants to wait for
    /// one.
    fn lacks_reader(&self, error: &io::Error, path: &str, flags: Fdflags) -> bool {
        rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::NXIO)
            && !flags.contains(Fdflags::NONBLOCK)
            && self
                .dir
                .metadata(path)
                .is_ok_and(|file| file.file_type().is_fifo())
    }

    /// Makes a hard link `new` to the file at `old`.
    pub(super) fn link(&self, old: &str, lookup: Lookupflags, to: &Self, new: &str) -> Result<()> {
        let (from, to) = (self.writable_dir()?, to.writable_dir()?);
        let is_link = || from.symlink_metadata(old).is_ok_and(|old| old.is_symlink());
        // wasmtime-wasi refuses to follow a symbolic link (bytecodealliance/wasmtime#8840).
        if lookup.contains(Lookupflags::SYMLINK_FOLLOW) && is_link() {
            from.hard_link(from.canonicalize(old)?, to, new)?;
        } else {
            from.hard_link(old, to, new)?;
        }
        Ok(())
    }

    pub(super) fn rename(&self, old: &str, to: &Self, new: &str) -> Result<()> {
        let (from, to) = (self.writable_dir()?, to.writable_dir()?);
        let (old_path, new_path) = (without_slash(old), without_slash(new));
        let slash = old_path != old || new_path != new;
        if slash && !from.symlink_metadata(old_path)?.is_dir() {
            return Err(Errno::Notdir.into());
        }
        Ok(from.rename(old_path, to, new_path)?)
    }

    pub(super) fn remove_directory(&self, path: &str) -> Result<()> {
        Ok(self.writable_dir()?.remove_dir(without_slash(path))?)
    }

    pub(super) fn unlink(&self, path: &str) -> Result<()> {
        let dir = self.writable_dir()?;
        let name = without_slash(path);
        if name != path {
            let is_dir = dir.symlink_metadata(name)?.is_dir();
            return Err(if is_dir { Errno::Isdir } else { Errno::Notdir }.into());
        }
        Ok(dir.remove_file(path)?)
    }
}

/// Whether a symbolic link at the end of a path is followed. A slash after it has the same effect as the flag
/// (bytecodealliance/wasmtime#14380).
fn follows(path: &str, lookup: Lookupflags) -> bool {
    let slash = path.ends_with('/') || path.ends_with("/.");
    lookup.contains(Lookupflags::SYMLINK_FOLLOW) || slash
}

fn follow(path: &str, lookup: Lookupflags) -> FollowSymlinks {
    if follows(path, lookup) {
        FollowSymlinks::Yes
    } else {
        FollowSymlinks::No
    }
}

/// Returns the path without trailing slashes.
fn without_slash(path: &str) -> &str {
    let name = path.trim_end_matches('/');
    if name.is_empty() { path } else { name }
}
