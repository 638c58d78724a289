//! Open folders, and what is done to the paths in them.
//!
//! cap-std resolves each path, and leads nowhere out of the folder. What is added here is what POSIX
//! says of a path that ends in a slash: it means the folder there, or the one that a link there leads
//! to, and nothing else.

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

/// How long it takes until it is looked again whether a pipe has somebody who reads from it.
const READER: Duration = Duration::from_millis(5);

/// A folder that a guest was given, or has opened.
pub(super) struct Directory {
    dir: Dir,
    /// Its name, if the guest was given it.
    preopen: Option<String>,
    /// Guests may only read it and all that is in it.
    readonly: bool,
    pub(super) listing: Option<Listing>,
    _share: Share,
}

/// What a guest has opened.
pub(super) enum Opened {
    Directory(Directory),
    File(File),
}

impl Directory {
    /// A folder that guests are given under this name.
    pub(super) fn preopen(
        dir: &Dir,
        name: String,
        readonly: bool,
        share: Share,
    ) -> io::Result<Self> {
        // Opened again, because it may have been opened without the right to list it.
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

    /// # Errors
    /// `EPERM` if guests may only read it.
    pub(super) fn changeable(&self) -> Result<&Dir> {
        if self.readonly {
            return Err(Errno::Perm.into());
        }
        Ok(&self.dir)
    }

    /// # Errors
    /// `EPERM` if guests may only read it.
    pub(super) fn set_times(&self, times: &Timestamps) -> Result<()> {
        Ok(rustix::fs::futimens(self.changeable()?, times)?)
    }

    /// What is known of the file at a path.
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
        let dir = self.changeable()?;
        let mut options = OpenOptions::new();
        options.read(true).follow(follow(path, lookup));
        // Opened as a place alone: to open the file could wait, or not be allowed.
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
        how: Oflags,
        rights: Rights,
        flags: Fdflags,
    ) -> Result<Opened> {
        let creates = how.contains(Oflags::CREAT);
        let writes = creates || how.contains(Oflags::TRUNC) || rights.contains(Rights::FD_WRITE);
        if how.contains(Oflags::DIRECTORY)
            && how.intersects(Oflags::CREAT | Oflags::EXCL | Oflags::TRUNC)
        {
            return Err(Errno::Inval.into());
        }
        if writes {
            self.changeable()?;
        }
        let share = descriptors::share()?;
        let mut options = OpenOptions::new();
        options
            .read(rights.contains(Rights::FD_READ) || !rights.contains(Rights::FD_WRITE))
            .write(writes)
            .truncate(how.contains(Oflags::TRUNC))
            .create(creates)
            .create_new(creates && how.contains(Oflags::EXCL))
            .sync(flags.contains(Fdflags::SYNC))
            .dsync(flags.contains(Fdflags::DSYNC))
            .rsync(flags.contains(Fdflags::RSYNC))
            // To open a pipe would wait for its other end, where nothing could end the wait.
            .nonblock(true)
            .follow(follow(path, lookup));
        let file = loop {
            match self.dir.open_with(path, &options) {
                Ok(file) => break file.into_std(),
                Err(error) if self.lacks_reader(&error, path, flags) => {
                    tokio::time::sleep(READER).await;
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
        if how.contains(Oflags::DIRECTORY) {
            return Err(Errno::Notdir.into());
        }
        let file = File::new(file, rights, flags, self.readonly, share)?;
        Ok(Opened::File(file))
    }

    /// Whether that is what has gone wrong: a pipe is to be written to that nobody reads from yet,
    /// for whom the guest wants to wait.
    fn lacks_reader(&self, error: &io::Error, path: &str, flags: Fdflags) -> bool {
        rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::NXIO)
            && !flags.contains(Fdflags::NONBLOCK)
            && self
                .dir
                .metadata(path)
                .is_ok_and(|file| file.file_type().is_fifo())
    }

    /// Makes `new` another name of the file at `old`.
    pub(super) fn link(&self, old: &str, lookup: Lookupflags, to: &Self, new: &str) -> Result<()> {
        let (from, to) = (self.changeable()?, to.changeable()?);
        let is_link = || from.symlink_metadata(old).is_ok_and(|old| old.is_symlink());
        // wasmtime-wasi refuses to follow a link (bytecodealliance/wasmtime#8840).
        if lookup.contains(Lookupflags::SYMLINK_FOLLOW) && is_link() {
            from.hard_link(from.canonicalize(old)?, to, new)?;
        } else {
            from.hard_link(old, to, new)?;
        }
        Ok(())
    }

    pub(super) fn rename(&self, old: &str, to: &Self, new: &str) -> Result<()> {
        let (from, to) = (self.changeable()?, to.changeable()?);
        let (old_path, new_path) = (without_slash(old), without_slash(new));
        let slash = old_path != old || new_path != new;
        if slash && !from.symlink_metadata(old_path)?.is_dir() {
            return Err(Errno::Notdir.into());
        }
        Ok(from.rename(old_path, to, new_path)?)
    }

    pub(super) fn remove_directory(&self, path: &str) -> Result<()> {
        Ok(self.changeable()?.remove_dir(without_slash(path))?)
    }

    pub(super) fn unlink(&self, path: &str) -> Result<()> {
        let dir = self.changeable()?;
        let name = without_slash(path);
        if name != path {
            let is_dir = dir.symlink_metadata(name)?.is_dir();
            return Err(if is_dir { Errno::Isdir } else { Errno::Notdir }.into());
        }
        Ok(dir.remove_file(path)?)
    }
}

/// Whether a link at the end of a path is followed. It is where the path goes on after it with a slash
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

/// The path without the slashes that it ends in.
fn without_slash(path: &str) -> &str {
    let name = path.trim_end_matches('/');
    if name.is_empty() { path } else { name }
}
