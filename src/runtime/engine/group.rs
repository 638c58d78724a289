//! Groups of stores with common limits.
//!
//! Two stores cannot be merged, so an app that does not know which of its instances will be connected gives each its
//! own store. The stores of a group have one budget of fuel, one cap on memory and on tables, and one deadline for
//! calls that nest across them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::runtime::base::capabilities::WasmCapabilities;
use crate::runtime::base::options::StoreOptions;
use crate::runtime::engine::interrupt::Deadline;

/// The common limits of a group of stores. A guest with its own thread may use them at the same time as other stores.
pub(crate) struct Group {
    /// The options of each store of the group, limited by the capabilities. Without WASI.
    options: StoreOptions,
    /// The fuel that is left, without the fuel that running stores have taken.
    fuel: AtomicU64,
    pub(crate) memory_bytes: Arc<Total>,
    pub(crate) table_elements: Arc<Total>,
    /// The deadline of the innermost run on the thread of the group.
    outer_deadline: Mutex<Option<Deadline>>,
}

impl Group {
    /// Makes a group without stores. `options` are already limited by the capabilities.
    pub(crate) fn new(options: StoreOptions, capabilities: &WasmCapabilities) -> Self {
        Self {
            fuel: AtomicU64::new(options.fuel.unwrap_or(0)),
            memory_bytes: Arc::new(Total::new(options.max_memory_bytes.unwrap_or(u64::MAX))),
            table_elements: Arc::new(Total::new(capabilities.max_table_elements)),
            outer_deadline: Mutex::default(),
            options,
        }
    }

    /// Returns the options of each store of the group.
    pub(crate) fn options(&self) -> &StoreOptions {
        &self.options
    }

    /// Returns the fuel that is left, without the fuel that running stores have taken. `None` if the group has no
    /// budget.
    pub(crate) fn fuel(&self) -> Option<u64> {
        self.is_metered().then(|| self.fuel.load(Ordering::Relaxed))
    }

    /// Sets the fuel that is left.
    pub(crate) fn set_fuel(&self, fuel: u64) {
        self.fuel.store(fuel, Ordering::Relaxed);
    }

    /// Whether the group has a budget of fuel.
    pub(crate) fn is_metered(&self) -> bool {
        self.options.fuel.is_some()
    }

    /// Whether runs have fuel or deadlines.
    pub(crate) fn limits_runs(&self) -> bool {
        let checks = self.options.checks();
        checks.fuel || checks.interrupt
    }

    /// Takes all of the fuel that is left, for a run that the thread of the group waits for.
    pub(crate) fn take_fuel(&self) -> u64 {
        self.fuel.swap(0, Ordering::Relaxed)
    }

    /// Takes half of the fuel that is left, for a run beside which other stores of the group may run.
    pub(crate) fn take_half_of_fuel(&self) -> u64 {
        let update = |left: u64| Some(left / 2);
        let left = self
            .fuel
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
        left.map_or(0, |left| left - left / 2)
    }

    /// Uses up fuel for work that the host does for a guest while the guest waits. Returns whether there was enough; if
    /// not, none is left.
    pub(crate) fn spend_fuel(&self, fuel: u64) -> bool {
        let update = |left: u64| Some(left.saturating_sub(fuel));
        let left = self
            .fuel
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
        !self.is_metered() || left.is_ok_and(|left| left >= fuel)
    }

    /// Gives back fuel that a run has not used.
    pub(crate) fn give_back_fuel(&self, fuel: u64) {
        let update = |left: u64| Some(left.saturating_add(fuel));
        let _ = self
            .fuel
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
    }

    /// Returns the earlier one of `deadline` and the deadline of the innermost run on the thread of the group.
    pub(crate) fn within_outer(&self, deadline: Option<Deadline>) -> Option<Deadline> {
        earlier(deadline, *self.outer_deadline())
    }

