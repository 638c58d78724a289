//! Packages: gzipped tar archives, read in memory. Nothing is unpacked to the disk, so the names of entries are only
//! shown.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use anyhow::{Context as _, ensure};
use flate2::bufread::MultiGzDecoder;
use tar::{Archive, Entry};

/// The maximum number of bytes that an archive unpacks to.
pub const MAX_UNPACKED_BYTES: u64 = 1 << 30;

/// The maximum number of entries of an archive.
const MAX_ENTRIES: usize = 200_000;

/// A gzipped file starts with these bytes.
pub const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// An entry of an archive.
pub struct Packed<'a> {
    /// Its number in the archive; two entries can have one name.
    pub index: usize,
    pub name: String,
    entry: Entry<'a, Unpacking>,
}

impl Read for Packed<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.entry.read(to)
    }
}

/// What an archive unpacks to. It fails where that is too much.
struct Unpacking {
    from: MultiGzDecoder<BufReader<File>>,
    left: u64,
}

impl Read for Unpacking {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let length = self.from.read(to)?;
        self.left = self.left.checked_sub(length as u64).ok_or_else(|| {
            io::Error::other(format!(
                "it unpacks to more than {MAX_UNPACKED_BYTES} bytes"
            ))
        })?;
        Ok(length)
    }
}

/// Calls `visit` for each file in an archive, until it returns `false`.
///
/// # Errors
///
/// When the archive cannot be read or is too large, or `visit` fails.
pub fn for_each(
    path: &Path,
    mut visit: impl FnMut(Packed<'_>) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let unpacking = Unpacking {
        from: MultiGzDecoder::new(BufReader::new(File::open(path)?)),
        left: MAX_UNPACKED_BYTES,
    };
    let mut archive = Archive::new(unpacking);
    for (index, entry) in archive.entries()?.enumerate() {
        ensure!(
            index < MAX_ENTRIES,
            "it has more than {MAX_ENTRIES} entries"
        );
        let entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if !visit(Packed { index, name, entry })? {
            break;
        }
    }
    Ok(())
}

/// Reads the file with this number in an archive, at most `most` bytes of it.
///
/// # Errors
///
/// When the archive cannot be read, or has no such file.
pub fn read(path: &Path, index: usize, most: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = None;
    for_each(path, |packed| {
        if packed.index != index {
            return Ok(true);
        }
        let mut read = Vec::new();
        packed.take(most).read_to_end(&mut read)?;
        bytes = Some(read);
        Ok(false)
    })?;
    bytes.with_context(|| format!("the archive has no file {index} any more"))
}
