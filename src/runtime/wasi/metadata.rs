//! The metadata of files for guests.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use cap_fs_ext::FileTypeExt as _;
use cap_std::fs::{FileType, Metadata, MetadataExt as _};
use wasmtime_wasi::p1::types::{Filestat, Filetype, Timestamp};

/// Returns the type of a file. Preview 1 has no type for pipes.
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

/// Returns the inode number for guests. Guests see all files on one device, so the number includes the device.
pub(super) fn inode(device: u64, inode: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (device, inode).hash(&mut hasher);
    hasher.finish()
}

/// `ctim` is the time of the last change of the file's status. In wasmtime-wasi it is the time of creation.
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

/// Returns a time in nanoseconds. A time before 1970 is 0, since preview 1 cannot represent it.
fn timestamp(seconds: i64, nanoseconds: i64) -> Timestamp {
    let Ok(seconds) = Timestamp::try_from(seconds) else {
        return 0;
    };
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds.unsigned_abs())
}
