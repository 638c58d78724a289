//! The largest file that this process may write (`RLIMIT_FSIZE`).
//!
//! The system does not only refuse a write beyond it: it sends a signal, which ends the process.

use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{FileType, OFlags};
use rustix::io::{Errno, Result};
use rustix::process::{Resource, getrlimit};

/// Held from the question where a file ends until it has been written to: of two guests that append to
/// it, the second would otherwise write where the first has just moved the end to.
static WRITING: Mutex<()> = Mutex::new(());

/// Does `write`, which writes to `fd` at this offset, or else where it is.
///
/// # Errors
/// `EFBIG` if that is beyond the largest file; otherwise as `write`.
pub(super) fn write_within(
    fd: BorrowedFd<'_>,
    offset: Option<u64>,
    write: impl FnOnce() -> Result<usize>,
) -> Result<usize> {
    let Some(largest) = largest() else {
        return write();
    };
    let _turn = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
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
        // The system itself cuts off a write that begins before it, and says what is no offset at all.
        if start >= largest && i64::try_from(start).is_ok() {
            return Err(Errno::FBIG);
        }
    }
    write()
}

/// Gives the file `fd` this size.
///
/// # Errors
/// `EFBIG` if that is beyond the largest file; otherwise what the system says.
pub(super) fn truncate_within(fd: BorrowedFd<'_>, size: u64) -> Result<()> {
    let is_too_large = largest().is_some_and(|largest| size > largest);
    if is_too_large && size > rustix::fs::fstat(fd)?.st_size.cast_unsigned() {
        return Err(Errno::FBIG);
    }
    rustix::fs::ftruncate(fd, size)
}

fn largest() -> Option<u64> {
    getrlimit(Resource::Fsize).current
}
