//! A guest's memory, as the functions of WASI read and write it.

use std::borrow::Cow;

use wasmtime_wasi::p1::types::Errno;
use wiggle::{GuestMemory, GuestPtr};

use super::errno::Result;

/// The longest path, in bytes, as Linux has it.
const PATH_MAX: u32 = 4096;

/// The most buffers of one read or write, as Linux has it.
const IOV_MAX: u32 = 1024;

/// The most bytes that are copied at once where the guest's threads share its memory, so that the
/// host cannot read into it, or write out of it.
const COPY: u32 = 1 << 20;

/// The memory of the guest that calls.
pub(crate) struct Memory<'a>(pub(crate) GuestMemory<'a>);

/// A buffer in a guest's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Iov {
    pub(super) at: u32,
    pub(super) len: u32,
}

impl Memory<'_> {
    /// # Errors
    /// `EFAULT` if the bytes are not all in the memory, as for all that follow.
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

    /// Whether that many bytes are there, so that a pointer to each of them has 32 bits: a memory of 64
    /// bits can have more.
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

    /// A path, or the target of a link.
    ///
    /// # Errors
    /// `ENAMETOOLONG`, or `EILSEQ` if it is not UTF-8.
    pub(crate) fn path(&self, at: u32, len: u32) -> Result<String> {
        if len > PATH_MAX {
            return Err(Errno::Nametoolong.into());
        }
        let bytes = self.bytes(at, len)?.into_owned();
        Ok(String::from_utf8(bytes).map_err(|_| Errno::Ilseq)?)
    }

    /// A list of buffers.
    ///
    /// # Errors
    /// `EINVAL` if there are more than [`IOV_MAX`], or they hold more bytes than can be counted;
    /// `EFAULT` if one of them is not in the memory.
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

    /// What the buffers hold after the first `skip` bytes, up to about `most` bytes.
    pub(crate) fn gather(
        &self,
        iovs: &[Iov],
        mut skip: u32,
        most: u32,
    ) -> Result<Vec<Cow<'_, [u8]>>> {
        let mut room = match &self.0 {
            GuestMemory::Unshared(_) => most,
            GuestMemory::Shared(_) => most.min(COPY),
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

    /// Puts bytes into the buffers, one after another.
    pub(crate) fn scatter(&mut self, iovs: &[Iov], mut bytes: &[u8]) -> Result<()> {
        for iov in iovs {
            let len = bytes.len().min(iov.len as usize);
            let (these, rest) = bytes.split_at(len);
            self.write(iov.at, these)?;
            bytes = rest;
        }
        Ok(())
    }

    /// Has `fill` fill bytes from the start of a piece of the memory, and returns how many it has.
    /// It may be given fewer than `len`.
    pub(crate) fn fill(
        &mut self,
        at: u32,
        len: u32,
        fill: impl FnOnce(&mut [u8]) -> Result<usize>,
    ) -> Result<u32> {
        let filled = match self.0.as_slice_mut(GuestPtr::new((at, len)))? {
            Some(bytes) => fill(bytes)?,
            None => {
                let mut copy = vec![0; len.min(COPY) as usize];
                let filled = fill(&mut copy)?;
                self.write(at, &copy[..filled])?;
                filled
            }
        };
        Ok(u32::try_from(filled).map_err(|_| Errno::Overflow)?)
    }
}

/// How many bytes buffers hold together.
///
/// # Errors
/// `EINVAL` if that are more than can be counted.
pub(crate) fn total(iovs: &[Iov]) -> Result<u32> {
    let sum = iovs.iter().map(|iov| u64::from(iov.len)).sum::<u64>();
    Ok(u32::try_from(sum).map_err(|_| Errno::Inval)?)
}
