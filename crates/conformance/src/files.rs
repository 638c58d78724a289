//! Files that commands write.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

/// Writes a file, and makes the folders that lead to it.
///
/// # Errors
///
/// When the file system does not let it.
pub fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
