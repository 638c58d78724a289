//! The functions of preview 1, by name.

use rustix::fs::SeekFrom;
use wasmtime::{Caller, Linker};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p1::types::{
    Advice, Errno, Fdflags, Fdstat, Filestat, Filetype, Fstflags, Lookupflags, Oflags, Riflags,
    Rights, Sdflags, Whence,
};

use super::call::{self, Call, Preview};
use super::descriptors::Descriptor;
use super::directory::Opened;
use super::errno::Result;
use super::file::{At, timestamps};
use super::listing;
use super::metadata::filestat;
use super::streams::{Input, Output};
use crate::runtime::store::StoreData;

/// Puts the functions of both previews into the linker, under the names of [`super::WASI_MODULES`].
pub(super) fn add_to_linker(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    for (module, preview) in super::WASI_MODULES
        .into_iter()
        .zip([Preview::One, Preview::Zero])
    {
        macro_rules! add {
            ($($name:ident($($arg:ident: $ty:ty),*);)*) => {$(
                linker.func_wrap(
                    module,
                    stringify!($name),
                    move |mut caller: Caller<'_, StoreData>, $($arg: $ty),*| {
                        call::now(&mut caller, preview, |call| call.$name($($arg),*))
                    },
                )?;
            )*};
        }
        macro_rules! add_waiting {
            ($($name:ident($($arg:ident: $ty:ty),*);)*) => {$(
                linker.func_wrap(
                    module,
                    stringify!($name),
                    move |mut caller: Caller<'_, StoreData>, $($arg: $ty),*| {
                        call::waiting(&mut caller, preview, async |call| {
                            call.$name($($arg),*).await
                        })
                    },
                )?;
            )*};
        }
        add! {
            args_get(list: u32, strings: u32);
            args_sizes_get(count: u32, size: u32);
            clock_res_get(clock: u32, to: u32);
            clock_time_get(clock: u32, precision: u64, to: u32);
            environ_get(list: u32, strings: u32);
            environ_sizes_get(count: u32, size: u32);
            fd_advise(fd: u32, offset: u64, len: u64, advice: u32);
            fd_allocate(fd: u32, offset: u64, len: u64);
            fd_close(fd: u32);
            fd_datasync(fd: u32);
            fd_fdstat_get(fd: u32, to: u32);
            fd_fdstat_set_flags(fd: u32, flags: u32);
            fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64);
            fd_filestat_get(fd: u32, to: u32);
            fd_filestat_set_size(fd: u32, size: u64);
            fd_filestat_set_times(fd: u32, accessed: u64, modified: u64, set: u32);
            fd_prestat_dir_name(fd: u32, to: u32, len: u32);
            fd_prestat_get(fd: u32, to: u32);
            fd_readdir(fd: u32, to: u32, len: u32, cookie: u64, used: u32);
            fd_renumber(fd: u32, other: u32);
            fd_seek(fd: u32, offset: i64, whence: u32, to: u32);
            fd_sync(fd: u32);
            fd_tell(fd: u32, to: u32);
            path_create_directory(fd: u32, path: u32, len: u32);
            path_filestat_get(fd: u32, lookup: u32, path: u32, len: u32, to: u32);
            path_filestat_set_times(
                fd: u32, lookup: u32, path: u32, len: u32, accessed: u64, modified: u64, set: u32
            );
            path_link(
                fd: u32, lookup: u32, path: u32, len: u32, other: u32, new: u32, new_len: u32
            );
            path_readlink(fd: u32, path: u32, len: u32, to: u32, to_len: u32, used: u32);
            path_remove_directory(fd: u32, path: u32, len: u32);
            path_rename(fd: u32, path: u32, len: u32, other: u32, new: u32, new_len: u32);
            path_symlink(target: u32, target_len: u32, fd: u32, path: u32, len: u32);
            path_unlink_file(fd: u32, path: u32, len: u32);
            proc_raise(signal: u32);
            random_get(to: u32, len: u32);
            sched_yield();
            sock_recv(fd: u32, iovs: u32, count: u32, flags: u32, read: u32, answer: u32);
            sock_send(fd: u32, iovs: u32, count: u32, flags: u32, written: u32);
            sock_shutdown(fd: u32, how: u32);
        }
        add_waiting! {
            fd_pread(fd: u32, iovs: u32, count: u32, offset: u64, read: u32);
            fd_pwrite(fd: u32, iovs: u32, count: u32, offset: u64, written: u32);
            fd_read(fd: u32, iovs: u32, count: u32, read: u32);
            fd_write(fd: u32, iovs: u32, count: u32, written: u32);
            path_open(
                fd: u32, lookup: u32, path: u32, len: u32, how: u32, rights: u64,
                inheriting: u64, flags: u32, to: u32
            );
            poll_oneoff(subscriptions: u32, events: u32, count: u32, to: u32);
        }
        if preview == Preview::One {
            add! {
                sock_accept(fd: u32, flags: u32, to: u32);
            }
        }
        linker.func_wrap(module, "proc_exit", exit)?;
    }
    Ok(())
}

