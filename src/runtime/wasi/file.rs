//! Open files.

use std::fs::File as SystemFile;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

use cap_std::fs::Metadata;
use rustix::fs::{OFlags, SeekFrom, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use wasmtime_wasi::p1::types::{Advice, Errno, Fdflags, Filetype, Fstflags, Rights, Timestamp};

use super::errno::{Failure, Result};
use super::memory::{Iov, Memory, total};
use super::metadata::filetype;
use super::readiness::{self, Direction, Readiness};
use super::size_limit;
use super::streams::when_ready;
use crate::runtime::engine::interrupt::Interrupt;
use crate::runtime::engine::quota::Share;

/// The maximum number of bytes that are read or written between two checks for an interrupt.
const CHUNK: u32 = 16 << 20;

/// The maximum number of bytes that a read into several buffers of a guest copies through one buffer of the host.
/// It then is a single read of the system.
const MAX_GATHERED: u32 = 64 << 10;

/// The position of a read or write in a file.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    /// The cursor, which moves.
    Cursor,
    /// A byte offset. The cursor does not move.
    Offset(u64),
}

/// A file that a guest has opened. Everything except a folder is a file.
#[derive(Debug)]
pub(super) struct File {
    file: SystemFile,
    /// The access that the guest asked for. The system may have opened the file with more, to create it.
    readable: bool,
    writable: bool,
    /// Whether the file is in a folder to which guests have read access only.
    readonly: bool,
    /// The flags that the guest has set. The system's flags differ: its descriptor is always non-blocking.
    flags: Fdflags,
    filetype: Filetype,
    /// Whether a read or write may have to wait: the file is a pipe, a terminal or a socket.
    may_wait: bool,
    seekable: bool,
    _share: Share,
}

impl File {
    /// Takes over an open file.
    ///
    /// # Errors
    /// The error of the system.
    pub(super) fn new(
        file: SystemFile,
        rights: Rights,
        flags: Fdflags,
        readonly: bool,
        share: Share,
    ) -> Result<Self> {
        let metadata = file.metadata()?;
        let kind = metadata.file_type();
        let readable = rights.contains(Rights::FD_READ) || !rights.contains(Rights::FD_WRITE);
        let mut file = Self {
            readable,
            writable: rights.contains(Rights::FD_WRITE),
            readonly,
            flags,
            filetype: filetype(Metadata::from_just_metadata(metadata).file_type()),
            may_wait: !kind.is_file() && !kind.is_block_device(),
            seekable: kind.is_file() || rustix::fs::seek(&file, SeekFrom::Current(0)).is_ok(),
            file,
            _share: share,
        };
        file.set_flags(flags)?;
        Ok(file)
    }

    /// Changes the flags of an open file.
    ///
    /// # Errors
    /// `EINVAL` for flags that can only be set when the file is opened, as in wasmtime-wasi.
    pub(super) fn change_flags(&mut self, flags: Fdflags) -> Result<()> {
        if flags.intersects(Fdflags::DSYNC | Fdflags::RSYNC | Fdflags::SYNC) {
            return Err(Errno::Inval.into());
        }
        self.set_flags(flags)
    }

    fn set_flags(&mut self, flags: Fdflags) -> Result<()> {
        let mut system = OFlags::NONBLOCK;
        system.set(OFlags::APPEND, flags.contains(Fdflags::APPEND));
        rustix::fs::fcntl_setfl(&self.file, system)?;
        self.flags = flags;
        Ok(())
    }

    pub(super) fn flags(&self) -> Fdflags {
        self.flags
    }

    pub(super) fn filetype(&self) -> Filetype {
        self.filetype
    }

    pub(super) fn rights(&self) -> Rights {
        let mut rights = Rights::all();
        if !self.readable {
            rights &= !(Rights::FD_READ | Rights::FD_READDIR);
        }
        if !self.writable {
            rights &= !Rights::FD_WRITE;
        }
        if !self.seekable {
            // C libraries recognise a terminal by the lack of these rights.
            rights &= !(Rights::FD_SEEK | Rights::FD_TELL);
        }
        rights
    }

    pub(super) fn metadata(&self) -> Result<Metadata> {
        Ok(Metadata::from_just_metadata(self.file.metadata()?))
    }

