//! The counts of live ranges.

use super::super::numbering::{Kind, Node};
use super::{Block, Deferred, LiveRangeCounts, LiveStores, Placed, Time};

impl Deferred {
    /// Records a call.
    pub(crate) fn call(&mut self) {
        let totals = [LiveStores::All, LiveStores::Last].map(|stores| self.now(stores).total());
        self.calls.push(totals);
    }

    pub(super) fn use_constant_here(&mut self, constant: usize) {
        if !self.numbering.is_cheap(constant) {
            let block = self.here().block;
            for stores in [LiveStores::All, LiveStores::Last] {
                let used = self.now(stores);
                self.use_constant(constant, stores, Placed { block, used });
            }
        }
    }

    /// Returns the larger count of both cases.
    pub(crate) fn live_ranges(&self) -> LiveRangeCounts {
        let [all, last] = self.live_ranges;
        LiveRangeCounts {
            pairs: all.pairs.max(last.pairs),
            blocks: all.blocks.max(last.blocks),
            reused_pairs: all.reused_pairs.max(last.reused_pairs),
            repeated_size: all.repeated_size.max(last.repeated_size),
            constants: all.constants.max(last.constants),
            hoisted: all.hoisted.max(last.hoisted),
            hoisted_exits: all.hoisted_exits.max(last.hoisted_exits),
            exits: all.exits.max(last.exits),
        }
    }

    pub(super) fn now(&self, stores: LiveStores) -> Time {
        Time {
            results: self.results,
            steps: self.placed[stores as usize].saturating_add(self.without_result),
            exits: self.exits,
        }
    }

    /// Returns the number of values computed between two times, except between the first and the last call.
    pub(super) fn live_length(&self, since: Time, now: Time, stores: LiveStores) -> u64 {
        let (since, now) = (since.total(), now.total());
        let at = |call: &[u32; 2]| call[stores as usize];
        let first = self.calls.partition_point(|call| at(call) <= since);
        match (self.calls.get(first), self.calls.last()) {
            (Some(first), Some(last)) => {
                let before = at(first).saturating_sub(since);
                u64::from(before) + u64::from(now.saturating_sub(at(last)))
            }
            _ => u64::from(now.saturating_sub(since)),
        }
    }

    /// Returns an upper bound on the number of branches between two times to a frame where the value is not live.
    /// Frames that have ended do not count.
    pub(super) fn exits_between(&self, since: u32, now: u32) -> u64 {
        u64::from(now.saturating_sub(since)).min(self.open_exits)
    }

    /// Records that a branch passes the value to a merge point. It is live since the previous branch that did so.
    pub(crate) fn pass_argument(&mut self, node: Node) {
        self.hoist(node);
        let index = match node.kind() {
            Kind::Computed(index) => index,
            Kind::Constant(constant) => return self.use_constant_here(constant),
            Kind::Unknown => return,
        };
        self.hoist_operands(index);
        let here = Placed {
            block: self.here().block,
            used: self.now(LiveStores::All),
        };
        let Some(instruction) = self.instructions.get_mut(index) else {
            return;
        };
        let before = instruction.last_passed.replace(here);
        if let Some(before) = before.filter(|before| self.is_available(*before, here.block)) {
            let exits = self.exits_between(before.used.exits, here.used.exits);
            for counts in &mut self.live_ranges {
                counts.exits = counts.exits.saturating_add(exits);
            }
        }
    }

    /// Records a use of the value of an available instruction, which is live until here.
    pub(super) fn use_value(&mut self, index: usize, stores: LiveStores, block: Block) {
        let now = self.now(stores);
        if let Some(placed) = self.available(index, stores, block) {
            let since = std::mem::replace(&mut placed.used, now);
            self.count_live_range(since, now, stores);
        }
    }

    /// Records a use of a constant in a register. A constant is computed in each block that uses it, unless that
    /// takes more than one instruction.
    pub(super) fn use_constant(&mut self, index: usize, stores: LiveStores, here: Placed) {
        if index >= self.constants.len() {
            self.constants.resize(index + 1, [None; 2]);
        }
        let before = self.constants[index][stores as usize];
        let is_cheap = self.numbering.is_cheap(index);
        let before = before.filter(|before| {
            before.block == here.block || !is_cheap && self.is_available(*before, here.block)
        });
        // A constant that is available from a dominating block belongs to that block.
        let block = before.map_or(here.block, |before| before.block);
        let used = here.used;
        self.constants[index][stores as usize] = Some(Placed { block, used });
        if let Some(before) = before {
            self.count_live_range(before.used, used, stores);
        }
    }

    /// Counts a live range from one time to another.
    pub(super) fn count_live_range(&mut self, since: Time, now: Time, stores: LiveStores) {
        let pairs = self.live_length(since, now, stores);
        let exits = self.exits_between(since.exits, now.exits);
        let counts = &mut self.live_ranges[stores as usize];
        counts.reused_pairs = counts.reused_pairs.saturating_add(pairs);
        counts.exits = counts.exits.saturating_add(exits);
    }
}
