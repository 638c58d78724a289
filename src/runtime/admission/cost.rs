//! What it costs to compile something: estimates, in time and memory.
//!
//! The weights are measurements of wasmtime 48 with checks for fuel and interruption, in a build with
//! debug assertions, rounded up. `crates/conformance/benches/compile_cost` measures the modules for
//! which they are furthest off.

/// The size of a binary from which on an estimate counts as it is.
const LARGE_BYTES: u64 = 1 << 20;

/// An estimate for a binary of so many bytes, with room for what it does not see: twice as much of the smallest
/// modules.
///
/// The smaller a module is, the more can it be off: what every module may cost leaves room for more of one
/// instruction, that no compiler would write. Published modules below [`LARGE_BYTES`] come up to 40 % of their
/// bound, larger ones up to 99 %.
pub(super) fn with_room(estimate: u64, binary_bytes: u64) -> u64 {
    let missing = LARGE_BYTES.saturating_sub(binary_bytes);
    let more = u128::from(estimate) * u128::from(missing) / u128::from(LARGE_BYTES);
    estimate.saturating_add(u64::try_from(more).unwrap_or(u64::MAX))
}

/// What compiling a module may cost.
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
    /// Memory while it is compiled, in bytes.
    pub transient: u64,
    /// Memory until the whole module is compiled, in bytes.
    pub retained: u64,
}

impl Cost {
    /// Code that the compiler makes from `size` bytes of its own data.
    ///
    /// Most of what a compiler does and keeps is in proportion to its own data, of which an instruction
    /// has from a few bytes to a hundred thousand.
    pub fn of_code(size: u64) -> Self {
        Self {
            ns: size.saturating_mul(8),
            transient: size,
            retained: size / 18,
        }
    }

    /// A function of its own, however small: one of the module's, or one through which the host calls.
    pub fn of_function() -> Self {
        Self {
            ns: 150_000,
            transient: 20_000,
            retained: 6_500,
        }
    }

    /// `count` times something that takes `ns` nanoseconds and `transient` bytes.
    pub fn of_pairs(count: u64, ns: u64, transient: u64) -> Self {
        Self {
            ns: count.saturating_mul(ns),
            transient: count.saturating_mul(transient),
            retained: 0,
        }
    }

    /// `count` times something that takes `ns` nanoseconds, and `bytes` that stay.
    pub fn of_items(count: u64, ns: u64, bytes: u64) -> Self {
        Self {
            ns: count.saturating_mul(ns),
            transient: 0,
            retained: count.saturating_mul(bytes),
        }
    }

    pub fn add(&mut self, other: Self) {
        self.ns = self.ns.saturating_add(other.ns);
        self.transient = self.transient.saturating_add(other.transient);
        self.retained = self.retained.saturating_add(other.retained);
    }
}

/// The cost of all functions of a module, of which two are compiled at a time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Total {
    ns: u64,
    /// The time of the function that takes longest, which no second core shortens.
    longest_ns: u64,
    /// The two functions that take the most memory, the larger one first.
    largest: [u64; 2],
    retained: u64,
}

impl Total {
    pub fn add(&mut self, cost: Cost) {
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

    /// On two cores, in nanoseconds.
    pub fn wall_ns(&self) -> u64 {
        (self.ns / 2).max(self.longest_ns)
    }

    /// The most at one time, in bytes.
    pub fn peak_bytes(&self) -> u64 {
        self.retained
            .saturating_add(self.largest[0])
            // It is seldom at its worst in the same moment.
            .saturating_add(self.largest[1] / 8 * 7)
    }
}
