//! The descriptor table of a store.

use std::collections::BTreeSet;

use wasmtime_wasi::p1::types::Errno;

use super::directory::Directory;
use super::errno::Result;
use super::file::File;
use super::listing::Listing;
use super::streams::{Input, Output};
use crate::runtime::engine::quota::{DESCRIPTORS, Share};

/// Takes a descriptor from the quota of the process, for a new file or folder.
///
/// # Errors
/// `ENFILE` if the guests of the process have too many.
pub(super) fn share() -> Result<Share> {
    Ok(DESCRIPTORS.take(1).map_err(|_| Errno::Nfile)?)
}

/// An object that a guest has opened, or got at the start.
pub(super) enum Descriptor {
    Input(Input),
    Output(Output),
    File(File),
    Directory(Directory),
}

/// The descriptors of a store.
pub(super) struct Descriptors {
    /// Indexed by descriptor number.
    slots: Vec<Option<Descriptor>>,
    /// The free numbers below the length of `slots`. The lowest one is used first, as in POSIX.
    free: BTreeSet<u32>,
    /// The maximum number of descriptors.
    cap: u32,
}

impl Descriptors {
    pub(super) fn new(cap: u32) -> Self {
        Self {
            slots: Vec::new(),
            free: BTreeSet::new(),
            cap,
        }
    }

    /// Checks that another descriptor fits.
    ///
    /// # Errors
    /// `EMFILE` if there are too many.
    pub(super) fn check_room(&self) -> Result<()> {
        if self.free.is_empty() && self.slots.len() >= self.cap as usize {
            return Err(Errno::Mfile.into());
        }
        Ok(())
    }

    /// Adds a descriptor, and returns its number.
    ///
    /// # Errors
    /// `EMFILE` if there are too many.
    pub(super) fn push(&mut self, descriptor: Descriptor) -> Result<u32> {
        self.check_room()?;
        if let Some(fd) = self.free.pop_first() {
            self.slots[fd as usize] = Some(descriptor);
            return Ok(fd);
        }
        self.slots.push(Some(descriptor));
        Ok(self.slots.len() as u32 - 1)
    }

    /// Returns the descriptor with this number.
    ///
    /// # Errors
    /// `EBADF` if there is none. This applies to the following methods too.
    pub(super) fn get(&self, fd: u32) -> Result<&Descriptor> {
        let slot = self.slots.get(fd as usize);
        Ok(slot.and_then(Option::as_ref).ok_or(Errno::Badf)?)
    }

    pub(super) fn get_mut(&mut self, fd: u32) -> Result<&mut Descriptor> {
        let slot = self.slots.get_mut(fd as usize);
        Ok(slot.and_then(Option::as_mut).ok_or(Errno::Badf)?)
    }

    /// Returns the folder with this descriptor number.
    ///
    /// # Errors
    /// `ENOTDIR` if the descriptor is not a folder.
    pub(super) fn directory(&self, fd: u32) -> Result<&Directory> {
        match self.get(fd)? {
            Descriptor::Directory(directory) => Ok(directory),
            _ => Err(Errno::Notdir.into()),
        }
    }

    /// Returns the number of entries that are kept by the listings of all folders except this one.
    pub(super) fn entries_kept_except(&self, fd: u32) -> usize {
        let numbered = (0..).zip(&self.slots);
        let others = numbered.filter(|(number, _)| *number != fd);
        let kept = others.map(|(_, slot)| match slot {
            Some(Descriptor::Directory(directory)) => {
                directory.listing.as_ref().map_or(0, Listing::kept)
            }
            _ => 0,
        });
        kept.sum()
    }

    pub(super) fn close(&mut self, fd: u32) -> Result<Descriptor> {
        let slot = self.slots.get_mut(fd as usize);
        let descriptor = slot.and_then(Option::take).ok_or(Errno::Badf)?;
        self.free.insert(fd);
        Ok(descriptor)
    }

    /// Moves a descriptor to another number, and closes the descriptor that had it.
    pub(super) fn renumber(&mut self, from: u32, to: u32) -> Result<()> {
        self.get(from)?;
        self.get(to)?;
        if from != to {
            let moved = self.close(from)?;
            self.slots[to as usize] = Some(moved);
        }
        Ok(())
    }
}