/// `proc_exit`. wasmtime-wasi refuses a status of 126 and more, to which shells give a meaning
/// (WebAssembly/WASI#551); `exit(-1)` is common.
fn exit(status: i32) -> wasmtime::Result<()> {
    Err(I32Exit(status).into())
}

/// Flags of a type, of a number that may be wider than they are.
///
/// # Errors
/// `EINVAL` for flags that there are not.
macro_rules! flags {
    ($type:ident($value:expr)) => {
        $type::try_from($value.cast_signed())?
    };
}

/// Of open files.
impl Call<'_> {
    fn fd_advise(&mut self, fd: u32, offset: u64, len: u64, advice: u32) -> Result<()> {
        let advice = flags!(Advice(advice));
        match self.wasi.descriptors.get(fd)? {
            Descriptor::File(file) => file.advise(offset, len, advice),
            Descriptor::Directory(_) => Err(Errno::Badf.into()),
            Descriptor::Input(_) | Descriptor::Output(_) => Err(Errno::Spipe.into()),
        }
    }

    /// Not supported, as in wasmtime-wasi: few systems can do it.
    fn fd_allocate(&mut self, fd: u32, _offset: u64, _len: u64) -> Result<()> {
        Err(match self.wasi.descriptors.get(fd)? {
            Descriptor::File(_) => Errno::Notsup,
            Descriptor::Directory(_) => Errno::Badf,
            Descriptor::Input(_) | Descriptor::Output(_) => Errno::Spipe,
        }
        .into())
    }

    fn fd_close(&mut self, fd: u32) -> Result<()> {
        self.wasi.descriptors.close(fd)?;
        Ok(())
    }

    fn fd_datasync(&mut self, fd: u32) -> Result<()> {
        self.sync(fd, true)
    }

    fn fd_sync(&mut self, fd: u32) -> Result<()> {
        self.sync(fd, false)
    }

    /// A folder can be synchronized too, with which programs make sure that a new file is found again.
    fn sync(&mut self, fd: u32, data: bool) -> Result<()> {
        match self.wasi.descriptors.get(fd)? {
            Descriptor::File(file) => Ok(file.sync(data)?),
            Descriptor::Directory(directory) => Ok(rustix::fs::fsync(directory.dir())?),
            Descriptor::Input(_) | Descriptor::Output(_) => Err(Errno::Inval.into()),
        }
    }

    fn fd_fdstat_get(&mut self, fd: u32, to: u32) -> Result<()> {
        let none = Fdflags::empty();
        let (fs_filetype, fs_flags, fs_rights_base, fs_rights_inheriting) =
            match self.wasi.descriptors.get(fd)? {
                Descriptor::Input(input) => {
                    let rights = Rights::FD_READ | Rights::POLL_FD_READWRITE;
                    (input.filetype(), input.flags, rights, rights)
                }
                Descriptor::Output(output) => {
                    let rights = Rights::FD_WRITE | Rights::POLL_FD_READWRITE;
                    (output.filetype(), output.flags, rights, rights)
                }
                Descriptor::File(file) => {
                    (file.filetype(), file.flags(), file.rights(), file.rights())
                }
                Descriptor::Directory(directory) if directory.preopened_as().is_some() => (
                    Filetype::Directory,
                    none,
                    directory_rights(),
                    directory_rights() | file_rights(),
                ),
                Descriptor::Directory(_) => {
                    let rights = Rights::all()
                        & !(Rights::FD_SEEK
                            | Rights::FD_WRITE
                            | Rights::FD_FILESTAT_SET_SIZE
                            | Rights::PATH_FILESTAT_SET_SIZE);
                    (Filetype::Directory, none, rights, rights)
                }
            };
        let stat = Fdstat {
            fs_filetype,
            fs_flags,
            fs_rights_base,
            fs_rights_inheriting,
        };
        let mut bytes = [0; 24];
        bytes[0] = stat.fs_filetype as u8;
        bytes[2..4].copy_from_slice(&stat.fs_flags.bits().to_le_bytes());
        bytes[8..16].copy_from_slice(&stat.fs_rights_base.bits().to_le_bytes());
        bytes[16..].copy_from_slice(&stat.fs_rights_inheriting.bits().to_le_bytes());
        self.memory.write(to, &bytes)
    }

    fn fd_fdstat_set_flags(&mut self, fd: u32, flags: u32) -> Result<()> {
        let flags = flags!(Fdflags(flags));
        match self.wasi.descriptors.get_mut(fd)? {
            Descriptor::File(file) => return file.change_flags(flags),
            Descriptor::Input(Input { flags: own, .. })
            | Descriptor::Output(Output { flags: own, .. }) => *own = flags,
            Descriptor::Directory(_) => return Err(Errno::Badf.into()),
        }
        Ok(())
    }

    /// Not supported, as in wasmtime-wasi: rights that are taken away are no fence.
    fn fd_fdstat_set_rights(&mut self, fd: u32, base: u64, inheriting: u64) -> Result<()> {
        flags!(Rights(base));
        flags!(Rights(inheriting));
        self.wasi.descriptors.get(fd)?;
        Err(Errno::Notsup.into())
    }

    fn fd_filestat_get(&mut self, fd: u32, to: u32) -> Result<()> {
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

    fn write_filestat(&mut self, to: u32, stat: &Filestat) -> Result<()> {
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

    fn fd_filestat_set_size(&mut self, fd: u32, size: u64) -> Result<()> {
        match self.wasi.descriptors.get(fd)? {
            Descriptor::File(file) => file.set_size(size),
            _ => Err(Errno::Inval.into()),
        }
    }

    fn fd_filestat_set_times(
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

    async fn fd_read(&mut self, fd: u32, iovs: u32, count: u32, read: u32) -> Result<()> {
        let iovs = self.memory.iovs(iovs, count)?;
        self.memory.check(read, 4)?;
        let memory = &mut self.memory;
        let done = match self.wasi.descriptors.get_mut(fd)? {
            Descriptor::Input(input) => input.read(memory, &iovs).await?,
            Descriptor::File(file) => file.read(memory, &iovs, At::Cursor, self.interrupt).await?,
            Descriptor::Directory(_) => return Err(Errno::Isdir.into()),
            Descriptor::Output(_) => return Err(Errno::Badf.into()),
        };
        self.memory.set_u32(read, done)
    }

    async fn fd_pread(
        &mut self,
        fd: u32,
        iovs: u32,
        count: u32,
        offset: u64,
        read: u32,
    ) -> Result<()> {
        let iovs = self.memory.iovs(iovs, count)?;
        self.memory.check(read, 4)?;
        let at = At::Offset(offset);
        let done = match self.wasi.descriptors.get(fd)? {
            Descriptor::File(file) => {
                file.read(&mut self.memory, &iovs, at, self.interrupt)
                    .await?
            }
            Descriptor::Directory(_) => return Err(Errno::Isdir.into()),
            Descriptor::Input(_) => return Err(Errno::Spipe.into()),
            Descriptor::Output(_) => return Err(Errno::Badf.into()),
        };
        self.memory.set_u32(read, done)
    }

    async fn fd_write(&mut self, fd: u32, iovs: u32, count: u32, written: u32) -> Result<()> {
        let iovs = self.memory.iovs(iovs, count)?;
        self.memory.check(written, 4)?;
        let memory = &self.memory;
        let done = match self.wasi.descriptors.get(fd)? {
            Descriptor::Output(output) => output.write(memory, &iovs).await?,
            Descriptor::File(file) => {
                file.write(memory, &iovs, At::Cursor, self.interrupt)
                    .await?
            }
            Descriptor::Input(_) | Descriptor::Directory(_) => return Err(Errno::Badf.into()),
        };
        self.memory.set_u32(written, done)
    }

    async fn fd_pwrite(
        &mut self,
        fd: u32,
        iovs: u32,
        count: u32,
        offset: u64,
        written: u32,
    ) -> Result<()> {
        let iovs = self.memory.iovs(iovs, count)?;
        self.memory.check(written, 4)?;
        let at = At::Offset(offset);
        let done = match self.wasi.descriptors.get(fd)? {
            Descriptor::File(file) => file.write(&self.memory, &iovs, at, self.interrupt).await?,
            Descriptor::Output(_) => return Err(Errno::Spipe.into()),
            Descriptor::Input(_) | Descriptor::Directory(_) => return Err(Errno::Badf.into()),
        };
        self.memory.set_u32(written, done)
    }

    fn fd_renumber(&mut self, fd: u32, other: u32) -> Result<()> {
        self.wasi.descriptors.renumber(fd, other)
    }

    fn fd_seek(&mut self, fd: u32, offset: i64, whence: u32, to: u32) -> Result<()> {
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

    fn fd_tell(&mut self, fd: u32, to: u32) -> Result<()> {
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
}

/// Of folders, and of what is in them.
impl Call<'_> {
    fn fd_prestat_get(&mut self, fd: u32, to: u32) -> Result<()> {
        let length = self.preopen(fd)?.ok_or(Errno::Badf)?.len() as u32;
        // Of the kind 0, which is the only one.
        self.memory.set_u32(to, 0)?;
        self.memory.set_u32(to.wrapping_add(4), length)
    }

    fn fd_prestat_dir_name(&mut self, fd: u32, to: u32, len: u32) -> Result<()> {
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

    fn fd_readdir(&mut self, fd: u32, to: u32, len: u32, cookie: u64, used: u32) -> Result<()> {
        self.memory.check(used, 4)?;
        let cap = self.wasi.max_listing_entries;
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

    fn path_create_directory(&mut self, fd: u32, path: u32, len: u32) -> Result<()> {
        let path = self.memory.path(path, len)?;
        let directory = self.wasi.descriptors.directory(fd)?;
        Ok(directory.changeable()?.create_dir(path)?)
    }

    fn path_filestat_get(
        &mut self,
        fd: u32,
        lookup: u32,
        path: u32,
        len: u32,
        to: u32,
    ) -> Result<()> {
        let lookup = flags!(Lookupflags(lookup));
        let path = self.memory.path(path, len)?;
        let directory = self.wasi.descriptors.directory(fd)?;
        let stat = filestat(&directory.metadata_at(&path, lookup)?);
        self.write_filestat(to, &stat)
    }

    #[expect(clippy::too_many_arguments, reason = "as many as preview 1 has")]
    fn path_filestat_set_times(
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
        let path = self.memory.path(path, len)?;
        let directory = self.wasi.descriptors.directory(fd)?;
        directory.set_times_at(&path, lookup, &times)
    }

    #[expect(clippy::too_many_arguments, reason = "as many as preview 1 has")]
    fn path_link(
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
    async fn path_open(
        &mut self,
        fd: u32,
        lookup: u32,
        path: u32,
        len: u32,
        how: u32,
        rights: u64,
        inheriting: u64,
        flags: u32,
        to: u32,
    ) -> Result<()> {
        let lookup = flags!(Lookupflags(lookup));
        let how = flags!(Oflags(how));
        let flags = flags!(Fdflags(flags));
        let rights = flags!(Rights(rights));
        flags!(Rights(inheriting));
        let path = self.memory.path(path, len)?;
        self.memory.check(to, 4)?;
        let descriptors = &mut self.wasi.descriptors;
        let directory = descriptors.directory(fd)?;
        // Before it makes a file or cuts one off.
        descriptors.room()?;
        let opened = directory.open(&path, lookup, how, rights, flags).await?;
        let opened = descriptors.push(match opened {
            Opened::Directory(directory) => Descriptor::Directory(directory),
            Opened::File(file) => Descriptor::File(file),
        })?;
        self.memory.set_u32(to, opened)
    }

    fn path_readlink(
        &mut self,
        fd: u32,
        path: u32,
        len: u32,
        to: u32,
        to_len: u32,
        used: u32,
    ) -> Result<()> {
        let path = self.memory.path(path, len)?;
        let directory = self.wasi.descriptors.directory(fd)?;
        let target = directory.dir().read_link(path)?;
        let target = target.to_str().ok_or(Errno::Ilseq)?.as_bytes();
        let target = &target[..target.len().min(to_len as usize)];
        self.memory.write(to, target)?;
        self.memory.set_u32(used, target.len() as u32)
    }

    fn path_remove_directory(&mut self, fd: u32, path: u32, len: u32) -> Result<()> {
        let path = self.memory.path(path, len)?;
        self.wasi.descriptors.directory(fd)?.remove_directory(&path)
    }

    fn path_rename(
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

    fn path_symlink(
        &mut self,
        target: u32,
        target_len: u32,
        fd: u32,
        path: u32,
        len: u32,
    ) -> Result<()> {
        let target = self.memory.path(target, target_len)?;
        let path = self.memory.path(path, len)?;
        let directory = self.wasi.descriptors.directory(fd)?;
        Ok(directory.changeable()?.symlink(target, path)?)
    }

    fn path_unlink_file(&mut self, fd: u32, path: u32, len: u32) -> Result<()> {
        let path = self.memory.path(path, len)?;
        self.wasi.descriptors.directory(fd)?.unlink(&path)
    }
}

/// Of sockets, of which guests are given none.
impl Call<'_> {
    fn sock_accept(&mut self, fd: u32, flags: u32, _to: u32) -> Result<()> {
        flags!(Fdflags(flags));
        self.no_socket(fd)
    }

    fn sock_recv(
        &mut self,
        fd: u32,
        _iovs: u32,
        _count: u32,
        flags: u32,
        _read: u32,
        _answer: u32,
    ) -> Result<()> {
        flags!(Riflags(flags));
        self.no_socket(fd)
    }

    fn sock_send(
        &mut self,
        fd: u32,
        _iovs: u32,
        _count: u32,
        flags: u32,
        _written: u32,
    ) -> Result<()> {
        // There are no flags.
        if flags != 0 {
            return Err(Errno::Inval.into());
        }
        self.no_socket(fd)
    }

    fn sock_shutdown(&mut self, fd: u32, how: u32) -> Result<()> {
        flags!(Sdflags(how));
        self.no_socket(fd)
    }

    fn no_socket(&self, fd: u32) -> Result<()> {
        self.wasi.descriptors.get(fd)?;
        Err(Errno::Notsock.into())
    }
}

/// The rights of a folder that guests are given, as libraries expect them.
fn directory_rights() -> Rights {
    Rights::PATH_CREATE_DIRECTORY
        | Rights::PATH_CREATE_FILE
        | Rights::PATH_LINK_SOURCE
        | Rights::PATH_LINK_TARGET
        | Rights::PATH_OPEN
        | Rights::FD_READDIR
        | Rights::FD_SYNC
        | Rights::FD_DATASYNC
        | Rights::PATH_READLINK
        | Rights::PATH_RENAME_SOURCE
        | Rights::PATH_RENAME_TARGET
        | Rights::PATH_SYMLINK
        | Rights::PATH_REMOVE_DIRECTORY
        | Rights::PATH_UNLINK_FILE
        | Rights::PATH_FILESTAT_GET
        | Rights::PATH_FILESTAT_SET_TIMES
        | Rights::FD_FILESTAT_GET
        | Rights::FD_FILESTAT_SET_TIMES
}

/// The rights of the files in it.
fn file_rights() -> Rights {
    Rights::FD_DATASYNC
        | Rights::FD_READ
        | Rights::FD_SEEK
        | Rights::FD_FDSTAT_SET_FLAGS
        | Rights::FD_SYNC
        | Rights::FD_TELL
        | Rights::FD_WRITE
        | Rights::FD_ADVISE
        | Rights::FD_ALLOCATE
        | Rights::FD_FILESTAT_GET
        | Rights::FD_FILESTAT_SET_SIZE
        | Rights::FD_FILESTAT_SET_TIMES
        | Rights::POLL_FD_READWRITE
}
