//! Stacks for the fibers of asynchronous components.
//!
//! A component can have as many tasks and threads as it likes, and each that is suspended has a stack. So the stacks count
//! as mappings of the process, as those of threads do.

use std::ops::Range;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};
use wasmtime::{StackCreator, StackMemory};

use crate::runtime::base::error::WasmError;
use crate::runtime::engine::quota::{MAPPINGS, PER_THREAD, Share};

/// Makes the stacks.
pub(crate) fn creator() -> Arc<dyn StackCreator> {
    Arc::new(CountedStacks)
}

struct CountedStacks;

// SAFETY: the stacks are page-aligned, zero as new mappings are, and have a guard page below them.
unsafe impl StackCreator for CountedStacks {
    fn new_stack(&self, size: usize, _: bool) -> wasmtime::Result<Box<dyn StackMemory>> {
        Ok(Box::new(CountedStack::new(size)?))
    }
}

/// A mapping with a guard page at its start.
struct CountedStack {
    start: NonNull<u8>,
    bytes: usize,
    guard: usize,
    _share: Share,
}

// SAFETY: the mapping belongs to this value alone, and a pointer to it can be used on any thread.
unsafe impl Send for CountedStack {}
// SAFETY: as above; a shared reference gives nothing but addresses.
unsafe impl Sync for CountedStack {}

impl CountedStack {
    fn new(size: usize) -> Result<Self, WasmError> {
        let failed = |why: &dyn std::fmt::Display| {
            WasmError::runtime(format!("no stack for a task of the component: {why}"))
        };
        let share = MAPPINGS.take(PER_THREAD).map_err(|why| failed(&why))?;
        let page = rustix::param::page_size();
        let bytes = size.next_multiple_of(page) + page;
        // SAFETY: a new mapping at an address that the system chooses touches no other memory.
        let start = unsafe {
            rustix::mm::mmap_anonymous(
                ptr::null_mut(),
                bytes,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        };
        let start = start.map_err(|error| failed(&error))?;
        let start = NonNull::new(start.cast()).ok_or_else(|| failed(&"no address"))?;
        let stack = Self {
            start,
            bytes,
            guard: page,
            _share: share,
        };
        // SAFETY: the page is the first one of the mapping, which nothing uses yet.
        let guarded =
            unsafe { rustix::mm::mprotect(start.as_ptr().cast(), page, MprotectFlags::empty()) };
        guarded.map_err(|error| failed(&error))?;
        Ok(stack)
    }

    fn at(&self, offset: usize) -> *mut u8 {
        self.start.as_ptr().wrapping_add(offset)
    }
}

impl Drop for CountedStack {
    fn drop(&mut self) {
        // SAFETY: wasmtime drops a stack when no fiber uses it any more, and nothing else knows the mapping.
        let unmapped = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.bytes) };
        debug_assert!(unmapped.is_ok());
    }
}

// SAFETY: the ranges are those of the mapping: the guard page, and the stack above it.
unsafe impl StackMemory for CountedStack {
    fn top(&self) -> *mut u8 {
        self.at(self.bytes)
    }

    fn range(&self) -> Range<usize> {
        self.at(self.guard).addr()..self.at(self.bytes).addr()
    }

    fn guard_range(&self) -> Range<*mut u8> {
        self.at(0)..self.at(self.guard)
    }
}
