//! Access of WASI functions to the guest's memory.

use std::borrow::Cow;

use wasmtime_wasi::p1::types::Errno;
use wiggle::{GuestMemory, GuestPtr};

use super::errno::Result;

/// The maximum length of a path, in bytes, as in Linux.
const PATH_MAX: u32 = 4096;

/// The maximum number of buffers of one read or write, as in Linux.
const IOV_MAX: u32 = 1024;

/// The maximum number of bytes that are copied at once if the memory is shared between threads. The system cannot
/// read into or write from a shared memory directly.
const MAX_COPY: u32 = 1 << 20;

/// The memory of the calling guest.
pub(crate) struct Memory<'a>(pub(crate) GuestMemory<'a>);

/// A buffer in the guest's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Iov {
    pub(super) at: u32,
    pub(super) len: u32,
}

impl Memory<'_> {
    /// Returns the bytes at an address.
    ///
    /// # Errors
    /// `EFAULT` if they are out of bounds. This applies to the following methods too.
    pub(crate) fn bytes(&self, at: u32, len: u32) -> Result<Cow<'_, [u8]>> {
        Ok(self.0.as_cow(GuestPtr::new((at, len)))?)
    }

    pub(crate) fn array<const N: usize>(&self, at: u32) -> Result<[u8; N]> {
        let len = u32::try_from(N).map_err(|_| Errno::Fault)?;
        let bytes = self.bytes(at, len)?;
        Ok(<[u8; N]>::try_from(&*bytes).map_err(|_| Errno::Fault)?)
    }

    pub(crate) fn write(&mut self, at: u32, bytes: &[u8]) -> Result<()> {
        let len = u32::try_from(bytes.len()).map_err(|_| Errno::Fault)?;
        Ok(self.0.copy_from_slice(bytes, GuestPtr::new((at, len)))?)
    }

    pub(crate) fn set_u32(&mut self, at: u32, value: u32) -> Result<()> {
        self.write(at, &value.to_le_bytes())
    }

    pub(crate) fn set_u64(&mut self, at: u32, value: u64) -> Result<()> {
        self.write(at, &value.to_le_bytes())
    }

    /// Checks that the bytes are in the memory and have 32-bit addresses. A 64-bit memory can be larger.
    ///
    /// # Errors
    /// `EFAULT` if they are not.
    pub(crate) fn check(&self, at: u32, len: u64) -> Result<()> {
        let size = match &self.0 {
            GuestMemory::Unshared(bytes) => bytes.len(),
            GuestMemory::Shared(bytes) => bytes.len(),
        };
        let reached = (size as u64).min(1 << 32);
        if u64::from(at).saturating_add(len) > reached {
            return Err(Errno::Fault.into());
        }
        Ok(())
    }

    /// Returns a path, or the target of a symbolic link.
    ///
    /// # Errors
    /// `ENAMETOOLONG` if it is too long, `EILSEQ` if it is not UTF-8.
    pub(crate) fn path(&self, at: u32, len: u32) -> Result<String> {
        if len > PATH_MAX {
            return Err(Errno::Nametoolong.into());
        }
        let bytes = self.bytes(at, len)?.into_owned();
        Ok(String::from_utf8(bytes).map_err(|_| Errno::Ilseq)?)
    }

    /// Returns a list of buffers.
    ///
    /// # Errors
    /// `EINVAL` if there are more than [`IOV_MAX`], or their total size does not fit into 32 bits; `EFAULT` if one
    /// of them is out of bounds.
    pub(crate) fn iovs(&self, at: u32, count: u32) -> Result<Vec<Iov>> {
        if count > IOV_MAX {
            return Err(Errno::Inval.into());
        }
        let list = self.bytes(at, count * 8)?;
        let word = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let list = list.chunks_exact(8).map(|iov| Iov {
            at: word(iov),
            len: word(&iov[4..]),
        });
        let list: Vec<Iov> = list.collect();
        for iov in &list {
            self.check(iov.at, iov.len.into())?;
        }
        total(&list)?;
        Ok(list)
    }

    /// Returns the contents of the buffers after the first `skip` bytes, at most `max` bytes.
    pub(crate) fn gather(
        &self,
        iovs: &[Iov],
        mut skip: u32,
        max: u32,
    ) -> Result<Vec<Cow<'_, [u8]>>> {
        let mut room = match &self.0 {
            GuestMemory::Unshared(_) => max,
            GuestMemory::Shared(_) => max.min(MAX_COPY),
        };
        let mut pieces = Vec::new();
        for iov in iovs {
            let skipped = skip.min(iov.len);
            skip -= skipped;
            let len = (iov.len - skipped).min(room);
            if len > 0 {
                pieces.push(self.bytes(iov.at + skipped, len)?);
                room -= len;
            }
        }
        Ok(pieces)
    }

    /// Copies bytes into the buffers, one after another.
    pub(crate) fn scatter(&mut self, iovs: &[Iov], mut bytes: &[u8]) -> Result<()> {
        for iov in iovs {
            let len = bytes.len().min(iov.len as usize);
            let (part, rest) = bytes.split_at(len);
            self.write(iov.at, part)?;
            bytes = rest;
        }
        Ok(())
    }

    /// Calls `fill` with a part of the memory, and returns the number of bytes that it has filled. The part may be
    /// shorter than `len`.
    pub(crate) fn fill(
        &mut self,
        at: u32,
        len: u32,
        fill: impl FnOnce(&mut [u8]) -> Result<usize>,
    ) -> Result<u32> {
        let filled = match self.0.as_slice_mut(GuestPtr::new((at, len)))? {
            Some(bytes) => fill(bytes)?,
            None => {
                let mut copy = vec![0; len.min(MAX_COPY) as usize];
                let filled = fill(&mut copy)?;
                self.write(at, &copy[..filled])?;
                filled
            }
        };
        Ok(u32::try_from(filled).map_err(|_| Errno::Overflow)?)
    }
}

/// Returns the total size of buffers, in bytes.
///
/// # Errors
/// `EINVAL` if it does not fit into 32 bits.
pub(crate) fn total(iovs: &[Iov]) -> Result<u32> {
    let sum = iovs.iter().map(|iov| u64::from(iov.len)).sum::<u64>();
    Ok(u32::try_from(sum).map_err(|_| Errno::Inval)?)
}
