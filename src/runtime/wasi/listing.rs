//! Listing a folder.
//!
//! Preview 1 lists a folder in pieces, each of which starts at a number that the guest has got with the
//! entry before. The system is asked for the entries once, as they are wanted, and the last ones are
//! kept, so that a guest gets an entry again under the number that it had. What is deleted or made in
//! the meantime moves no other entry. wasmtime-wasi lists the folder anew for each piece, and so skips
//! entries (bytecodealliance/wasmtime#11701) and takes time that grows with the square of their number.

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

/// The size of what stands before the name of an entry, in bytes.
const HEAD: u32 = 24;

/// How many entries are read before it is asked again whether the guest has to end.
const ENTRIES: u64 = 1024;

/// The numbers of `.` and `..`, which come first.
const DOTS: u64 = 2;

/// A folder that is being listed.
pub(super) struct Listing {
    /// The rest of it; `None` if there is none.
    rest: Option<Entries>,
    /// The last entries that were read.
    kept: VecDeque<Entry>,
    /// The number of the first of them.
    first: u64,
    /// How many entries the system has given, those that guests are not told of included.
    read: u64,
    device: u64,
    /// Of the descriptor with which the system lists.
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

    /// How many entries are kept.
    pub(super) fn kept(&self) -> usize {
        self.kept.len()
    }

    /// The entry of this number, which is not before the first that is kept. `None` if there are not
    /// so many.
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

    /// The next entry that guests can be told of: not one whose name is not UTF-8, because no path of
    /// theirs could say it.
    fn read(&mut self, directory: &Directory, interrupt: &Interrupt) -> Result<Option<Entry>> {
        while let Some(rest) = &mut self.rest {
            self.read += 1;
            if self.read.is_multiple_of(ENTRIES)
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
                // Not every file system says it.
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

/// Writes entries from the one of number `cookie` on to `to`, until there is no room or there are no
/// more, and returns how many bytes that are. The last entry may be cut off.
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
    // A listing starts anew at its start, and where the entry is not kept any more.
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

/// Writes one entry, or what there is room for of it, and returns how many bytes that are.
fn write(memory: &mut Memory<'_>, to: u32, room: u32, entry: &Dirent, name: &str) -> Result<u32> {
    let mut bytes = Vec::with_capacity(HEAD as usize + name.len());
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

    /// Whatever the names are, and however many of them no guest is told of.
    #[test]
    fn a_guest_that_has_to_end_lists_no_further() {
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
        for number in 0..=ENTRIES {
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
        assert!(list(&mut open_valid(), 2 * ENTRIES).is_ok());
        interrupt.abort(1);
        for mut directory in [open_valid(), open_invalid()] {
            let listed = list(&mut directory, 2 * ENTRIES);
            assert!(matches!(listed, Err(Failure::End(_))), "{listed:?}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
