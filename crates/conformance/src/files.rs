//! Files that commands write.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

/// Writes a file.
///
/// # Errors
///
/// When the file system does not let it.
pub fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
