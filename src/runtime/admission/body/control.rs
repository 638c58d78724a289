//! Instructions that are about control: blocks, branches, handlers.

use wasmparser::{Catch, Operator};

use super::super::ops::{Opcode, Weight};
use super::super::types::Types;
use super::Bodies;
use super::joins::Join;

/// A block, loop, condition, or the function itself.
pub struct Frame {
    pub kind: FrameKind,
    /// How many frames had begun before, which is its number in [`Ahead`](super::super::ahead::Ahead).
    pub serial: u64,
    /// How high the operand stack is below its parameters.
    pub height: u64,
    pub params: u64,
    pub results: u64,
    /// How deep the block in which it begins is in the dominator tree.
    pub dominators: u64,
    /// How deep the block is from which its end was first branched to.
    pub first_branch: Option<u64>,
    /// The earliest write that may have no call after it, on the ways to its end.
    pub unsettled: u64,
    /// Which instruction was the last table with a branch to it.
    pub last_table: u64,
    pub join: Join,
    /// How many conditional branches lead to its end, or its beginning if it is a loop.
    pub exits: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    Block,
    Loop,
    If,
    /// With so many handlers.
    Try(u64),
}

impl Bodies {
    /// Looks at one instruction of any kind.
    pub(super) fn operator(
        &mut self,
        types: &Types,
        opcode: Opcode,
        operator: &Operator<'_>,
    ) -> Option<()> {
        use Operator as Op;
        let comparison = std::mem::take(&mut self.comparison);
        if !matches!(operator, Op::BrIf { .. } | Op::If { .. } | Op::Select) {
            self.counts.alternatives += comparison;
        }
        match operator {
            Op::Block { blockty } => {
                let (params, results) = types.block(*blockty)?;
                self.size += 1_300;
                self.push(FrameKind::Block, params, results);
            }
            Op::Loop { blockty } => {
                let (params, results) = types.block(*blockty)?;
                self.code(Weight {
                    size: 24_000,
                    blocks: 4,
                });
                self.at.loops += 1;
                self.counts.moved += 10 * params;
                self.counts.stack_loops += self.height;
                self.push(FrameKind::Loop, params, results);
                self.locals.begin_loop(self.at);
                self.begin_loop(params);
            }
            Op::If { blockty } => {
                let (params, results) = types.block(*blockty)?;
                self.need(1);
                self.pop(1);
                self.push(FrameKind::If, params, results);
                self.begin_condition();
                self.code(Weight {
                    size: 4_000,
                    blocks: 1,
                });
            }
            Op::TryTable { try_table } => {
                let (params, results) = types.block(try_table.ty)?;
                self.size += 1_300;
                let mut targets = Vec::new();
                for catch in &try_table.catches {
                    let (Catch::One { label, .. }
                    | Catch::OneRef { label, .. }
                    | Catch::All { label }
                    | Catch::AllRef { label }) = *catch;
                    self.branch(label)?;
                    let handler = self.frame(label)?;
                    self.frames[handler].join.is_unsure = true;
                    targets.push(handler);
                    self.code(Weight {
                        size: 36_000,
                        blocks: 3,
                    });
                }
                let handlers = try_table.catches.len() as u64;
                self.handlers += handlers;
                self.push(FrameKind::Try(handlers), params, results);
                targets.sort_unstable();
                targets.dedup();
                self.tries.push(targets);
            }
            // Exceptions as they were before they were standardised, which the compiler refuses.
            Op::Try { blockty } => {
                let (params, results) = types.block(*blockty)?;
                self.push(FrameKind::Block, params, results);
            }
            Op::Catch { tag_index } => {
                let frame = self.frames.last()?;
                self.height = frame.height + types.tag(*tag_index)?;
            }
            Op::CatchAll => self.height = self.frames.last()?.height,
            Op::Delegate { .. } => self.end()?,
            Op::Rethrow { .. } => {}
            Op::Else => {
                let results = self.frames.last()?.results;
                self.hand_on(results);
                self.other_arm();
                let frame = self.frames.last()?;
                let dominators = frame.dominators;
                self.height = frame.height + frame.params;
                self.unsettled = self.unsettled.min(frame.unsettled);
                self.counts.moved += results;
                self.dominators = dominators;
                self.code(Weight {
                    size: 1_500,
                    blocks: 1,
                });
            }
            Op::End => self.end()?,
            Op::Br { relative_depth } => {
                self.size += 1_500;
                self.branch(*relative_depth)?;
                self.is_reachable = false;
            }
            Op::BrIf { relative_depth } => {
                self.need(1);
                self.pop(1);
                self.conditional_branch(*relative_depth, 5_700, 1)?;
            }
            Op::BrOnNull { relative_depth } | Op::BrOnNonNull { relative_depth } => {
                self.conditional_branch(*relative_depth, 6_500, 1)?;
            }
            Op::BrOnCast { relative_depth, .. } | Op::BrOnCastFail { relative_depth, .. } => {
                self.counts.types += 1;
                self.conditional_branch(*relative_depth, 30_000, 5)?;
            }
            Op::BrTable { targets } => {
                self.need(1);
                self.pop(1);
                self.size += 9_000;
                let count = u64::from(targets.len()) + 1;
                let moved = self.branch(targets.default())?;
                self.profile.validation_steps += count * (1 + moved);
                // Targets are told apart by their depth.
                let mut blocks = 1;
                let table = self.counts.ops;
                for target in targets.targets() {
                    let index = self.frame(target.ok()?)?;
                    if self.frames[index].last_table != table {
                        self.join(index);
                        self.exit(index);
                    }
                    let frame = &mut self.frames[index];
                    frame.first_branch.get_or_insert(self.dominators);
                    frame.unsettled = frame.unsettled.min(self.unsettled);
                    blocks += u64::from(frame.last_table != table);
                    frame.last_table = table;
                }
                self.counts.moved += 10 * blocks * moved;
                self.counts.edges += blocks;
                self.size += 50 * count;
                self.begin_blocks(1 + blocks);
                self.is_reachable = false;
            }
            Op::Return => {
                self.size += 1_500;
                let results = self.frames.first()?.results;
                self.counts.moved += results;
                self.hand_on(results);
                self.is_reachable = false;
            }
            _ => self.plain(types, opcode, operator)?,
        }
        Some(())
    }

