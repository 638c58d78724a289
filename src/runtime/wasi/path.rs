//! The functions on paths.

use wasmtime_wasi::p1::types::{Errno, Fdflags, Fstflags, Lookupflags, Oflags, Rights};

use super::call::{Call, flags};
use super::descriptors::Descriptor;
use super::directory::{Directory, Opened};
use super::errno::Result;
use super::file::timestamps;
use super::metadata::filestat;

impl Call<'_> {
    /// Returns a folder, and a path relative to it.
    fn directory_and_path(&self, fd: u32, path: u32, len: u32) -> Result<(&Directory, String)> {
        let path = self.memory.path(path, len)?;
        Ok((self.wasi.descriptors.directory(fd)?, path))
    }

    pub(crate) fn path_create_directory(&mut self, fd: u32, path: u32, len: u32) -> Result<()> {
        let (directory, path) = self.directory_and_path(fd, path, len)?;
        Ok(directory.writable_dir()?.create_dir(path)?)
    }

    pub(crate) fn path_filestat_get(
        &mut self,
        fd: u32,
        lookup: u32,
        path: u32,
        len: u32,
        to: u32,
    ) -> Result<()> {
        let lookup = flags!(Lookupflags(lookup));
        let (directory, path) = self.directory_and_path(fd, path, len)?;
        let stat = filestat(&directory.metadata_at(&path, lookup)?);
        self.write_filestat(to, &stat)
    }

    #[expect(clippy::too_many_arguments, reason = "as many as preview 1 has")]
    pub(crate) fn path_filestat_set_times(
        &mut self,
        fd: u32,
        lookup: u32,
        path: u32,
        len: u32,
        accessed: u64,
        modified: u64,
        set: u32,
    ) -> Result<()> {
        let lookup = flags!(Lookupflags(lookup));
        let times = timestamps(accessed, modified, flags!(Fstflags(set)))?;
        let (directory, path) = self.directory_and_path(fd, path, len)?;
        directory.set_times_at(&path, lookup, &times)
    }

    #[expect(clippy::too_many_arguments, reason = "as many as preview 1 has")]
    pub(crate) fn path_link(
        &mut self,
        fd: u32,
        lookup: u32,
        path: u32,
        len: u32,
        other: u32,
        new: u32,
        new_len: u32,
    ) -> Result<()> {
        let lookup = flags!(Lookupflags(lookup));
        let path = self.memory.path(path, len)?;
        let new = self.memory.path(new, new_len)?;
        let from = self.wasi.descriptors.directory(fd)?;
        let to = self.wasi.descriptors.directory(other)?;
        from.link(&path, lookup, to, &new)
    }

    #[expect(clippy::too_many_arguments, reason = "as many as preview 1 has")]
    pub(crate) async fn path_open(
        &mut self,
        fd: u32,
        lookup: u32,
        path: u32,
        len: u32,
        oflags: u32,
        rights: u64,
        inheriting: u64,
        flags: u32,
        to: u32,
    ) -> Result<()> {
        let lookup = flags!(Lookupflags(lookup));
        let oflags = flags!(Oflags(oflags));
        let flags = flags!(Fdflags(flags));
        let rights = flags!(Rights(rights));
        flags!(Rights(inheriting));
        let path = self.memory.path(path, len)?;
        self.memory.check(to, 4)?;
        let descriptors = &mut self.wasi.descriptors;
        let directory = descriptors.directory(fd)?;
        // Checked before a file is created or truncated.
        descriptors.check_room()?;
        let opened = directory.open(&path, lookup, oflags, rights, flags).await?;
        let opened = descriptors.push(match opened {
            Opened::Directory(directory) => Descriptor::Directory(directory),
            Opened::File(file) => Descriptor::File(file),
        })?;
        self.memory.set_u32(to, opened)
    }

    pub(crate) fn path_readlink(
        &mut self,
        fd: u32,
        path: u32,
        len: u32,
        to: u32,
        to_len: u32,
        used: u32,
    ) -> Result<()> {
        let (directory, path) = self.directory_and_path(fd, path, len)?;
        let target = directory.dir().read_link(path)?;
        let target = target.to_str().ok_or(Errno::Ilseq)?.as_bytes();
        let target = &target[..target.len().min(to_len as usize)];
        self.memory.write(to, target)?;
        self.memory.set_u32(used, target.len() as u32)
    }

    pub(crate) fn path_remove_directory(&mut self, fd: u32, path: u32, len: u32) -> Result<()> {
        let (directory, path) = self.directory_and_path(fd, path, len)?;
        directory.remove_directory(&path)
    }

    pub(crate) fn path_rename(
        &mut self,
        fd: u32,
        path: u32,
        len: u32,
        other: u32,
        new: u32,
        new_len: u32,
    ) -> Result<()> {
        let path = self.memory.path(path, len)?;
        let new = self.memory.path(new, new_len)?;
        let from = self.wasi.descriptors.directory(fd)?;
        let to = self.wasi.descriptors.directory(other)?;
        from.rename(&path, to, &new)
    }

    pub(crate) fn path_symlink(
        &mut self,
        target: u32,
        target_len: u32,
        fd: u32,
        path: u32,
        len: u32,
    ) -> Result<()> {
        let target = self.memory.path(target, target_len)?;
        let (directory, path) = self.directory_and_path(fd, path, len)?;
        Ok(directory.writable_dir()?.symlink(target, path)?)
    }

    pub(crate) fn path_unlink_file(&mut self, fd: u32, path: u32, len: u32) -> Result<()> {
        let (directory, path) = self.directory_and_path(fd, path, len)?;
        directory.unlink(&path)
    }
}
