//! The startup function, which the compiler makes to instantiate a module.

use super::cost::Cost;

/// Counters of the startup function.
#[derive(Default)]
pub(super) struct Startup {
    /// The size of the compiler's data, in bytes.
    size: u64,
    /// The number of blocks, each of which dominates the next.
    blocks: u64,
    /// The number of globals that are set.
    pub globals: u64,
    /// The number of objects with a type that are made.
    pub types: u64,
    /// The maximum number of references that are live at one time.
    pub alive: u64,
    /// The number of instructions with side effects, whose order the compiler keeps.
    effects: u64,
}

impl Startup {
    /// Adds code with `blocks` blocks for which the compiler has `size` bytes of its own data.
    pub(super) fn code(&mut self, size: u64, blocks: u64) {
        self.size = self.size.saturating_add(size);
        self.blocks += blocks;
        self.effects += 1;
    }

    pub(super) fn cost(&self) -> Cost {
        let mut cost = Cost::default();
        if self.effects == 0 {
            return cost;
        }
        cost.add(Cost::of_function());
        cost.add(Cost::of_function());
        cost.add(Cost::of_code(self.size));
        let dominated = self.blocks.saturating_mul(self.blocks) / 2;
        cost.add(Cost::of_pairs(dominated, 15, 0));
        let regions = self.globals + 1;
        cost.add(Cost::of_pairs(self.effects.saturating_mul(regions), 2, 0));
        let kept = self.blocks.saturating_mul(regions);
        cost.add(Cost::of_pairs(kept, 5, 10));
        cost.add(Cost::of_pairs(kept.saturating_mul(regions), 4, 0));
        cost
    }
}