    /// Limits the runs that begin on the thread of the group by this deadline, until the returned value is dropped.
    pub(crate) fn enter(&self, deadline: Option<Deadline>) -> EnteredGroup<'_> {
        let mut outer = self.outer_deadline();
        let before = *outer;
        *outer = earlier(deadline, before);
        EnteredGroup {
            group: self,
            before,
        }
    }

    fn outer_deadline(&self) -> MutexGuard<'_, Option<Deadline>> {
        self.outer_deadline
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run on the thread of a group. Restores the deadline of the run around it on drop, also during unwinding.
pub(crate) struct EnteredGroup<'a> {
    group: &'a Group,
    before: Option<Deadline>,
}

impl Drop for EnteredGroup<'_> {
    fn drop(&mut self) {
        *self.group.outer_deadline() = self.before;
    }
}

fn earlier(one: Option<Deadline>, other: Option<Deadline>) -> Option<Deadline> {
    match (one, other) {
        (Some(one), Some(other)) if other.at < one.at => Some(other),
        (one, other) => one.or(other),
    }
}

/// A sum of the stores of a group, with a cap.
#[derive(Debug)]
pub(crate) struct Total {
    used: AtomicU64,
    cap: u64,
}

impl Total {
    fn new(cap: u64) -> Self {
        Self {
            used: AtomicU64::new(0),
            cap,
        }
    }

    /// Adds to the sum. If the new sum would exceed the cap, returns that sum as the error, and adds nothing.
    pub(crate) fn add(&self, more: u64) -> Result<(), u64> {
        let update = |used: u64| used.checked_add(more).filter(|sum| *sum <= self.cap);
        let added = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
        added.map(drop).map_err(|used| used.saturating_add(more))
    }

    /// Takes what a store does not use any more from the sum.
    pub(crate) fn give_back(&self, less: u64) {
        self.used.fetch_sub(less, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn group(options: StoreOptions) -> Group {
        Group::new(options, &WasmCapabilities::default())
    }

    #[test]
    fn fuel_is_taken_once_and_given_back() {
        assert_eq!(group(StoreOptions::default()).fuel(), None);
        let group = group(StoreOptions::default().with_fuel(101));
        assert_eq!(group.take_half_of_fuel(), 51);
        assert_eq!(group.fuel(), Some(50));
        assert_eq!(group.take_fuel(), 50);
        assert_eq!((group.take_fuel(), group.take_half_of_fuel()), (0, 0));
        group.give_back_fuel(7);
        group.give_back_fuel(u64::MAX);
        assert_eq!(group.fuel(), Some(u64::MAX));
    }

    #[test]
    fn a_total_never_exceeds_its_cap() {
        let total = Total::new(10);
        assert_eq!(total.add(7), Ok(()));
        assert_eq!(total.add(4), Err(11));
        assert_eq!(total.add(u64::MAX), Err(u64::MAX));
        assert_eq!(total.add(3), Ok(()));
        total.give_back(5);
        assert_eq!(total.add(5), Ok(()));
    }

    #[test]
    fn a_nested_run_has_at_most_the_deadline_around_it() {
        let group = group(StoreOptions::default());
        let now = Instant::now();
        let after = |seconds| {
            let timeout = Duration::from_secs(seconds);
            Some(Deadline {
                at: now + timeout,
                timeout,
            })
        };
        let seconds =
            |deadline: Option<Deadline>| deadline.map(|deadline| deadline.timeout.as_secs());
        let outer = group.enter(after(5));
        assert_eq!(seconds(group.within_outer(after(9))), Some(5));
        assert_eq!(seconds(group.within_outer(after(2))), Some(2));
        assert_eq!(seconds(group.within_outer(None)), Some(5));
        let inner = group.enter(after(9));
        assert_eq!(seconds(group.within_outer(None)), Some(5));
        drop(inner);
        let inner = group.enter(after(1));
        assert_eq!(seconds(group.within_outer(after(9))), Some(1));
        drop(inner);
        assert_eq!(seconds(group.within_outer(after(9))), Some(5));
        drop(outer);
        assert_eq!(seconds(group.within_outer(after(9))), Some(9));
    }
}
