//! The functions on descriptors.

use rustix::fs::SeekFrom;
use wasmtime_wasi::p1::types::{Advice, Errno, Filestat, Fstflags, Whence};

use super::call::{Call, Preview, flags};
use super::descriptors::Descriptor;
use super::errno::Result;
use super::file::{At, timestamps};
use super::listing;
use super::metadata::filestat;

impl Call<'_> {
    pub(crate) fn fd_advise(&mut self, fd: u32, offset: u64, len: u64, advice: u32) -> Result<()> {
        let advice = flags!(Advice(advice));
        match self.wasi.descriptors.get(fd)? {
            Descriptor::File(file) => file.advise(offset, len, advice),
            Descriptor::Directory(_) => Err(Errno::Badf.into()),
            Descriptor::Input(_) | Descriptor::Output(_) => Err(Errno::Spipe.into()),
        }
    }

    /// Not supported, as in wasmtime-wasi: few systems have this operation.
    pub(crate) fn fd_allocate(&mut self, fd: u32, _offset: u64, _len: u64) -> Result<()> {
        Err(match self.wasi.descriptors.get(fd)? {
            Descriptor::File(_) => Errno::Notsup,
            Descriptor::Directory(_) => Errno::Badf,
            Descriptor::Input(_) | Descriptor::Output(_) => Errno::Spipe,
        }
        .into())
    }

    pub(crate) fn fd_close(&mut self, fd: u32) -> Result<()> {
        self.wasi.descriptors.close(fd)?;
        Ok(())
    }

    pub(crate) fn fd_datasync(&mut self, fd: u32) -> Result<()> {
        self.sync(fd, true)
    }

    pub(crate) fn fd_sync(&mut self, fd: u32) -> Result<()> {
        self.sync(fd, false)
    }

    /// A folder can be synchronised too. Programs use this to make sure that a new file's name is on disk.
    fn sync(&mut self, fd: u32, data: bool) -> Result<()> {
        match self.wasi.descriptors.get(fd)? {
            Descriptor::File(file) => Ok(file.sync(data)?),
            Descriptor::Directory(directory) => Ok(rustix::fs::fsync(directory.dir())?),
            Descriptor::Input(_) | Descriptor::Output(_) => Err(Errno::Inval.into()),
        }
    }

    pub(crate) fn fd_filestat_get(&mut self, fd: u32, to: u32) -> Result<()> {
        let stream = |filetype| Filestat {
            dev: 0,
            ino: 0,
            filetype,
            nlink: 0,
            size: 0,
            atim: 0,
            mtim: 0,
            ctim: 0,
        };
        let stat = match self.wasi.descriptors.get(fd)? {
            Descriptor::Input(input) => stream(input.filetype()),
            Descriptor::Output(output) => stream(output.filetype()),
            Descriptor::File(file) => filestat(&file.metadata()?),
            Descriptor::Directory(directory) => filestat(&directory.metadata()?),
        };
        self.write_filestat(to, &stat)
    }

    pub(crate) fn write_filestat(&mut self, to: u32, stat: &Filestat) -> Result<()> {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend(stat.dev.to_le_bytes());
        bytes.extend(stat.ino.to_le_bytes());
        bytes.push(stat.filetype as u8);
        match self.preview {
            Preview::Zero => {
                bytes.extend([0; 3]);
                let links = u32::try_from(stat.nlink).unwrap_or(u32::MAX);
                bytes.extend(links.to_le_bytes());
            }
            Preview::One => {
                bytes.extend([0; 7]);
                bytes.extend(stat.nlink.to_le_bytes());
            }
        }
        for number in [stat.size, stat.atim, stat.mtim, stat.ctim] {
            bytes.extend(number.to_le_bytes());
        }
        self.memory.write(to, &bytes)
    }

    pub(crate) fn fd_filestat_set_size(&mut self, fd: u32, size: u64) -> Result<()> {
        match self.wasi.descriptors.get(fd)? {
            Descriptor::File(file) => file.set_size(size),
            _ => Err(Errno::Inval.into()),
        }
    }

    pub(crate) fn fd_filestat_set_times(
        &mut self,
        fd: u32,
        accessed: u64,
        modified: u64,
        set: u32,
    ) -> Result<()> {
        let times = timestamps(accessed, modified, flags!(Fstflags(set)))?;
        match self.wasi.descriptors.get(fd)? {
            Descriptor::File(file) => file.set_times(&times),
            Descriptor::Directory(directory) => directory.set_times(&times),
            Descriptor::Input(_) | Descriptor::Output(_) => Err(Errno::Badf.into()),
        }
    }

    pub(crate) async fn fd_read(
        &mut self,
        fd: u32,
        iovs: u32,
        count: u32,
        read: u32,
    ) -> Result<()> {
        self.read(fd, iovs, count, At::Cursor, read).await
    }

    pub(crate) async fn fd_pread(
        &mut self,
        fd: u32,
        iovs: u32,
        count: u32,
        offset: u64,
        read: u32,
    ) -> Result<()> {
        self.read(fd, iovs, count, At::Offset(offset), read).await
    }

    async fn read(&mut self, fd: u32, iovs: u32, count: u32, at: At, read: u32) -> Result<()> {
        let iovs = self.memory.iovs(iovs, count)?;
        self.memory.check(read, 4)?;
        let (memory, interrupt) = (&mut self.memory, self.interrupt);
        let done = match (self.wasi.descriptors.get_mut(fd)?, at) {
            (Descriptor::File(file), at) => file.read(memory, &iovs, at, interrupt).await?,
            (Descriptor::Input(input), At::Cursor) => input.read(memory, &iovs, interrupt).await?,
            (Descriptor::Input(_), At::Offset(_)) => return Err(Errno::Spipe.into()),
            (Descriptor::Directory(_), _) => return Err(Errno::Isdir.into()),
            (Descriptor::Output(_), _) => return Err(Errno::Badf.into()),
        };
        self.memory.set_u32(read, done)
    }

    pub(crate) async fn fd_write(
        &mut self,
        fd: u32,
        iovs: u32,
        count: u32,
        written: u32,
    ) -> Result<()> {
        self.write(fd, iovs, count, At::Cursor, written).await
    }

    pub(crate) async fn fd_pwrite(
        &mut self,
        fd: u32,
        iovs: u32,
        count: u32,
        offset: u64,
        written: u32,
    ) -> Result<()> {
        self.write(fd, iovs, count, At::Offset(offset), written)
            .await
    }

    async fn write(&mut self, fd: u32, iovs: u32, count: u32, at: At, written: u32) -> Result<()> {
        let iovs = self.memory.iovs(iovs, count)?;
        self.memory.check(written, 4)?;
        let (memory, interrupt) = (&self.memory, self.interrupt);
        let done = match (self.wasi.descriptors.get(fd)?, at) {
            (Descriptor::File(file), at) => file.write(memory, &iovs, at, interrupt).await?,
            (Descriptor::Output(output), At::Cursor) => {
                output.write(memory, &iovs, interrupt).await?
            }
            (Descriptor::Output(_), At::Offset(_)) => return Err(Errno::Spipe.into()),
            (Descriptor::Input(_) | Descriptor::Directory(_), _) => {
                return Err(Errno::Badf.into());
            }
        };
        self.memory.set_u32(written, done)
    }

    pub(crate) fn fd_renumber(&mut self, fd: u32, other: u32) -> Result<()> {
        self.wasi.descriptors.renumber(fd, other)
    }

    pub(crate) fn fd_seek(&mut self, fd: u32, offset: i64, whence: u32, to: u32) -> Result<()> {
        let whence = match (self.preview, whence) {
            (Preview::One, 0) | (Preview::Zero, 2) => Whence::Set,
            (Preview::One, 1) | (Preview::Zero, 0) => Whence::Cur,
            (Preview::One, 2) | (Preview::Zero, 1) => Whence::End,
            _ => return Err(Errno::Inval.into()),
        };
        let seek = match whence {
            Whence::Set => SeekFrom::Start(u64::try_from(offset).map_err(|_| Errno::Inval)?),
            Whence::Cur => SeekFrom::Current(offset),
            Whence::End => SeekFrom::End(offset),
        };
        self.memory.check(to, 8)?;
        let position = self.seek(fd, seek)?;
        self.memory.set_u64(to, position)
    }

    pub(crate) fn fd_tell(&mut self, fd: u32, to: u32) -> Result<()> {
        let position = self.seek(fd, SeekFrom::Current(0))?;
        self.memory.set_u64(to, position)
    }

    fn seek(&self, fd: u32, to: SeekFrom) -> Result<u64> {
        match self.wasi.descriptors.get(fd)? {
            Descriptor::File(file) => file.seek(to),
            Descriptor::Directory(_) => Err(Errno::Badf.into()),
            Descriptor::Input(_) | Descriptor::Output(_) => Err(Errno::Spipe.into()),
        }
    }

    pub(crate) fn fd_prestat_get(&mut self, fd: u32, to: u32) -> Result<()> {
        let length = self.preopen(fd)?.ok_or(Errno::Badf)?.len() as u32;
        self.memory.check(to, 8)?;
        // The tag of a folder, which is the only kind of preopen.
        self.memory.set_u32(to, 0)?;
        self.memory.set_u32(to + 4, length)
    }

    pub(crate) fn fd_prestat_dir_name(&mut self, fd: u32, to: u32, len: u32) -> Result<()> {
        let name = self.preopen(fd)?.ok_or(Errno::Notdir)?.to_owned();
        if name.len() > len as usize {
            return Err(Errno::Nametoolong.into());
        }
        self.memory.write(to, name.as_bytes())
    }

    fn preopen(&self, fd: u32) -> Result<Option<&str>> {
        Ok(match self.wasi.descriptors.get(fd)? {
            Descriptor::Directory(directory) => directory.preopened_as(),
            _ => None,
        })
    }

    pub(crate) fn fd_readdir(
        &mut self,
        fd: u32,
        to: u32,
        len: u32,
        cookie: u64,
        used: u32,
    ) -> Result<()> {
        self.memory.check(used, 4)?;
        let others = self.wasi.descriptors.entries_kept_except(fd);
        let cap = self.wasi.max_listing_entries.saturating_sub(others);
        let listed = match self.wasi.descriptors.get_mut(fd)? {
            Descriptor::Directory(directory) => listing::list(
                directory,
                &mut self.memory,
                to,
                len,
                cookie,
                cap,
                self.interrupt,
            )?,
            _ => return Err(Errno::Notdir.into()),
        };
        self.memory.set_u32(used, listed)
    }
}
