//! What guests are told of files.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use cap_fs_ext::FileTypeExt as _;
use cap_std::fs::{FileType, Metadata, MetadataExt as _};
use wasmtime_wasi::p1::types::{Filestat, Filetype, Timestamp};

/// The kind of a file. Preview 1 has none for pipes.
pub(super) fn filetype(kind: FileType) -> Filetype {
    if kind.is_dir() {
        Filetype::Directory
    } else if kind.is_file() {
        Filetype::RegularFile
    } else if kind.is_symlink() {
        Filetype::SymbolicLink
    } else if kind.is_block_device() {
        Filetype::BlockDevice
    } else if kind.is_char_device() {
        Filetype::CharacterDevice
    } else if kind.is_socket() {
        Filetype::SocketStream
    } else {
        Filetype::Unknown
    }
}

/// The number of a file that guests see. All files seem to be on one device, so it stands for the
/// device too.
pub(super) fn inode(device: u64, inode: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (device, inode).hash(&mut hasher);
    hasher.finish()
}

/// `ctim` is when the file's status has changed last; wasmtime-wasi has when it was created.
pub(super) fn filestat(metadata: &Metadata) -> Filestat {
    Filestat {
        dev: 1,
        ino: inode(metadata.dev(), metadata.ino()),
        filetype: filetype(metadata.file_type()),
        nlink: metadata.nlink(),
        size: metadata.size(),
        atim: timestamp(metadata.atime(), metadata.atime_nsec()),
        mtim: timestamp(metadata.mtime(), metadata.mtime_nsec()),
        ctim: timestamp(metadata.ctime(), metadata.ctime_nsec()),
    }
}

/// A time in nanoseconds, the nearest that there is: preview 1 has none before 1970.
fn timestamp(seconds: i64, nanoseconds: i64) -> Timestamp {
    let Ok(seconds) = Timestamp::try_from(seconds) else {
        return 0;
    };
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds.unsigned_abs())
}
