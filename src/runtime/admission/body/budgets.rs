//! The budgets of the analysis of one module.

use super::super::cost::Bound;
use super::super::liveness::MAX_WORD_STEPS;
use super::counts::{ARGUMENT_NS, LOOP_PAIR_NS, REPEATED_NS};

/// The approximate time that the walk takes per local at a merge point, in nanoseconds.
const MERGED_LOCAL_NS: u64 = 1_000;

/// Numbers of items that may be analysed in the bodies of one module. A module with more is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Budgets {
    /// Pairs of a local and a loop that carries it.
    pub loop_pairs: u64,
    /// Instructions that are repeated.
    pub repeats: u64,
    /// Block arguments.
    pub arguments: u64,
    /// Pairs of a frame and a local that is merged at its label.
    pub merged_pairs: u64,
    /// Words of sets of locals.
    pub set_words: u64,
    /// Pairs of a branch and a local that is merged at its target.
    pub branch_pairs: u64,
}

impl Budgets {
    /// Makes the budgets of a module that is refused if it costs more than `bound`.
    pub(super) fn new(bound: Bound) -> Self {
        // The number of items of `ns_each` nanoseconds that fit into the bound. Two functions are compiled in
        // parallel.
        let budget = |ns_each: u64| {
            let ns = bound.ns.max(10_000_000_000).saturating_mul(2);
            2 + ns.div_ceil(ns_each)
        };
        Self {
            loop_pairs: budget(LOOP_PAIR_NS),
            repeats: budget(REPEATED_NS),
            arguments: budget(ARGUMENT_NS),
            merged_pairs: budget(ARGUMENT_NS),
            set_words: MAX_WORD_STEPS,
            branch_pairs: budget(MERGED_LOCAL_NS),
        }
    }

    /// Returns each budget divided by `count`.
    pub(in super::super) fn share(self, count: u64) -> Self {
        self.map(self, |budget, _| budget / count)
    }

    /// Returns these budgets without those that were spent.
    pub(in super::super) fn without(self, spent: Self) -> Self {
        self.map(spent, u64::saturating_sub)
    }

    /// Whether nothing is left of one of the budgets.
    pub(in super::super) fn is_any_used_up(self) -> bool {
        let mut is_any = false;
        self.map(self, |budget, _| {
            is_any |= budget == 0;
            budget
        });
        is_any
    }

    fn map(self, other: Self, mut result: impl FnMut(u64, u64) -> u64) -> Self {
        macro_rules! each {
            ($($field:ident)*) => {
                Self { $($field: result(self.$field, other.$field)),* }
            };
        }
        each!(loop_pairs repeats arguments merged_pairs set_words branch_pairs)
    }
}
