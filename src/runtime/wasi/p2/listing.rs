//! The listing of folders.
//!
//! wasmtime-wasi reads all entries of a folder when the guest starts to list it. Here each entry is read when the guest asks
//! for it, so that a folder with many entries takes no memory. The system's listing has each entry once, also if others are
//! deleted meanwhile.

use std::fs::File;
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir as Entries, FileType};
use wasmtime_wasi::p2::bindings::sync::filesystem::types::{DescriptorType, DirectoryEntry};
use wasmtime_wasi::p2::{FsError, FsResult};

use crate::runtime::engine::interrupt::Interrupt;
use crate::runtime::engine::quota::Share;

/// The number of entries that are read between two checks for an interrupt.
const ENTRIES_PER_CHECK: u64 = 1024;

/// A folder that is being listed.
pub(super) struct Listing {
    folder: Arc<File>,
    /// The entries not read yet; `None` at the end.
    rest: Option<Entries>,
    /// The number of entries that the system has returned, including the ones that are hidden from guests.
    read: u64,
    /// For the descriptor of the system's listing.
    _share: Share,
}

impl Listing {
    /// Starts to list a folder.
    ///
    /// # Errors
    /// That of the system.
    pub(super) fn new(folder: Arc<File>, share: Share) -> FsResult<Self> {
        let entries = Entries::read_from(&folder).map_err(failed)?;
        Ok(Self {
            folder,
            rest: Some(entries),
            read: 0,
            _share: share,
        })
    }

    /// Reads the next entry. An entry whose name is not UTF-8 is skipped, since no path of a guest can contain it.
    ///
    /// # Errors
    /// That of the system, or the one with which the guest has to end.
    pub(super) fn next(&mut self, interrupt: &Interrupt) -> FsResult<Option<DirectoryEntry>> {
        while let Some(rest) = &mut self.rest {
            self.read += 1;
            if self.read.is_multiple_of(ENTRIES_PER_CHECK)
                && let Some(due) = interrupt.due()
            {
                return Err(FsError::trap(due));
            }
            let Some(entry) = rest.read() else {
                self.rest = None;
                break;
            };
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if name == "." || name == ".." {
                continue;
            }
            let kind = match entry.file_type() {
                // Not every file system returns the type.
                FileType::Unknown => {
                    let stat = rustix::fs::statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW);
                    stat.map_or(FileType::Unknown, |stat| {
                        FileType::from_raw_mode(stat.st_mode)
                    })
                }
                kind => kind,
            };
            return Ok(Some(DirectoryEntry {
                type_: descriptor_type(kind),
                name: name.to_owned(),
            }));
        }
        Ok(None)
    }
}

fn descriptor_type(kind: FileType) -> DescriptorType {
    match kind {
        FileType::RegularFile => DescriptorType::RegularFile,
        FileType::Directory => DescriptorType::Directory,
        FileType::Symlink => DescriptorType::SymbolicLink,
        FileType::Socket => DescriptorType::Socket,
        FileType::CharacterDevice => DescriptorType::CharacterDevice,
        FileType::BlockDevice => DescriptorType::BlockDevice,
        FileType::Fifo => DescriptorType::Fifo,
        FileType::Unknown => DescriptorType::Unknown,
    }
}

fn failed(error: rustix::io::Errno) -> FsError {
    std::io::Error::from(error).into()
}
