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

/// The most bytes that are read or written before it is asked again whether the guest has to end.
const PIECE: u32 = 16 << 20;

/// Up to how many bytes go through a buffer of ours where a guest reads into several of its own, so
/// that it is one read of the system's.
const GATHERED: u32 = 64 << 10;

/// Where in a file to read or write.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    /// Where the last one has ended, which moves.
    Cursor,
    /// At this byte. The cursor stays where it is.
    Offset(u64),
}

/// A file that a guest has opened: all that is no folder.
#[derive(Debug)]
pub(super) struct File {
    file: SystemFile,
    /// What the guest asked for. The system may have opened it for more, to create it.
    readable: bool,
    writable: bool,
    /// It is in a folder that guests may only read.
    readonly: bool,
    /// As the guest has set them. The system's own differ: it never waits for what can be waited for.
    flags: Fdflags,
    filetype: Filetype,
    /// A pipe, a terminal, a socket: a read may have to wait for others.
    waits: bool,
    seekable: bool,
    _share: Share,
}

impl File {
    /// # Errors
    /// What the system says.
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
            waits: !kind.is_file() && !kind.is_block_device(),
            seekable: kind.is_file() || rustix::fs::seek(&file, SeekFrom::Current(0)).is_ok(),
            file,
            _share: share,
        };
        file.set_flags(flags)?;
        Ok(file)
    }

    /// # Errors
    /// `EINVAL` for flags that can only be given when it is opened, as in wasmtime-wasi.
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
            // By which libraries know terminals.
            rights &= !(Rights::FD_SEEK | Rights::FD_TELL);
        }
        rights
    }

    pub(super) fn metadata(&self) -> Result<Metadata> {
        Ok(Metadata::from_just_metadata(self.file.metadata()?))
    }

    /// What to wait for, where a read or write may have to wait.
    pub(super) fn awaited(&self) -> Option<BorrowedFd<'_>> {
        self.waits.then(|| self.file.as_fd())
    }

    /// How it is now, and how many bytes there are to read.
    pub(super) fn readiness(&self, direction: Direction) -> Result<(Readiness, u64)> {
        if self.waits {
            let readiness = readiness::now(self.file.as_fd(), direction)?;
            let there = match direction {
                Direction::Read => rustix::io::ioctl_fionread(&self.file).unwrap_or(0),
                Direction::Write => 1,
            };
            return Ok((readiness, there));
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

    /// Whether a guest may do that to it.
    ///
    /// # Errors
    /// `EBADF` if it was not opened for that.
    pub(super) fn allows(&self, direction: Direction) -> Result<()> {
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
        self.allows(Direction::Read)?;
        if total(iovs)? == 0 {
            return Ok(0);
        }
        if !self.waits {
            match self.read_pieces(memory, iovs, at, interrupt) {
                // Some that seem to be regular files are streams: the kernel's log is one.
                Err(Failure::Errno(Errno::Again)) => {}
                done => return done,
            }
        }
        self.read_awaited(memory, iovs, at, interrupt).await
    }

    /// Reads what there is up to the end of the file.
    fn read_pieces(
        &self,
        memory: &mut Memory<'_>,
        iovs: &[Iov],
        at: At,
        interrupt: &Interrupt,
    ) -> Result<u32> {
        let asked = total(iovs)?;
        if iovs.len() > 1 && asked <= GATHERED {
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
                let at = at.plus(read)?;
                let mut asked = 0;
                let piece = (iov.len - filled).min(PIECE);
                let more = memory.fill(iov.at + filled, piece, |bytes| {
                    asked = bytes.len();
                    self.read_at(bytes, at)
                });
                let more = match more {
                    Ok(more) => more,
                    // What has been read is the guest's; the error comes again.
                    Err(Failure::Errno(_)) if read > 0 => return Ok(read),
                    Err(failure) => return Err(failure),
                };
                filled += more;
                read += more;
                if (more as usize) < asked {
                    return Ok(read);
                }
            }
        }
        Ok(read)
    }

    /// Reads what there is, once there is something.
    async fn read_awaited(
        &self,
        memory: &mut Memory<'_>,
        iovs: &[Iov],
        at: At,
        interrupt: &Interrupt,
    ) -> Result<u32> {
        let mut buffer = vec![0; total(iovs)?.min(GATHERED) as usize];
        let wait = !self.flags.contains(Fdflags::NONBLOCK);
        let read = match at {
            At::Cursor => {
                when_ready(self.file.as_fd(), Direction::Read, wait, interrupt, || {
                    rustix::io::read(&self.file, &mut *buffer)
                })
                .await?
            }
            // A pipe has no places: the system says so.
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
        self.allows(Direction::Write)?;
        let asked = total(iovs)?;
        if self.waits
            && let At::Cursor = at
        {
            return self.write_awaited(memory, iovs, interrupt).await;
        }
        let mut written = 0;
        loop {
            let pieces = memory.gather(iovs, written, PIECE)?;
            let slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
            let size: usize = pieces.iter().map(|piece| piece.len()).sum();
            let at = at.plus(written)?;
            let done = rustix::io::retry_on_intr(|| {
                size_limit::write_within(self.file.as_fd(), at.offset(), || match at {
                    At::Cursor => rustix::io::writev(&self.file, &slices),
                    At::Offset(offset) => rustix::io::pwritev(&self.file, &slices, offset),
                })
            });
            match done {
                Ok(more) => {
                    written += more as u32;
                    if more < size || written >= asked {
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

    /// Writes all, as there comes room for it.
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
            let bytes = memory.gather(iovs, written, GATHERED)?.concat();
            let more = when_ready(self.file.as_fd(), Direction::Write, wait, interrupt, || {
                rustix::io::write(&self.file, &bytes)
            });
            match more.await {
                Ok(more) => written += more as u32,
                Err(Failure::Errno(_)) if written > 0 => break,
                Err(failure) => return Err(failure),
            }
        }
        Ok(written)
    }

    /// # Errors
    /// `ESPIPE` for a pipe (bytecodealliance/wasmtime#12913).
    pub(super) fn seek(&self, to: SeekFrom) -> Result<u64> {
        Ok(rustix::fs::seek(&self.file, to)?)
    }

    pub(super) fn set_size(&self, size: u64) -> Result<()> {
        self.changeable()?;
        if !self.writable || i64::try_from(size).is_err() {
            return Err(Errno::Inval.into());
        }
        Ok(size_limit::truncate_within(self.file.as_fd(), size)?)
    }

    pub(super) fn set_times(&self, times: &Timestamps) -> Result<()> {
        self.changeable()?;
        Ok(rustix::fs::futimens(&self.file, times)?)
    }

    /// # Errors
    /// `EPERM` if it is in a folder that guests may only read.
    fn changeable(&self) -> Result<()> {
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
        if self.waits {
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
        // It is advice: a system that takes none does nothing.
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

    /// So many bytes further.
    ///
    /// # Errors
    /// `EINVAL` if no file is that long.
    fn plus(self, bytes: u32) -> Result<Self> {
        match self {
            Self::Cursor => Ok(self),
            Self::Offset(offset) => {
                let offset = offset.checked_add(bytes.into()).ok_or(Errno::Inval)?;
                Ok(Self::Offset(offset))
            }
        }
    }
}

/// The times to set, as preview 1 says it.
///
/// # Errors
/// `EINVAL` if a time is to be set to what is given and to the time it is now.
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
