//! The listing of folders.
//!
//! Preview 1 lists a folder in pieces. Each piece starts at a cookie that the guest got with the previous entry.
//! The system is asked for each entry only once, and the last entries are kept, so that an entry keeps its cookie
//! when the guest reads it again. Files that are deleted or created in the meantime do not move other entries.
//! wasmtime-wasi lists the folder again for each piece, so it skips entries (bytecodealliance/wasmtime#11701) and
//! takes time in proportion to the square of their number.

use std::collections::VecDeque;

use rustix::fs::{Dir as Entries, FileType};
use wasmtime_wasi::p1::types::{Dirent, Errno, Filetype};

use super::descriptors;
use super::directory::Directory;
use super::errno::{Failure, Result};
use super::memory::Memory;
use super::metadata::{filestat, filetype, inode};
use crate::runtime::engine::interrupt::Interrupt;
use crate::runtime::engine::quota::Share;

/// The size of an entry without its name, in bytes.
const HEADER_BYTES: u32 = 24;

/// The number of entries that are read between two checks for an interrupt.
const ENTRIES_PER_CHECK: u64 = 1024;

/// The number of the entries `.` and `..`, which come first.
const DOTS: u64 = 2;

/// The state of a listing.
pub(super) struct Listing {
    /// The iterator over the entries not read yet; `None` at the end.
    rest: Option<Entries>,
    /// The last entries that were read.
    kept: VecDeque<Entry>,
    /// The cookie of the first kept entry.
    first: u64,
    /// The number of entries that the system has returned, including the ones that are hidden from guests.
    read: u64,
    device: u64,
    /// For the descriptor of the system's listing.
    _share: Share,
}

struct Entry {
    name: String,
    inode: u64,
    filetype: Filetype,
}

impl Listing {
    fn new(directory: &Directory) -> Result<Self> {
        use cap_std::fs::MetadataExt as _;
        let share = descriptors::share()?;
        Ok(Self {
            rest: Some(Entries::read_from(directory.dir())?),
            kept: VecDeque::new(),
            first: DOTS,
            read: 0,
            device: directory.metadata()?.dev(),
            _share: share,
        })
    }

    /// Returns the number of kept entries.
    pub(super) fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Returns the entry with this cookie, which must not be before the first kept entry. Returns `None` after the
    /// last entry.
    fn entry(
        &mut self,
        number: u64,
        directory: &Directory,
        cap: usize,
        interrupt: &Interrupt,
    ) -> Result<Option<&Entry>> {
        while self.first + self.kept.len() as u64 <= number {
            let Some(entry) = self.read(directory, interrupt)? else {
                return Ok(None);
            };
            while self.kept.len() >= cap.max(1) {
                self.kept.pop_front();
                self.first += 1;
            }
            self.kept.push_back(entry);
        }
        Ok(self.kept.get((number - self.first) as usize))
    }

    /// Reads the next entry. An entry whose name is not UTF-8 is skipped, since no path of a guest can contain it.
    fn read(&mut self, directory: &Directory, interrupt: &Interrupt) -> Result<Option<Entry>> {
        while let Some(rest) = &mut self.rest {
            self.read += 1;
            if self.read.is_multiple_of(ENTRIES_PER_CHECK)
                && let Some(due) = interrupt.due()
            {
                return Err(Failure::End(due));
            }
            let Some(entry) = rest.read() else {
                self.rest = None;
                break;
            };
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if name == "." || name == ".." {
                continue;
            }
            let filetype = match entry.file_type() {
                FileType::RegularFile => Filetype::RegularFile,
                FileType::Directory => Filetype::Directory,
                FileType::Symlink => Filetype::SymbolicLink,
                FileType::Socket => Filetype::SocketStream,
                FileType::CharacterDevice => Filetype::CharacterDevice,
                FileType::BlockDevice => Filetype::BlockDevice,
                FileType::Fifo => Filetype::Unknown,
                // Not every file system returns the type.
                FileType::Unknown => match directory.dir().symlink_metadata(name) {
                    Ok(metadata) => filetype(metadata.file_type()),
                    Err(_) => Filetype::Unknown,
                },
            };
            return Ok(Some(Entry {
                name: name.to_owned(),
                inode: inode(self.device, entry.ino()),
                filetype,
            }));
        }
        Ok(None)
    }
}

