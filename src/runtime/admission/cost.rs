//! Estimates of compilation cost, in time and memory.
//!
//! The weights are measurements, rounded up, of wasmtime 48 with checks for fuel and interruption, in a build with
//! debug assertions. `crates/conformance/benches/compile_cost` measures the modules for which the estimates are
//! least accurate.

use serde::{Deserialize, Serialize};

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

impl Bound {
    /// Whether this cost is within `bound`.
    pub(super) fn is_within(&self, bound: &Self) -> bool {
        self.ns <= bound.ns && self.bytes <= bound.bytes
    }
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

/// The memory of the most expensive functions of a module that is known one by one.
const LARGEST: usize = 64;

/// The memory to compile a module, by the number of functions that are compiled at a time.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Memory {
    /// The memory until the whole module is compiled.
    retained: u64,
    /// The memory of the functions that take the most while they are compiled, the largest one first.
    largest: Vec<u64>,
}

impl Memory {
    /// Adds memory until the whole module is compiled, in bytes.
    pub(super) fn add_retained(&mut self, bytes: u64) {
        self.retained = self.retained.saturating_add(bytes);
    }

    /// Adds a function that takes so much memory while it is compiled, in bytes.
    fn add_function(&mut self, bytes: u64) {
        let place = self.largest.partition_point(|&larger| larger >= bytes);
        if bytes > 0 && place < LARGEST {
            self.largest.truncate(LARGEST - 1);
            self.largest.insert(place, bytes);
        }
    }

    /// Adds the memory of other functions.
    pub(super) fn merge(&mut self, other: &Self) {
        self.add_retained(other.retained);
        for &bytes in &other.largest {
            self.add_function(bytes);
        }
    }

    /// Returns an estimate with a margin: see [`with_margin`].
    fn with_margin(&self, binary_bytes: u64) -> Self {
        let with_margin = |&bytes: &u64| with_margin(bytes, binary_bytes);
        Self {
            retained: with_margin(&self.retained),
            largest: self.largest.iter().map(with_margin).collect(),
        }
    }

    /// Returns the peak memory while so many functions are compiled at a time, in bytes.
    pub(super) fn peak(&self, parallel: usize) -> u64 {
        let Some((largest, others)) = self.largest.split_first() else {
            return self.retained;
        };
        let known = others.iter().take(parallel.saturating_sub(1));
        let others_bytes = known.copied().fold(0, u64::saturating_add);
        // What is not known takes at most as much as the least that is.
        let unknown = match self.largest.len() {
            LARGEST => parallel.saturating_sub(LARGEST) as u64,
            _ => 0,
        };
        let unknown_bytes = unknown.saturating_mul(others.last().copied().unwrap_or(0));
        // Functions are rarely at their peak at the same time.
        let others_bytes = others_bytes.saturating_add(unknown_bytes) / 8 * 7;
        let functions = largest.saturating_add(others_bytes);
        self.retained.saturating_add(functions)
    }

    /// Returns how many functions can be compiled at a time in so many bytes, up to `most`. Returns 0 if none can.
    pub(super) fn parallel_within(&self, bytes: u64, most: usize) -> usize {
        let fits = |parallel: &usize| self.peak(*parallel) <= bytes;
        (1..=most).take_while(fits).last().unwrap_or(0)
    }
}

/// The cost of all functions of a module.
#[derive(Clone, Debug, Default)]
pub(super) struct Total {
    ns: u64,
    /// The time of the most expensive function, which a second core does not reduce.
    longest_ns: u64,
    memory: Memory,
}

impl Total {
    pub(super) fn add(&mut self, cost: Cost) {
        self.ns = self.ns.saturating_add(cost.ns);
        self.longest_ns = self.longest_ns.max(cost.ns);
        self.memory.add_retained(cost.retained);
        self.memory.add_function(cost.transient);
    }

    /// Adds the cost of other functions.
    pub(super) fn merge(&mut self, other: &Self) {
        self.ns = self.ns.saturating_add(other.ns);
        self.longest_ns = self.longest_ns.max(other.longest_ns);
        self.memory.merge(&other.memory);
    }

    /// Returns the time on two cores, in nanoseconds.
    pub(super) fn wall_ns(&self) -> u64 {
        (self.ns / 2).max(self.longest_ns)
    }

    /// Returns the time on one core, in nanoseconds.
    pub(super) fn sequential_ns(&self) -> u64 {
        self.ns
    }

    /// Returns the memory with a margin for a binary of this size: see [`with_margin`].
    pub(super) fn memory(&self, binary_bytes: u64) -> Memory {
        self.memory.with_margin(binary_bytes)
    }
}
