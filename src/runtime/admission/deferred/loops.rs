//! Loop-invariant values, which the optimiser hoists out of the loop. They are live during the whole loop.

use super::super::numbering::{Kind, Node};
use super::{Deferred, Loop};

impl Deferred {
    /// Begins a loop that is branched to.
    pub(crate) fn begin_loop(&mut self) {
        let start = self.here().block.number;
        self.loops.push(Loop {
            start,
            hoisted: [0; 2],
            exits: 0,
            last_exits: 0,
        });
    }

    /// Ends the innermost of these loops, at the block with this number. `aliases` are the nodes that turned out to
    /// be equal to the values before the loop, so instructions that use one of them may have been hoisted too.
    pub(crate) fn end_loop(&mut self, number: u64, mut aliases: impl Iterator<Item = Node>) {
        let is_used = |alias: Node| match alias.kind() {
            Kind::Computed(index) => self.instructions.get(index).is_some_and(|it| it.is_used),
            _ => false,
        };
        let are_used = aliases.any(is_used);
        if let Some(open) = self.loops.pop() {
            let hoisted = open.hoisted[usize::from(are_used)];
            let blocks = number.saturating_sub(u64::from(open.start));
            let pairs = hoisted.saturating_mul(blocks);
            let exits = hoisted.saturating_mul(open.exits);
            if let Some(around) = self.loops.last_mut() {
                around.exits += open.exits - open.last_exits;
            }
            for counts in &mut self.live_ranges {
                counts.hoisted = counts.hoisted.saturating_add(pairs);
                counts.hoisted_exits = counts.hoisted_exits.saturating_add(exits);
            }
        }
    }

    /// Records a conditional branch out of all open loops with an index of at least `loops`.
    pub(crate) fn exit(&mut self, loops: usize) {
        self.exits = self.exits.saturating_add(1);
        self.open_exits += 1;
        if let Some(outermost) = self.loops.get_mut(loops) {
            outermost.last_exits += 1;
            if let Some(innermost) = self.loops.last_mut() {
                innermost.exits += 1;
            }
        }
    }

    /// Records the end of a frame that is the target of `exits` conditional branches.
    pub(crate) fn close_frame(&mut self, exits: u64) {
        self.open_exits = self.open_exits.saturating_sub(exits);
    }

    /// Marks the last instruction as dependent on the innermost loop, in these cases of
    /// [`Instruction::depends_on`].
    pub(super) fn depend_on_loop(&mut self, cases: [bool; 2]) {
        if let (Some(open), Some(instruction)) = (self.loops.last(), self.instructions.last_mut()) {
            for (depends_on, is_affected) in instruction.depends_on.iter_mut().zip(cases) {
                if is_affected {
                    *depends_on = open.start;
                }
            }
        }
    }

    /// Returns the innermost loop on which the value depends.
    pub(super) fn depends_on(&self, node: Node, case: usize) -> u32 {
        match node.kind() {
            Kind::Constant(_) => 0,
            Kind::Computed(index) => {
                let instruction = self.instructions.get(index);
                instruction.map_or(0, |instruction| instruction.depends_on[case])
            }
            Kind::Unknown => match node.opaque_index() {
                Some(index) => self.unknown.get(index).copied().unwrap_or(0),
                None if node == Node::NONE => 0,
                None => self.loops.last().map_or(0, |open| open.start),
            },
        }
    }

    /// Records that an instruction derives `count` values from this one. They are hoisted together with it.
    pub(crate) fn derive(&mut self, node: Node, count: u64) {
        if let Kind::Constant(index) = node.kind()
            && self.numbering.is_cheap(index)
        {
            return;
        }
        for case in [0, 1] {
            let depends_on = self.depends_on(node, case);
            let outermost = self.loops.partition_point(|open| open.start <= depends_on);
            if let Some(open) = self.loops.get_mut(outermost) {
                open.hoisted[case] += count;
            }
        }
    }

    /// Records a use in the current block. The value is hoisted out of the loops on which it does not depend.
    pub(super) fn hoist(&mut self, node: Node) {
        if self.loops.is_empty() {
            return;
        }
        for case in [0, 1] {
            let depends_on = self.depends_on(node, case);
            let outermost = self.loops.partition_point(|open| open.start <= depends_on);
            let Some(open) = self.loops.get_mut(outermost) else {
                continue;
            };
            let hoisted = match node.kind() {
                Kind::Computed(index) => {
                    let instruction = self.instructions.get_mut(index);
                    let instruction = instruction.filter(|instruction| !instruction.is_cheap);
                    instruction.map(|instruction| &mut instruction.hoisted)
                }
                Kind::Constant(index) if !self.numbering.is_cheap(index) => {
                    if index >= self.hoisted_constants.len() {
                        self.hoisted_constants.resize(index + 1, [0; 2]);
                    }
                    self.hoisted_constants.get_mut(index)
                }
                _ => None,
            };
            if let Some(hoisted) = hoisted
                && hoisted[case] != open.start
            {
                hoisted[case] = open.start;
                open.hoisted[case] += 1;
            }
        }
    }

    /// Records the uses of an instruction's operands. If the instruction depends on the innermost loop, it is
    /// computed in the current block, and its loop-invariant operands are live during the loop.
    pub(super) fn hoist_operands(&mut self, index: usize) {
        let Some(innermost) = self.loops.last() else {
            return;
        };
        if let Some(instruction) = self.instructions.get(index)
            && instruction.depends_on[0] >= innermost.start
        {
            for operand in instruction.operands {
                self.hoist(operand);
            }
        }
    }
}