/// Writes entries from `cookie` on to `to`, until the space or the entries end. Returns the number of bytes. The
/// last entry may be truncated.
pub(super) fn list(
    directory: &mut Directory,
    memory: &mut Memory<'_>,
    to: u32,
    len: u32,
    cookie: u64,
    cap: usize,
    interrupt: &Interrupt,
) -> Result<u32> {
    memory.check(to, len.into())?;
    let kept = directory.listing.take();
    // The folder is listed again from the start, or if the entry is not kept any more.
    let mut listing = match kept {
        Some(listing) if cookie > 0 && cookie.max(DOTS) >= listing.first => listing,
        _ => Listing::new(directory)?,
    };
    let mut used = 0;
    let mut number = cookie;
    while used < len {
        let (name, inode, filetype) = match number {
            0 | 1 => {
                let name = if number == 0 { "." } else { ".." };
                let inode = filestat(&directory.metadata()?).ino;
                (name, inode, Filetype::Directory)
            }
            _ => match listing.entry(number, directory, cap, interrupt)? {
                Some(entry) => (&*entry.name, entry.inode, entry.filetype),
                None => break,
            },
        };
        number = number.checked_add(1).ok_or(Errno::Inval)?;
        used += write(
            memory,
            to + used,
            len - used,
            &Dirent {
                d_next: number,
                d_ino: inode,
                d_namlen: name.len() as u32,
                d_type: filetype,
            },
            name,
        )?;
    }
    directory.listing = Some(listing);
    Ok(used)
}

/// Writes an entry, truncated to the space. Returns the number of bytes.
fn write(memory: &mut Memory<'_>, to: u32, room: u32, entry: &Dirent, name: &str) -> Result<u32> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES as usize + name.len());
    bytes.extend(entry.d_next.to_le_bytes());
    bytes.extend(entry.d_ino.to_le_bytes());
    bytes.extend(entry.d_namlen.to_le_bytes());
    bytes.extend([entry.d_type as u8, 0, 0, 0]);
    bytes.extend(name.as_bytes());
    bytes.truncate(room as usize);
    memory.write(to, &bytes)?;
    Ok(bytes.len() as u32)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt as _;

    use cap_std::ambient_authority;
    use cap_std::fs::Dir;
    use wiggle::GuestMemory;

    use super::*;

    /// The interrupt is checked for all names, including the names that are hidden from guests.
    #[test]
    fn an_interrupt_ends_a_listing() {
        let folder = std::env::temp_dir().join(format!("ext_wasm-listing-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let dir = |name: &str| {
            let path = folder.join(name);
            fs::create_dir_all(&path).unwrap();
            (path.clone(), move || {
                let dir = Dir::open_ambient_dir(&path, ambient_authority()).unwrap();
                let share = descriptors::share().unwrap();
                Directory::preopen(&dir, String::new(), true, share).unwrap()
            })
        };
        let (valid, open_valid) = dir("valid");
        let (invalid, open_invalid) = dir("invalid");
        for number in 0..=ENTRIES_PER_CHECK {
            fs::write(valid.join(number.to_string()), "").unwrap();
            let name = [b"\xff", number.to_string().as_bytes()].concat();
            if fs::write(invalid.join(OsStr::from_bytes(&name)), "").is_err() {
                println!("the file system has no such names");
                break;
            }
        }
        let interrupt = Interrupt::default();
        interrupt.begin(1, None);
        let mut bytes = vec![0; 100];
        let mut list = |directory: &mut Directory, cookie| {
            let mut memory = Memory(GuestMemory::Unshared(&mut bytes));
            super::list(directory, &mut memory, 0, 100, cookie, 1, &interrupt)
        };
        assert!(list(&mut open_valid(), 2 * ENTRIES_PER_CHECK).is_ok());
        interrupt.abort(1);
        for mut directory in [open_valid(), open_invalid()] {
            let listed = list(&mut directory, 2 * ENTRIES_PER_CHECK);
            assert!(matches!(listed, Err(Failure::End(_))), "{listed:?}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
