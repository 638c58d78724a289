//! The counters for one body, and the cost that follows from them.

use super::super::cost::Cost;
use super::super::deferred::LiveRangeCounts;
use super::super::locals::{Locals, Position};
use super::super::ops::LEAST_SIZE;
use super::ModuleContext;
use super::merges::BlockArguments;

/// The time to compile one pair of a local and a loop that carries it, in nanoseconds.
pub(super) const LOOP_PAIR_NS: u64 = 1_500;

/// The time to compile one value that is passed to another block, in nanoseconds. See [`Counts::moved`].
pub(super) const ARGUMENT_NS: u64 = 8 * ARGUMENT_BYTES;

const ARGUMENT_BYTES: u64 = 600;

/// The minimum time to compile a repeated instruction, in nanoseconds.
pub(super) const REPEATED_NS: u64 = 8 * LEAST_SIZE;

/// Counters. Most are numbers of pairs, because products make a compiler slow.
#[derive(Default)]
pub(super) struct Counts {
    /// The number of values passed between blocks, to functions, and returned.
    pub moved: u64,
    /// Blocks × their depth in the dominator tree.
    pub dominated_blocks: u64,
    /// Instructions × their depth in the dominator tree.
    pub dominated_ops: u64,
    /// Results of blocks × blocks that began before each of them. The compiler keeps a table with this number of
    /// entries, as it does for locals.
    pub result_tables: u64,
    /// Blocks × values on the operand stack.
    pub stack_blocks: u64,
    /// Loops × values on the operand stack.
    pub stack_loops: u64,
    /// Edges of the control-flow graph beyond two per block: targets of `br_table`, and calls × catch clauses
    /// around them.
    pub edges: u64,
    /// Instructions × values on the operand stack.
    pub stack_ops: u64,
    /// The number of distinct globals that are accessed.
    pub globals: u64,
    /// The maximum number of globals that precede a memory, table or written global in the compiler's numbering of
    /// regions.
    pub regions: u64,
    /// The number of blocks that begin with a write since the last call.
    pub pending_write_blocks: u64,
    /// Blocks × targets written since the last call.
    pub pending_writes: u64,
    /// The number of constants added to sums of at least three constants, and of at least six.
    pub long_sums: u64,
    pub longer_sums: u64,
    /// Live ranges and repeated instructions.
    pub live_ranges: LiveRangeCounts,
    /// The number of divisions by constants.
    pub constant_divisions: u64,
    /// The size of the optimiser's data for alternative forms of instructions, in bytes.
    pub alternatives: u64,
    /// The number of calls, and of other instructions that may write to any memory.
    pub calls: u64,
    /// Whether a memory or a table was accessed.
    pub has_accessed: bool,
    /// Safepoints, where the garbage collector may run, × references that may be live there.
    pub stack_maps: u64,
    /// The maximum number of references that may be live at one safepoint.
    pub alive: u64,
    /// The number of instructions that depend on a type.
    pub types: u64,
    /// The maximum number of garbage-collected references that instructions produce.
    pub references: u64,
    /// An upper bound on the number of locals that hold garbage-collected references.
    pub collected_locals: u64,
    /// Whether the function has garbage-collected references at all.
    pub has_references: bool,
    /// The number of instructions with side effects, whose order the compiler keeps.
    pub effects: u64,
    pub ops: u64,
}

