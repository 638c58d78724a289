//! The bytes of memories that other threads may be using.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU8, Ordering};

/// Copies bytes out of a shared memory, which other threads may be writing.
pub(crate) fn read_shared(from: &[UnsafeCell<u8>], to: &mut [u8]) {
    for (from, to) in from.iter().zip(to) {
        // SAFETY: the cell is a live, aligned byte, and everyone who shares a wasm memory
        // accesses it atomically, as we do.
        *to = unsafe { AtomicU8::from_ptr(from.get()) }.load(Ordering::Relaxed);
    }
}

/// Copies bytes into a shared memory, which other threads may be reading.
pub(crate) fn write_shared(from: &[u8], to: &[UnsafeCell<u8>]) {
    for (from, to) in from.iter().zip(to) {
        // SAFETY: as in `read_shared`.
        unsafe { AtomicU8::from_ptr(to.get()) }.store(*from, Ordering::Relaxed);
    }
}
