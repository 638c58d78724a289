//! Text files that commands read and write.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use anyhow::Context as _;
use serde::de::DeserializeOwned;

/// The text of a file, without the byte order mark that some editors put at the start.
///
/// # Errors
///
/// When the file cannot be read or is not UTF-8.
pub fn read(path: &Path) -> io::Result<String> {
    let mut text = fs::read_to_string(path)?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

/// Reads a report that an earlier run has written as JSON.
///
/// # Errors
///
/// When the file cannot be read, or has no such report.
pub fn read_json<R: DeserializeOwned>(path: &Path) -> anyhow::Result<R> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no report", path.display()))
}

/// Checks that a file can be written, before the work of which it gets the results. A file that is not there is made.
///
/// # Errors
///
/// When the file system does not let it.
pub fn check_writable(path: &Path) -> anyhow::Result<()> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.map(drop)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Writes a file.
///
/// # Errors
///
/// When the file system does not let it.
pub fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
