//! What the system gives a process only so much of: mappings of memory, and file descriptors.
//!
//! Each linear memory takes mappings, as does machine code, and the initial contents of a memory take a
//! descriptor. A process that has no more of either is lost: allocators and JavaScript engines abort. So the
//! guests of all of a process's states get a part, and the rest of the process keeps the other.

use std::fs;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many mappings a linear memory takes: its bytes, what is reserved behind them, and its initial contents.
pub(crate) const PER_MEMORY: u32 = 3;
/// How many mappings the machine code of a module takes.
pub(crate) const PER_CODE: u32 = 2;
/// How many mappings the stack of a thread takes, with its guard page.
pub(crate) const PER_THREAD: u32 = 2;

/// The mappings of guests.
pub(crate) static MAPPINGS: LazyLock<Budget> =
    LazyLock::new(|| Budget::new("mappings", max_mappings()));
/// The file descriptors of guests' memory images.
pub(crate) static DESCRIPTORS: LazyLock<Budget> =
    LazyLock::new(|| Budget::new("file descriptors", max_descriptors()));

/// So much of something.
#[derive(Debug)]
pub(crate) struct Budget {
    noun: &'static str,
    cap: u32,
    used: AtomicU32,
}

/// A part of a budget, which is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    of: &'static Budget,
    count: u32,
}

impl Budget {
    /// Three quarters of what the system gives a process.
    fn new(noun: &'static str, system: u32) -> Self {
        Self {
            noun,
            cap: system / 4 * 3,
            used: AtomicU32::new(0),
        }
    }

    /// Takes a part.
    ///
    /// # Errors
    /// Why not, if not so much is left.
    pub(crate) fn take(&'static self, count: u32) -> Result<Share, String> {
        let (used, cap) = (&self.used, self.cap);
        let taken = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(count).filter(|used| *used <= cap)
        });
        match taken {
            Ok(_) => Ok(Share { of: self, count }),
            Err(used) => Err(format!(
                "the guests of this process use {used} {} of the {cap} that they may",
                self.noun
            )),
        }
    }
}

impl Share {
    /// Adds a part to this one.
    ///
    /// # Errors
    /// As [`Budget::take`].
    pub(crate) fn take(&mut self, count: u32) -> Result<(), String> {
        let mut more = self.of.take(count)?;
        self.count += std::mem::take(&mut more.count);
        Ok(())
    }

    /// How large it is.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Gives a part of it back.
    pub(crate) fn give_back(&mut self, count: u32) {
        let count = count.min(self.count);
        self.count -= count;
        self.of.used.fetch_sub(count, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.used.fetch_sub(self.count, Ordering::Relaxed);
    }
}

/// How many mappings a process may have; what Linux has by default where nobody says.
fn max_mappings() -> u32 {
    let text = fs::read_to_string("/proc/sys/vm/max_map_count").unwrap_or_default();
    text.trim().parse().unwrap_or(65_530)
}

/// How many descriptors this process may have open; what Linux has by default where nobody says.
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
    fn what_is_taken_is_given_back() {
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
    fn the_system_says_how_much_there_is() {
        if cfg!(target_os = "linux") {
            assert!(max_mappings() >= 1_024 && max_descriptors() >= 16);
        }
    }
}