    /// Returns the descriptor to wait for, if a read or write may have to wait.
    pub(super) fn wait_fd(&self) -> Option<BorrowedFd<'_>> {
        self.may_wait.then(|| self.file.as_fd())
    }

    /// Returns the current readiness, and the number of bytes that can be read.
    pub(super) fn readiness(&self, direction: Direction) -> Result<(Readiness, u64)> {
        if self.may_wait {
            let readiness = readiness::now(self.file.as_fd(), direction)?;
            let available = match direction {
                Direction::Read => rustix::io::ioctl_fionread(&self.file).unwrap_or(0),
                Direction::Write => 1,
            };
            return Ok((readiness, available));
        }
        let rest = match direction {
            Direction::Read => {
                let size = self.file.metadata()?.size();
                size.saturating_sub(rustix::fs::tell(&self.file)?)
            }
            Direction::Write => 1,
        };
        let hangup = direction == Direction::Read && rest == 0;
        Ok((
            Readiness {
                ready: true,
                hangup,
            },
            rest,
        ))
    }

    /// Checks the access.
    ///
    /// # Errors
    /// `EBADF` if the file was not opened for it.
    pub(super) fn check_direction(&self, direction: Direction) -> Result<()> {
        let allowed = match direction {
            Direction::Read => self.readable,
            Direction::Write => self.writable,
        };
        Ok(allowed.then_some(()).ok_or(Errno::Badf)?)
    }

    pub(super) async fn read(
        &self,
        memory: &mut Memory<'_>,
        iovs: &[Iov],
        at: At,
        interrupt: &Interrupt,
    ) -> Result<u32> {
        self.check_direction(Direction::Read)?;
        if total(iovs)? == 0 {
            return Ok(0);
        }
        if !self.may_wait {
            match self.read_pieces(memory, iovs, at, interrupt) {
                // Some files with the type of a regular file are streams, for example the kernel's log.
                Err(Failure::Errno(Errno::Again)) => {}
                done => return done,
            }
        }
        self.read_awaited(memory, iovs, at, interrupt).await
    }

    /// Reads until the buffers are full or the file ends.
    fn read_pieces(
        &self,
        memory: &mut Memory<'_>,
        iovs: &[Iov],
        at: At,
        interrupt: &Interrupt,
    ) -> Result<u32> {
        let asked = total(iovs)?;
        if iovs.len() > 1 && asked <= MAX_GATHERED {
            let mut buffer = vec![0; asked as usize];
            let read = self.read_at(&mut buffer, at)?;
            memory.scatter(iovs, &buffer[..read])?;
            return Ok(read as u32);
        }
        let mut read = 0;
        for iov in iovs {
            let mut filled = 0;
            while filled < iov.len {
                if read > 0
                    && let Some(due) = interrupt.due()
                {
                    return Err(Failure::End(due));
                }
                let at = at.advanced_by(read)?;
                let mut asked = 0;
                let piece = (iov.len - filled).min(CHUNK);
                let count = memory.fill(iov.at + filled, piece, |bytes| {
                    asked = bytes.len();
                    self.read_at(bytes, at)
                });
                let count = match count {
                    Ok(count) => count,
                    // The guest gets the bytes read so far. The error occurs again at the next read.
                    Err(Failure::Errno(_)) if read > 0 => return Ok(read),
                    Err(failure) => return Err(failure),
                };
                filled += count;
                read += count;
                if (count as usize) < asked {
                    return Ok(read);
                }
            }
        }
        Ok(read)
    }

    /// Waits for bytes, and reads the available ones.
    async fn read_awaited(
        &self,
        memory: &mut Memory<'_>,
        iovs: &[Iov],
        at: At,
        interrupt: &Interrupt,
    ) -> Result<u32> {
        let mut buffer = vec![0; total(iovs)?.min(MAX_GATHERED) as usize];
        let wait = !self.flags.contains(Fdflags::NONBLOCK);
        let read = match at {
            At::Cursor => {
                when_ready(self.file.as_fd(), Direction::Read, wait, interrupt, || {
                    rustix::io::read(&self.file, &mut *buffer)
                })
                .await?
            }
            // A pipe has no offsets: the system returns the error.
            At::Offset(_) => self.read_at(&mut buffer, at)?,
        };
        memory.scatter(iovs, &buffer[..read])?;
        Ok(read as u32)
    }

    fn read_at(&self, bytes: &mut [u8], at: At) -> Result<usize> {
        Ok(rustix::io::retry_on_intr(|| match at {
            At::Cursor => rustix::io::read(&self.file, &mut *bytes),
            At::Offset(offset) => rustix::io::pread(&self.file, &mut *bytes, offset),
        })?)
    }

    pub(super) async fn write(
        &self,
        memory: &Memory<'_>,
        iovs: &[Iov],
        at: At,
        interrupt: &Interrupt,
    ) -> Result<u32> {
        self.check_direction(Direction::Write)?;
        let asked = total(iovs)?;
        if self.may_wait
            && let At::Cursor = at
        {
            return self.write_awaited(memory, iovs, interrupt).await;
        }
        let mut written = 0;
        loop {
            let pieces = memory.gather(iovs, written, CHUNK)?;
            let slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
            let size: usize = pieces.iter().map(|piece| piece.len()).sum();
            let at = at.advanced_by(written)?;
            let done = rustix::io::retry_on_intr(|| {
                size_limit::write_within(self.file.as_fd(), at.offset(), || match at {
                    At::Cursor => rustix::io::writev(&self.file, &slices),
                    At::Offset(offset) => rustix::io::pwritev(&self.file, &slices, offset),
                })
            });
            match done {
                Ok(count) => {
                    written += count as u32;
                    if count < size || written >= asked {
                        return Ok(written);
                    }
                }
                Err(_) if written > 0 => return Ok(written),
                Err(error) => return Err(error.into()),
            }
            if let Some(due) = interrupt.due() {
                return Err(Failure::End(due));
            }
        }
    }

    /// Writes all bytes, and waits when there is no space.
    async fn write_awaited(
        &self,
        memory: &Memory<'_>,
        iovs: &[Iov],
        interrupt: &Interrupt,
    ) -> Result<u32> {
        let asked = total(iovs)?;
        let wait = !self.flags.contains(Fdflags::NONBLOCK);
        let mut written = 0;
        while written < asked {
            let bytes = memory.gather(iovs, written, MAX_GATHERED)?.concat();
            let count = when_ready(self.file.as_fd(), Direction::Write, wait, interrupt, || {
                rustix::io::write(&self.file, &bytes)
            });
            match count.await {
                Ok(count) => written += count as u32,
                Err(Failure::Errno(_)) if written > 0 => break,
                Err(failure) => return Err(failure),
            }
        }
        Ok(written)
    }

    /// Moves the cursor.
    ///
    /// # Errors
    /// `ESPIPE` for a pipe (bytecodealliance/wasmtime#12913).
    pub(super) fn seek(&self, to: SeekFrom) -> Result<u64> {
        Ok(rustix::fs::seek(&self.file, to)?)
    }

    pub(super) fn set_size(&self, size: u64) -> Result<()> {
        self.check_changeable()?;
        if !self.writable || i64::try_from(size).is_err() {
            return Err(Errno::Inval.into());
        }
        Ok(size_limit::truncate_within(self.file.as_fd(), size)?)
    }

    pub(super) fn set_times(&self, times: &Timestamps) -> Result<()> {
        self.check_changeable()?;
        Ok(rustix::fs::futimens(&self.file, times)?)
    }

    /// Checks that the file may be changed.
    ///
    /// # Errors
    /// `EPERM` if it is in a folder to which guests have read access only.
    fn check_changeable(&self) -> Result<()> {
        if self.readonly {
            return Err(Errno::Perm.into());
        }
        Ok(())
    }

    pub(super) fn sync(&self, data: bool) -> io::Result<()> {
        if data {
            self.file.sync_data()
        } else {
            self.file.sync_all()
        }
    }

    pub(super) fn advise(&self, offset: u64, len: u64, advice: Advice) -> Result<()> {
        if i64::try_from(offset).is_err() || i64::try_from(len).is_err() {
            return Err(Errno::Inval.into());
        }
        if self.may_wait {
            return Err(Errno::Spipe.into());
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use rustix::fs::Advice as System;
            let advice = match advice {
                Advice::Normal => System::Normal,
                Advice::Sequential => System::Sequential,
                Advice::Random => System::Random,
                Advice::Willneed => System::WillNeed,
                Advice::Dontneed => System::DontNeed,
                Advice::Noreuse => System::NoReuse,
            };
            let len = std::num::NonZeroU64::new(len);
            rustix::fs::fadvise(&self.file, offset, len, advice)?;
        }
        // Advice has no effect on the result, so a system without this function does nothing.
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let _ = advice;
        Ok(())
    }
}

