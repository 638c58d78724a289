//! The numbers under which guests know what they have opened.

use std::collections::BTreeSet;

use wasmtime_wasi::p1::types::Errno;

use super::directory::Directory;
use super::errno::Result;
use super::file::File;
use super::listing::Listing;
use super::streams::{Input, Output};
use crate::runtime::engine::quota::{DESCRIPTORS, Share};

/// The part of the process's descriptors that one more file or folder takes.
///
/// # Errors
/// `ENFILE` if the guests of the process have as many as they may.
pub(super) fn share() -> Result<Share> {
    Ok(DESCRIPTORS.take(1).map_err(|_| Errno::Nfile)?)
}

/// What a guest has opened, or was given.
pub(super) enum Descriptor {
    Input(Input),
    Output(Output),
    File(File),
    Directory(Directory),
}

/// The descriptors of a store.
pub(super) struct Descriptors {
    /// By number.
    slots: Vec<Option<Descriptor>>,
    /// The numbers that are free again, of which the lowest is taken first, as POSIX has it.
    free: BTreeSet<u32>,
    /// How many there may be.
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

    /// # Errors
    /// `EMFILE` if there are as many as may be.
    pub(super) fn room(&self) -> Result<()> {
        if self.free.is_empty() && self.slots.len() >= self.cap as usize {
            return Err(Errno::Mfile.into());
        }
        Ok(())
    }

    /// # Errors
    /// `EMFILE` if there are as many as may be.
    pub(super) fn push(&mut self, descriptor: Descriptor) -> Result<u32> {
        self.room()?;
        if let Some(fd) = self.free.pop_first() {
            self.slots[fd as usize] = Some(descriptor);
            return Ok(fd);
        }
        self.slots.push(Some(descriptor));
        Ok(self.slots.len() as u32 - 1)
    }

    /// # Errors
    /// `EBADF` if there is none of this number, as for all that follow.
    pub(super) fn get(&self, fd: u32) -> Result<&Descriptor> {
        let slot = self.slots.get(fd as usize);
        Ok(slot.and_then(Option::as_ref).ok_or(Errno::Badf)?)
    }

    pub(super) fn get_mut(&mut self, fd: u32) -> Result<&mut Descriptor> {
        let slot = self.slots.get_mut(fd as usize);
        Ok(slot.and_then(Option::as_mut).ok_or(Errno::Badf)?)
    }

    /// # Errors
    /// `ENOTDIR` if it is no folder.
    pub(super) fn directory(&self, fd: u32) -> Result<&Directory> {
        match self.get(fd)? {
            Descriptor::Directory(directory) => Ok(directory),
            _ => Err(Errno::Notdir.into()),
        }
    }

    /// How many entries are kept of folders that are being listed, except for the folder of this number.
    pub(super) fn entries_kept_beside(&self, fd: u32) -> usize {
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

    /// Moves one descriptor into the place of another, which is closed.
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
