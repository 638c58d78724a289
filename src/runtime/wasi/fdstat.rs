//! The type, flags and rights of descriptors.

use wasmtime_wasi::p1::types::{Errno, Fdflags, Fdstat, Filetype, Rights};

use super::call::{Call, flags};
use super::descriptors::Descriptor;
use super::errno::Result;
use super::streams::{Input, Output};

impl Call<'_> {
    pub(crate) fn fd_fdstat_get(&mut self, fd: u32, to: u32) -> Result<()> {
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

    pub(crate) fn fd_fdstat_set_flags(&mut self, fd: u32, flags: u32) -> Result<()> {
        let flags = flags!(Fdflags(flags));
        match self.wasi.descriptors.get_mut(fd)? {
            Descriptor::File(file) => return file.change_flags(flags),
            Descriptor::Input(Input { flags: own, .. })
            | Descriptor::Output(Output { flags: own, .. }) => *own = flags,
            Descriptor::Directory(_) => return Err(Errno::Badf.into()),
        }
        Ok(())
    }

    /// Not supported, as in wasmtime-wasi: rights that a guest gives up are no protection.
    pub(crate) fn fd_fdstat_set_rights(
        &mut self,
        fd: u32,
        base: u64,
        inheriting: u64,
    ) -> Result<()> {
        flags!(Rights(base));
        flags!(Rights(inheriting));
        self.wasi.descriptors.get(fd)?;
        Err(Errno::Notsup.into())
    }
}

/// The rights of a preopen, as C libraries expect them.
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

/// The rights of files in a preopen.
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