impl At {
    fn offset(self) -> Option<u64> {
        match self {
            Self::Cursor => None,
            Self::Offset(offset) => Some(offset),
        }
    }

    /// Returns the position `bytes` bytes further.
    ///
    /// # Errors
    /// `EINVAL` if the offset overflows.
    fn advanced_by(self, bytes: u32) -> Result<Self> {
        match self {
            Self::Cursor => Ok(self),
            Self::Offset(offset) => {
                let offset = offset.checked_add(bytes.into()).ok_or(Errno::Inval)?;
                Ok(Self::Offset(offset))
            }
        }
    }
}

/// Returns the times to set, from the parameters of preview 1.
///
/// # Errors
/// `EINVAL` if a time has the flags of both a given time and the current time.
pub(super) fn timestamps(
    accessed: Timestamp,
    modified: Timestamp,
    flags: Fstflags,
) -> Result<Timestamps> {
    let time = |time: Timestamp, given: Fstflags, now: Fstflags| {
        let special = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
        match (flags.contains(given), flags.contains(now)) {
            (true, true) => Err(Errno::Inval),
            (true, false) => Ok(Timespec {
                tv_sec: (time / 1_000_000_000) as _,
                tv_nsec: (time % 1_000_000_000) as _,
            }),
            (false, true) => Ok(special(UTIME_NOW)),
            (false, false) => Ok(special(UTIME_OMIT)),
        }
    };
    Ok(Timestamps {
        last_access: time(accessed, Fstflags::ATIM, Fstflags::ATIM_NOW)?,
        last_modification: time(modified, Fstflags::MTIM, Fstflags::MTIM_NOW)?,
    })
}
