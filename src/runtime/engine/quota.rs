//! Quotas for resources that the system limits per process: memory mappings, file descriptors and address space.
//!
//! Each linear memory and the machine code of each module take mappings, and the image of a memory's initial
//! contents takes a descriptor. If a process has no more of them, allocators and JavaScript engines abort. So the
//! guests of all states of a process share a part of each, and the rest of the process has the remaining part.

use std::fs;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The number of mappings of a linear memory: its bytes, the reserved address space behind them, and its initial
/// contents.
pub(crate) const PER_MEMORY: u32 = 3;
/// The number of mappings of the machine code of a module.
pub(crate) const PER_CODE: u32 = 2;
/// The address space of an instance in a pool, in GiB: a memory and a garbage-collected heap, each with its guards, and two
/// tables.
pub(crate) const GIB_PER_POOLED_INSTANCE: u32 = 9;
/// The number of mappings of a thread's stack, including its guard page.
pub(crate) const PER_THREAD: u32 = 2;

/// The mappings for guests.
pub(crate) static MAPPINGS: LazyLock<Budget> =
    LazyLock::new(|| Budget::new("mappings", max_mappings()));
/// The file descriptors for the memory images of guests.
pub(crate) static DESCRIPTORS: LazyLock<Budget> =
    LazyLock::new(|| Budget::new("file descriptors", max_descriptors()));

/// The address space for pools of instances. Scripts choose for which kinds of stores there are pools, and instances outside
/// of the pools need address space, too.
pub(crate) static ADDRESS_SPACE: LazyLock<Budget> =
    LazyLock::new(|| Budget::new("GiB of address space", ADDRESS_SPACE_GIB));

/// The address space of a process on the machines that wasmtime compiles for, in GiB: 47 bits.
const ADDRESS_SPACE_GIB: u32 = 1 << (47 - 30);

/// A limited resource.
#[derive(Debug)]
pub(crate) struct Budget {
    noun: &'static str,
    cap: u32,
    used: AtomicU32,
}

/// A part of a budget, which is given back on drop.
#[derive(Debug)]
pub(crate) struct Share {
    budget: &'static Budget,
    count: u32,
}

impl Budget {
    /// Makes a budget of three quarters of the system's limit.
    fn new(noun: &'static str, system: u32) -> Self {
        Self {
            noun,
            cap: system / 4 * 3,
            used: AtomicU32::new(0),
        }
    }

    /// Takes `count` units.
    ///
    /// # Errors
    /// A message if fewer are left.
    pub(crate) fn take(&'static self, count: u32) -> Result<Share, String> {
        let (used, cap) = (&self.used, self.cap);
        let taken = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(count).filter(|used| *used <= cap)
        });
        match taken {
            Ok(_) => Ok(Share {
                budget: self,
                count,
            }),
            Err(used) => Err(format!(
                "the guests of this process use {used} {} of the {cap} that they may",
                self.noun
            )),
        }
    }
}

impl Share {
    /// Adds `count` units to this share.
    ///
    /// # Errors
    /// As [`Budget::take`].
    pub(crate) fn take(&mut self, count: u32) -> Result<(), String> {
        let mut added = self.budget.take(count)?;
        self.count += std::mem::take(&mut added.count);
        Ok(())
    }

    /// Returns the number of units.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Gives `count` units back.
    pub(crate) fn give_back(&mut self, count: u32) {
        let count = count.min(self.count);
        self.count -= count;
        self.budget.used.fetch_sub(count, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.count, Ordering::Relaxed);
    }
}

/// Returns the maximum number of mappings of a process. If the system does not report it, this is the default of
/// Linux.
fn max_mappings() -> u32 {
    let text = fs::read_to_string("/proc/sys/vm/max_map_count").unwrap_or_default();
    text.trim().parse().unwrap_or(65_530)
}

/// Returns the maximum number of open descriptors of this process. If the system does not report it, this is the
/// default of Linux.
fn max_descriptors() -> u32 {
    let text = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next());
    soft.and_then(|soft| soft.parse().ok()).unwrap_or(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_given_back_on_drop() {
        static BUDGET: LazyLock<Budget> = LazyLock::new(|| Budget::new("apples", 100));
        let mut share = BUDGET.take(70).unwrap();
        share.take(5).unwrap();
        let refused = "the guests of this process use 75 apples of the 75 that they may";
        assert_eq!(share.take(1), Err(refused.to_owned()));
        assert_eq!(BUDGET.take(u32::MAX).err(), Some(refused.to_owned()));
        share.give_back(15);
        assert_eq!((share.count(), BUDGET.take(15).is_ok()), (60, true));
        drop(share);
        drop(BUDGET.take(75).unwrap());
    }

    #[test]
    fn the_limits_of_the_system_are_read() {
        if cfg!(target_os = "linux") {
            assert!(max_mappings() >= 1_024 && max_descriptors() >= 16);
        }
    }
}
