//! Values that the optimiser puts before a loop, since that does not change them, so that they are not computed in it
//! again and again. They are kept through all of it.

use super::super::numbering::{Kind, Node};
use super::{Deferred, Loop};

impl Deferred {
    /// A loop begins that is branched to.
    pub fn begin_loop(&mut self) {
        let began = self.here().block.number;
        self.loops.push(Loop {
            began,
            hoisted: [0; 2],
            exits: 0,
            last_exits: 0,
        });
    }

    /// The innermost of those loops ends, in a block with this number. These aliases turn out to be the values from
    /// before it: what takes one may have been put before the loop too.
    pub fn end_loop(&mut self, number: u64, mut aliases: impl Iterator<Item = Node>) {
        let is_taken = |alias: Node| match alias.kind() {
            Kind::Computed(index) => self.instructions.get(index).is_some_and(|it| it.is_taken),
            _ => false,
        };
        let are_taken = aliases.any(is_taken);
        if let Some(open) = self.loops.pop() {
            let hoisted = open.hoisted[usize::from(are_taken)];
            let blocks = number.saturating_sub(u64::from(open.began));
            let pairs = hoisted.saturating_mul(blocks);
            let exits = hoisted.saturating_mul(open.exits);
            if let Some(around) = self.loops.last_mut() {
                around.exits += open.exits - open.last_exits;
            }
            for kept in &mut self.kept {
                kept.hoisted = kept.hoisted.saturating_add(pairs);
                kept.hoisted_exits = kept.hoisted_exits.saturating_add(exits);
            }
        }
    }

    /// A branch leads out of a frame, and of those loops that began after so many.
    pub fn exit(&mut self, loops: usize) {
        self.exits = self.exits.saturating_add(1);
        self.open_exits += 1;
        if let Some(outermost) = self.loops.get_mut(loops) {
            outermost.last_exits += 1;
            if let Some(innermost) = self.loops.last_mut() {
                innermost.exits += 1;
            }
        }
    }

    /// A frame ends to which so many of those branches lead.
    pub fn close(&mut self, exits: u64) {
        self.open_exits = self.open_exits.saturating_sub(exits);
    }

    /// The value of the last instruction is another one each time the innermost loop begins, at these times of
    /// [`Instruction::depends_on`].
    pub(super) fn depend_on_loop(&mut self, times: [bool; 2]) {
        if let (Some(open), Some(instruction)) = (self.loops.last(), self.instructions.last_mut()) {
            for (depends_on, is_that) in instruction.depends_on.iter_mut().zip(times) {
                if is_that {
                    *depends_on = open.began;
                }
            }
        }
    }

    /// The innermost loop on which the value depends.
    pub(super) fn depends_on(&self, node: Node, time: usize) -> u32 {
        match node.kind() {
            Kind::Constant(_) => 0,
            Kind::Computed(index) => {
                let instruction = self.instructions.get(index);
                instruction.map_or(0, |instruction| instruction.depends_on[time])
            }
            Kind::Unknown => match node.opaque_index() {
                Some(index) => self.unknown.get(index).copied().unwrap_or(0),
                None if node == Node::NONE => 0,
                None => self.loops.last().map_or(0, |open| open.began),
            },
        }
    }

    /// An instruction computes so many other values of this one, which are put before a loop with it.
    pub fn derive(&mut self, node: Node, count: u64) {
        if let Kind::Constant(index) = node.kind()
            && self.numbering.is_cheap(index)
        {
            return;
        }
        for time in [0, 1] {
            let depends_on = self.depends_on(node, time);
            let outermost = self.loops.partition_point(|open| open.began <= depends_on);
            if let Some(open) = self.loops.get_mut(outermost) {
                open.hoisted[time] += count;
            }
        }
    }

    /// Something in the current block takes a value, which is put before a loop if it does not depend on that.
    pub(super) fn hoist(&mut self, node: Node) {
        if self.loops.is_empty() {
            return;
        }
        for time in [0, 1] {
            let depends_on = self.depends_on(node, time);
            let outermost = self.loops.partition_point(|open| open.began <= depends_on);
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
                && hoisted[time] != open.began
            {
                hoisted[time] = open.began;
                open.hoisted[time] += 1;
            }
        }
    }

    /// An instruction is computed in the current block if the innermost loop changes it, and keeps the operands that the
    /// loop does not change.
    pub(super) fn hoist_operands(&mut self, index: usize) {
        let Some(innermost) = self.loops.last() else {
            return;
        };
        if let Some(instruction) = self.instructions.get(index)
            && instruction.depends_on[0] >= innermost.began
        {
            for operand in instruction.operands {
                self.hoist(operand);
            }
        }
    }
}
