//! Control instructions: blocks, branches, exception handlers.

use wasmparser::{Catch, Operator};

use super::super::ops::{Opcode, Weight};
use super::super::types::Types;
use super::Bodies;
use super::merges::MergePoint;

/// The control frame of a block, loop, `if`, `try_table`, or of the function itself.
pub(super) struct Frame {
    pub kind: FrameKind,
    /// The number of frames that began before this one. [`Liveness`](super::super::liveness::Liveness) uses the
    /// same number.
    pub serial: u64,
    /// The height of the operand stack below the frame's parameters.
    pub height: u64,
    pub params: u64,
    pub results: u64,
    /// The depth in the dominator tree of the block in which the frame begins.
    pub dominators: u64,
    /// The depth in the dominator tree of the first block that branches to the frame's label.
    pub first_branch: Option<u64>,
    /// The minimum of [`Bodies::first_pending_write`] on all paths to the frame's end.
    pub first_pending_write: u64,
    /// The serial number of the last `br_table` with a branch to the frame.
    pub last_table: u64,
    pub merge_point: MergePoint,
    /// The number of conditional branches to the frame's label: its end, or its start if it is a loop.
    pub exits: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FrameKind {
    Block,
    Loop,
    If,
    /// A `try_table` with this number of catch clauses.
    Try(u64),
}

impl Bodies {
    /// Analyses one instruction of any kind.
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
                self.position.loops += 1;
                self.counts.moved += 10 * params;
                self.counts.stack_loops += self.height;
                self.push(FrameKind::Loop, params, results);
                self.locals.begin_loop(self.position);
                self.begin_loop(params);
            }
            Op::If { blockty } => {
                let (params, results) = types.block(*blockty)?;
                self.need(1);
                self.pop(1);
                self.push(FrameKind::If, params, results);
                self.begin_if();
                self.code(Weight {
                    size: 4_000,
                    blocks: 1,
                });
            }
            Op::TryTable { try_table } => {
                self.profile.catches = true;
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
                    self.frames[handler].merge_point.catches_exceptions = true;
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
            // Legacy exception instructions, which the compiler never sees.
            Op::Try { blockty } => {
                self.profile.legacy_exceptions = true;
                self.profile.catches = true;
                if self.tracks_values {
                    return None;
                }
                let (params, results) = types.block(*blockty)?;
                self.push(FrameKind::Block, params, results);
            }
            Op::Catch { tag_index } => {
                let frame = self.frames.last()?;
                let params = types.tag(*tag_index)?;
                self.height = frame.height + params;
                self.profile.validation_steps += frame.results + params;
            }
            Op::CatchAll => {
                let frame = self.frames.last()?;
                self.height = frame.height;
                self.profile.validation_steps += frame.results;
            }
            Op::Delegate { .. } => self.end()?,
            Op::Rethrow { .. } => {}
            Op::Else => {
                let results = self.frames.last()?.results;
                self.pass_arguments(results);
                self.begin_else();
                let frame = self.frames.last()?;
                let dominators = frame.dominators;
                self.height = frame.height + frame.params;
                self.first_pending_write = self.first_pending_write.min(frame.first_pending_write);
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
                // The compiler makes one block per distinct target of a `br_table`.
                let mut blocks = 1;
                let table = self.counts.ops;
                for target in targets.targets() {
                    let index = self.frame(target.ok()?)?;
                    if self.frames[index].last_table != table {
                        self.add_predecessor(index);
                        self.count_exit(index);
                    }
                    let frame = &mut self.frames[index];
                    frame.first_branch.get_or_insert(self.dominators);
                    frame.first_pending_write =
                        frame.first_pending_write.min(self.first_pending_write);
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
                self.pass_arguments(results);
                self.is_reachable = false;
            }
            _ => self.plain(types, opcode, operator)?,
        }
        Some(())
    }

