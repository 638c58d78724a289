//! Estimates of compilation cost, in time and memory.
//!
//! The weights are measurements, rounded up, of wasmtime 48 with checks for fuel and interruption, in a build with
//! debug assertions. `crates/conformance/benches/compile_cost` measures the modules for which the estimates are
//! least accurate.

/// The size of a binary from which on an estimate has no margin.
const LARGE_BYTES: u64 = 1 << 20;

/// Returns an estimate with a margin for costs that it does not see. The smallest modules get twice the estimate.
///
/// The estimate of a small module can be further off: part of the maximum cost does not depend on the size, so that
/// a small module can have more of one costly instruction than a compiler would produce. Published modules below
/// [`LARGE_BYTES`] reach at most 40 % of their bound, larger ones at most 99 %.
pub(super) fn with_margin(estimate: u64, binary_bytes: u64) -> u64 {
    let missing = LARGE_BYTES.saturating_sub(binary_bytes);
    let margin = u128::from(estimate) * u128::from(missing) / u128::from(LARGE_BYTES);
    estimate.saturating_add(u64::try_from(margin).unwrap_or(u64::MAX))
}

/// The maximum cost to compile a module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    /// Time on two cores, in nanoseconds.
    pub ns: u64,
    /// Memory, in bytes.
    pub bytes: u64,
}

/// The estimated cost of compiling something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cost {
    /// Processor time, in nanoseconds.
    pub ns: u64,
    /// Memory while the function is compiled, in bytes.
    pub transient: u64,
    /// Memory until the whole module is compiled, in bytes.
    pub retained: u64,
}

impl Cost {
    /// Returns the cost of code for which the compiler has `size` bytes of its own data.
    ///
    /// Most of a compiler's time and memory is in proportion to the size of its own data, which is between a few
    /// bytes and a hundred thousand bytes per instruction.
    pub(super) fn of_code(size: u64) -> Self {
        Self {
            ns: size.saturating_mul(8),
            transient: size,
            retained: size / 18,
        }
    }

    /// Returns the fixed cost of a function: one of the module, or a trampoline for calls of the host.
    pub(super) fn of_function() -> Self {
        Self {
            ns: 150_000,
            transient: 20_000,
            retained: 6_500,
        }
    }

    /// Returns the cost of `count` items of `ns` nanoseconds and `transient` bytes each.
    pub(super) fn of_pairs(count: u64, ns: u64, transient: u64) -> Self {
        Self {
            ns: count.saturating_mul(ns),
            transient: count.saturating_mul(transient),
            retained: 0,
        }
    }

    /// Returns the cost of `count` items of `ns` nanoseconds and `bytes` retained bytes each.
    pub(super) fn of_items(count: u64, ns: u64, bytes: u64) -> Self {
        Self {
            ns: count.saturating_mul(ns),
            transient: 0,
            retained: count.saturating_mul(bytes),
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.ns = self.ns.saturating_add(other.ns);
        self.transient = self.transient.saturating_add(other.transient);
        self.retained = self.retained.saturating_add(other.retained);
    }
}

/// The cost of all functions of a module. Two functions are compiled in parallel.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Total {
    ns: u64,
    /// The time of the most expensive function, which a second core does not reduce.
    longest_ns: u64,
    /// The memory of the two functions that take the most, the larger one first.
    largest: [u64; 2],
    retained: u64,
}

impl Total {
    pub(super) fn add(&mut self, cost: Cost) {
        self.ns = self.ns.saturating_add(cost.ns);
        self.longest_ns = self.longest_ns.max(cost.ns);
        self.retained = self.retained.saturating_add(cost.retained);
        let [first, second] = self.largest;
        if cost.transient > first {
            self.largest = [cost.transient, first];
        } else if cost.transient > second {
            self.largest[1] = cost.transient;
        }
    }

    /// Adds the cost of other functions.
    pub(super) fn merge(&mut self, other: Self) {
        self.ns = self.ns.saturating_add(other.ns);
        self.longest_ns = self.longest_ns.max(other.longest_ns);
        self.retained = self.retained.saturating_add(other.retained);
        let [first, second] = self.largest;
        let [others_first, others_second] = other.largest;
        self.largest = match first >= others_first {
            true => [first, second.max(others_first)],
            false => [others_first, first.max(others_second)],
        };
    }

    /// Returns the time on two cores, in nanoseconds.
    pub(super) fn wall_ns(&self) -> u64 {
        (self.ns / 2).max(self.longest_ns)
    }

    /// Returns the peak memory, in bytes.
    pub(super) fn peak_bytes(&self) -> u64 {
        self.retained
            .saturating_add(self.largest[0])
            // Both functions are rarely at their peak at the same time.
            .saturating_add(self.largest[1] / 8 * 7)
    }
}
