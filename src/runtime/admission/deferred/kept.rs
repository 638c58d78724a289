//! How long values are kept.

use super::super::numbering::{Kind, Node};
use super::{Block, Deferred, Kept, Placed, Stores, Time};

impl Deferred {
    /// A function is called.
    pub fn call(&mut self) {
        let times = [Stores::All, Stores::Last].map(|stores| self.now(stores).all());
        self.calls.push(times);
    }

    pub(super) fn use_constant_here(&mut self, constant: usize) {
        if !self.numbering.is_cheap(constant) {
            let block = self.here().block;
            for stores in [Stores::All, Stores::Last] {
                let used = self.now(stores);
                self.use_constant(constant, stores, Placed { block, used });
            }
        }
    }

    /// What was counted, the larger of both each time.
    pub fn kept(&self) -> Kept {
        let [all, last] = self.kept;
        Kept {
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

    pub(super) fn now(&self, stores: Stores) -> Time {
        Time {
            left: self.left,
            steps: self.placed[stores as usize].saturating_add(self.silent),
            exits: self.exits,
        }
    }

    /// How much was computed between the two, other than across calls.
    pub(super) fn kept_since(&self, since: Time, now: Time, stores: Stores) -> u64 {
        let (since, now) = (since.all(), now.all());
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

    /// How many of the branches between the two may lead to where a value is not kept: those to frames that have ended
    /// since do not.
    pub(super) fn exits_between(&self, since: u32, now: u32) -> u64 {
        u64::from(now.saturating_sub(since)).min(self.open_exits)
    }

    /// Control takes the value along to a join. It is kept since that was so the last time.
    pub fn hand_on(&mut self, node: Node) {
        self.hoist(node);
        let index = match node.kind() {
            Kind::Computed(index) => index,
            Kind::Constant(constant) => return self.use_constant_here(constant),
            Kind::Unknown => return,
        };
        self.hoist_operands(index);
        let here = Placed {
            block: self.here().block,
            used: self.now(Stores::All),
        };
        let Some(instruction) = self.instructions.get_mut(index) else {
            return;
        };
        let before = instruction.handed_on.replace(here);
        if let Some(before) = before.filter(|before| self.is_there(*before, here.block)) {
            let exits = self.exits_between(before.used.exits, here.used.exits);
            for kept in &mut self.kept {
                kept.exits = kept.exits.saturating_add(exits);
            }
        }
    }

    /// Something takes the value of this instruction, which was kept until here.
    pub(super) fn use_again(&mut self, index: usize, stores: Stores, block: Block) {
        let now = self.now(stores);
        if let Some(placed) = self.there(index, stores, block) {
            let since = std::mem::replace(&mut placed.used, now);
            self.reuse(since, now, stores);
        }
    }

    /// A constant is needed in a register. It is computed once in each block, or once if that takes more.
    pub(super) fn use_constant(&mut self, index: usize, stores: Stores, here: Placed) {
        if index >= self.constants.len() {
            self.constants.resize(index + 1, [None; 2]);
        }
        let before = self.constants[index][stores as usize];
        let is_cheap = self.numbering.is_cheap(index);
        let before = before.filter(|before| {
            before.block == here.block || !is_cheap && self.is_there(*before, here.block)
        });
        // Where it is kept from is the first place, if control has to come through there.
        let block = before.map_or(here.block, |before| before.block);
        let used = here.used;
        self.constants[index][stores as usize] = Some(Placed { block, used });
        if let Some(before) = before {
            self.reuse(before.used, used, stores);
        }
    }

    /// A value is kept from one time to the other.
    pub(super) fn reuse(&mut self, since: Time, now: Time, stores: Stores) {
        let pairs = self.kept_since(since, now, stores);
        let exits = self.exits_between(since.exits, now.exits);
        let kept = &mut self.kept[stores as usize];
        kept.reused_pairs = kept.reused_pairs.saturating_add(pairs);
        kept.exits = kept.exits.saturating_add(exits);
    }
}