    fn conditional_branch(&mut self, depth: u32, size: u64, blocks: u64) -> Option<()> {
        self.branch(depth)?;
        self.count_exit(self.frame(depth)?);
        self.code(Weight { size, blocks });
        Some(())
    }

    /// Analyses a branch to the frame at `depth`. Returns the number of values that it passes.
    fn branch(&mut self, depth: u32) -> Option<u64> {
        let dominators = self.dominators;
        let index = self.frame(depth)?;
        self.add_predecessor(index);
        let frame = &mut self.frames[index];
        frame.first_branch.get_or_insert(dominators);
        frame.first_pending_write = frame.first_pending_write.min(self.first_pending_write);
        let moved = match frame.kind {
            FrameKind::Loop => frame.params,
            _ => frame.results,
        };
        self.counts.moved += moved;
        self.profile.validation_steps += moved;
        self.pass_arguments(moved);
        Some(moved)
    }

    /// Counts `count` values on top of the operand stack that are passed to another block, or returned.
    pub(super) fn pass_arguments(&mut self, count: u64) {
        let count = count.min(self.arguments_left);
        self.arguments_left -= count;
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
            serial: self.position.frames,
            height: self.height.saturating_sub(params),
            params,
            results,
            dominators: self.dominators,
            first_branch: None,
            first_pending_write: match kind {
                // Without an `else`, the condition's own block is a predecessor of the end.
                FrameKind::If => self.first_pending_write,
                _ => u64::MAX,
            },
            last_table: 0,
            merge_point: MergePoint::default(),
            exits: 0,
        });
        self.position.frames += 1;
        self.position.depth = self.frames.len() as u64;
        self.profile.nesting = self.profile.nesting.max(self.position.depth - 1);
    }

    fn end(&mut self) -> Option<()> {
        let last = self.frames.len().checked_sub(1)?;
        let frame = &self.frames[last];
        let results = frame.results;
        // With a single predecessor, the results of the frame are the values themselves.
        let is_merge = match frame.kind {
            FrameKind::If => true,
            FrameKind::Loop => false,
            FrameKind::Block | FrameKind::Try(_) => frame.first_branch.is_some(),
        };
        if is_merge || last == 0 {
            self.pass_arguments(results);
        }
        if is_merge {
            self.add_predecessor(last);
        }
        let frame = self.frames.pop()?;
        self.deferred.close_frame(frame.exits);
        (_, self.position.open_exits) = self.deferred.exits();
        if is_merge {
            self.values.truncate(frame.height);
        }
        self.height = frame.height + frame.results;
        self.values.truncate(self.height);
        self.first_pending_write = self.first_pending_write.min(frame.first_pending_write);
        self.position.depth = self.frames.len() as u64;
        self.profile.validation_steps += frame.results;
        let dominators = match (frame.kind, frame.first_branch) {
            (FrameKind::If, _) => Some((frame.dominators, 1_500)),
            (FrameKind::Block | FrameKind::Try(_), Some(first_branch)) => {
                Some((first_branch, 1_500))
            }
            // Even without a branch to it, the end of the frame ends a block of the compiler. The estimate for the
            // frame's begin covers its cost.
            (FrameKind::Block | FrameKind::Try(_), None) => Some((self.dominators, 0)),
            (FrameKind::Loop, _) => None,
        };
        if let Some((dominators, size)) = dominators {
            self.dominators = dominators;
            self.code(Weight { size, blocks: 1 });
        }
        self.counts.result_tables += (frame.params + frame.results) * self.position.blocks;
        match frame.kind {
            FrameKind::Loop => {
                self.locals.end_loop(self.position);
                self.end_loop(frame.serial);
            }
            FrameKind::Try(handlers) => {
                self.handlers = self.handlers.saturating_sub(handlers);
                self.tries.pop();
            }
            FrameKind::Block | FrameKind::If => {}
        }
        self.finish_merge(frame);
        Some(())
    }
}
