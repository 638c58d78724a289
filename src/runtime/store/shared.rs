//! Access to the bytes of shared memories, which other threads may access at the same time.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU8, Ordering};

/// Copies bytes from a shared memory, which other threads may be writing.
pub(crate) fn read_shared(from: &[UnsafeCell<u8>], to: &mut [u8]) {
    for (from, to) in from.iter().zip(to) {
        // SAFETY: the cell is a live, aligned byte, and all code that shares a WebAssembly memory accesses it
        // atomically, as this code does.
        *to = unsafe { AtomicU8::from_ptr(from.get()) }.load(Ordering::Relaxed);
    }
}

/// Copies bytes to a shared memory, which other threads may be reading.
pub(crate) fn write_shared(from: &[u8], to: &[UnsafeCell<u8>]) {
    for (from, to) in from.iter().zip(to) {
        // SAFETY: as in `read_shared`.
        unsafe { AtomicU8::from_ptr(to.get()) }.store(*from, Ordering::Relaxed);
    }
}
