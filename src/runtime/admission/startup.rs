//! The function that the compiler makes for what happens when a module is instantiated.

use super::cost::Cost;

/// What that function holds.
#[derive(Default)]
pub(super) struct Startup {
    /// Data of the compiler's, in bytes.
    size: u64,
    /// Blocks, one after another.
    blocks: u64,
    /// Globals that are set there.
    pub globals: u64,
    /// Objects of some type that are made there.
    pub types: u64,
    /// References that may be alive at one time.
    pub alive: u64,
    /// Instructions whose effects are kept in order.
    effects: u64,
}

impl Startup {
    /// Adds code that the compiler makes from `size` bytes of its own data, with so many blocks.
    pub fn code(&mut self, size: u64, blocks: u64) {
        self.size = self.size.saturating_add(size);
        self.blocks += blocks;
        self.effects += 1;
    }

    pub fn cost(&self) -> Cost {
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