    fn conditional_branch(&mut self, depth: u32, size: u64, blocks: u64) -> Option<()> {
        self.branch(depth)?;
        self.exit(self.frame(depth)?);
        self.code(Weight { size, blocks });
        Some(())
    }

    /// A branch to the frame of this depth. Returns how many values it takes along.
    fn branch(&mut self, depth: u32) -> Option<u64> {
        let dominators = self.dominators;
        let index = self.frame(depth)?;
        self.join(index);
        let frame = &mut self.frames[index];
        frame.first_branch.get_or_insert(dominators);
        frame.unsettled = frame.unsettled.min(self.unsettled);
        let moved = match frame.kind {
            FrameKind::Loop => frame.params,
            _ => frame.results,
        };
        self.counts.moved += moved;
        self.profile.validation_steps += moved;
        self.hand_on(moved);
        Some(moved)
    }

    /// So many values on top of the operand stack are taken along to another block, or returned.
    pub(super) fn hand_on(&mut self, count: u64) {
        let count = count.min(self.handed_left);
        self.handed_left -= count;
        self.need(count);
    }

    fn frame(&self, depth: u32) -> Option<usize> {
        self.frames.len().checked_sub(1 + depth as usize)
    }

    pub(super) fn push(&mut self, kind: FrameKind, params: u64, results: u64) {
        self.counts.moved += params + results;
        self.profile.validation_steps += params + results;
        self.frames.push(Frame {
            kind,
            serial: self.at.frames,
            height: self.height.saturating_sub(params),
            params,
            results,
            dominators: self.dominators,
            first_branch: None,
            unsettled: match kind {
                // Without an `else`, the condition itself is a way.
                FrameKind::If => self.unsettled,
                _ => u64::MAX,
            },
            last_table: 0,
            join: Join::default(),
            exits: 0,
        });
        self.at.frames += 1;
        self.at.depth = self.frames.len() as u64;
        self.profile.nesting = self.profile.nesting.max(self.at.depth - 1);
    }

    fn end(&mut self) -> Option<()> {
        let last = self.frames.len().checked_sub(1)?;
        let frame = &self.frames[last];
        let results = frame.results;
        // What control brings from one side only is the value itself.
        let joins = match frame.kind {
            FrameKind::If => true,
            FrameKind::Loop => false,
            FrameKind::Block | FrameKind::Try(_) => frame.first_branch.is_some(),
        };
        if joins || last == 0 {
            self.hand_on(results);
        }
        if joins {
            self.join(last);
        }
        let frame = self.frames.pop()?;
        self.at.open_exits = self.at.open_exits.saturating_sub(frame.exits);
        self.deferred.close(frame.exits);
        if joins {
            self.values.truncate(frame.height);
        }
        self.height = frame.height + frame.results;
        self.values.truncate(self.height);
        self.unsettled = self.unsettled.min(frame.unsettled);
        self.at.depth = self.frames.len() as u64;
        self.profile.validation_steps += frame.results;
        let dominators = match (frame.kind, frame.first_branch) {
            (FrameKind::If, _) => Some((frame.dominators, 1_500)),
            (FrameKind::Block | FrameKind::Try(_), Some(first_branch)) => {
                Some((first_branch, 1_500))
            }
            // Without a branch to it, it ends one of the compiler's blocks too, which costs no more than
            // its beginning was estimated at.
            (FrameKind::Block | FrameKind::Try(_), None) => Some((self.dominators, 0)),
            (FrameKind::Loop, _) => None,
        };
        if let Some((dominators, size)) = dominators {
            self.dominators = dominators;
            self.code(Weight { size, blocks: 1 });
        }
        self.counts.result_tables += (frame.params + frame.results) * self.at.blocks;
        match frame.kind {
            FrameKind::Loop => {
                self.locals.end_loop(self.at);
                self.end_loop(frame.serial);
            }
            FrameKind::Try(handlers) => {
                self.handlers = self.handlers.saturating_sub(handlers);
                self.tries.pop();
            }
            FrameKind::Block | FrameKind::If => {}
        }
        self.joined(frame);
        Some(())
    }
}
