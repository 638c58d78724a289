//! The maximum file size of this process (`RLIMIT_FSIZE`).
//!
//! A write beyond it does not only fail: the system sends a signal, which ends the process.

use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{FileType, OFlags};
use rustix::io::{Errno, Result};
use rustix::process::{Resource, getrlimit};

/// Held from the check of a file's size until the write is done. Otherwise two guests that append to the same file
/// could both check the old size, and the second one would write beyond the limit.
static WRITING: Mutex<()> = Mutex::new(());

/// Calls `write`, which writes to `fd` at this offset, or at the cursor.
///
/// # Errors
/// `EFBIG` if the offset is beyond the maximum file size; otherwise as `write`.
pub(super) fn write_within(
    fd: BorrowedFd<'_>,
    offset: Option<u64>,
    write: impl FnOnce() -> Result<usize>,
) -> Result<usize> {
    let Some(max_file_size) = max_file_size() else {
        return write();
    };
    let _lock = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let stat = rustix::fs::fstat(fd)?;
    if FileType::from_raw_mode(stat.st_mode).is_file() {
        let start = if rustix::fs::fcntl_getfl(fd)?.contains(OFlags::APPEND) {
            stat.st_size.cast_unsigned()
        } else {
            match offset {
                Some(offset) => offset,
                None => rustix::fs::tell(fd)?,
            }
        };
        // The system shortens a write that starts before the limit, and returns the error for an offset that is not
        // valid.
        if start >= max_file_size && i64::try_from(start).is_ok() {
            return Err(Errno::FBIG);
        }
    }
    write()
}

/// Sets the size of the file `fd`.
///
/// # Errors
/// `EFBIG` if the size is beyond the maximum file size; otherwise the error of the system.
pub(super) fn truncate_within(fd: BorrowedFd<'_>, size: u64) -> Result<()> {
    let is_too_large = max_file_size().is_some_and(|max_file_size| size > max_file_size);
    if is_too_large && size > rustix::fs::fstat(fd)?.st_size.cast_unsigned() {
        return Err(Errno::FBIG);
    }
    rustix::fs::ftruncate(fd, size)
}

/// Returns the maximum file size; `None` without a limit.
pub(super) fn max_file_size() -> Option<u64> {
    getrlimit(Resource::Fsize).current
}