impl Counts {
    /// Returns the cost of the function. `size` is the size of the compiler's data for its instructions, in bytes,
    /// `local_count` the number of its locals, and `end` the position of its end.
    pub(super) fn cost(
        &self,
        size: u64,
        local_count: u64,
        locals: &Locals,
        arguments: BlockArguments,
        end: Position,
        context: ModuleContext,
    ) -> Cost {
        let mut cost = Cost::of_function();
        // Published modules have some repeated instructions. The margin of the weights of instructions covers this
        // share.
        let repeated = self.live_ranges.repeated_size.saturating_sub(size / 16);
        let size = size
            .saturating_add(repeated)
            .saturating_add(self.moved.saturating_mul(ARGUMENT_BYTES))
            .saturating_add(self.edges.saturating_mul(900));
        cost.add(Cost::of_code(size));
        cost.add(Cost::of_pairs(self.long_sums, 90_000, 6_500));
        cost.add(Cost::of_pairs(self.longer_sums, 160_000, 11_700));
        // As above: the margin of the weights covers this share.
        let alternatives = self.alternatives.saturating_sub(size / 16);
        cost.add(Cost::of_pairs(alternatives, 8, 1));
        cost.add(Cost::of_pairs(arguments.branches, 500, 0));
        cost.add(Cost::of_pairs(arguments.squares, 1, 0));
        cost.add(Cost::of_pairs(arguments.calls, 4_500, 1_100));
        cost.add(Cost::of_pairs(self.live_ranges.constants, 0, 1_800));
        // Repeated instructions stay in memory longer than others.
        cost.add(Cost::of_pairs(repeated, 0, 1));
        cost.add(Cost::of_pairs(self.live_ranges.pairs, 150, 0));
        cost.add(Cost::of_pairs(self.live_ranges.reused_pairs, 100, 0));
        cost.add(Cost::of_pairs(self.live_ranges.blocks, 500, 3));
        cost.add(Cost::of_pairs(self.live_ranges.hoisted, 20, 0));
        cost.add(Cost::of_pairs(self.live_ranges.hoisted_exits, 450, 0));
        cost.add(Cost::of_pairs(self.live_ranges.exits, 1_200, 0));
        cost.add(Cost::of_pairs(locals.exit_pairs, 800, 0));
        // A division by a constant becomes a multiplication that needs two specific registers. A live value in one
        // of them has to move at each division.
        let divisions = self
            .constant_divisions
            .saturating_mul(self.constant_divisions);
        cost.add(Cost::of_pairs(divisions, 60, 0));
        cost.add(Cost::of_pairs(local_count, 120, 70));
        cost.add(Cost::of_pairs(self.dominated_blocks, 15, 0));
        cost.add(Cost::of_pairs(self.dominated_ops, 5, 0));
        cost.add(Cost::of_pairs(self.result_tables, 30, 0));
        // As above: the margin of the weights covers this share.
        let tables = [
            (self.result_tables, 5),
            (self.live_ranges.hoisted, 5),
            (self.live_ranges.hoisted_exits, 150),
            (self.live_ranges.exits, 240),
            (locals.exit_pairs, 160),
            (arguments.branches, 60),
        ];
        let tables = tables.iter().fold(0_u64, |sum, (count, bytes)| {
            sum.saturating_add(count.saturating_mul(*bytes))
        });
        cost.transient = cost
            .transient
            .saturating_add(tables.saturating_sub(size / 8 * 5));
        cost.add(Cost::of_pairs(locals.block_pairs, 400, 27));
        cost.add(Cost::of_pairs(locals.loop_pairs, LOOP_PAIR_NS, 60));
        cost.add(Cost::of_pairs(locals.block_params, 5_000, 1_450));
        cost.add(Cost::of_pairs(locals.table_entries(), 0, 3));
        cost.add(Cost::of_pairs(self.stack_blocks, 350, 8));
        cost.add(Cost::of_pairs(self.stack_loops, 1_500, 60));
        cost.add(Cost::of_pairs(self.stack_ops, 40, 0));
        let edges = self.edges.saturating_mul(self.edges);
        cost.add(Cost::of_pairs(edges, 4, 0));
        cost.add(Cost::of_pairs(self.stack_maps, 50, 60));
        // The compiler tracks the state of each separate region of memory at every merge point.
        let regions = context.places + self.regions;
        let region_states = (self.effects + end.blocks).saturating_mul(regions);
        cost.add(Cost::of_pairs(region_states, 3, 0));
        // A call may write to every region, so earlier writes do not matter after it. In a loop this does not hold,
        // because control returns to a point before the call.
        let (blocks, writes) = if end.loops == 0 {
            (self.pending_write_blocks, self.pending_writes)
        } else {
            (end.blocks, end.blocks.saturating_mul(self.regions))
        };
        cost.add(Cost::of_pairs(blocks.saturating_mul(regions), 5, 10));
        cost.add(Cost::of_pairs(writes.saturating_mul(regions), 4, 0));
        cost
    }
}
