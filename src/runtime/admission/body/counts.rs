//! What is counted in one body, and the cost that follows from it.

use super::super::cost::Cost;
use super::super::deferred::Kept;
use super::super::locals::{Locals, Place};
use super::super::ops::LEAST_SIZE;
use super::Surroundings;
use super::joins::Arguments;

/// Nanoseconds to compile a pair of a local and a loop that its value is carried through.
pub const LOOP_PAIR_NS: u64 = 1_500;

/// Nanoseconds to compile a value that is handed on to another block, in [`Counts::moved`].
pub const HANDED_ON_NS: u64 = 8 * HANDED_ON_BYTES;

const HANDED_ON_BYTES: u64 = 600;

/// Nanoseconds to compile an instruction that is repeated, at least.
pub const REPEATED_NS: u64 = 8 * LEAST_SIZE;

/// Products, which are what makes a compiler slow.
#[derive(Default)]
pub struct Counts {
    /// Values that are handed from block to block, to functions, and back.
    pub moved: u64,
    /// Blocks × their depth in the dominator tree.
    pub dominated_blocks: u64,
    /// Instructions × their depth in the dominator tree.
    pub dominated_ops: u64,
    /// Results of blocks × blocks that began before each: the compiler keeps a table of so many entries, as
    /// for a local.
    pub result_tables: u64,
    /// Blocks × values on the operand stack.
    pub stack_blocks: u64,
    /// Loops × values on the operand stack.
    pub stack_loops: u64,
    /// Ways from a block to another beyond two: targets of tables, calls × handlers around them.
    pub edges: u64,
    /// Instructions × values on the operand stack.
    pub stack_ops: u64,
    /// Globals that are accessed, each counted once.
    pub globals: u64,
    /// How many globals come first, at most, where the compiler numbers what is written to.
    pub regions: u64,
    /// Blocks that begin where something was written to since the last call.
    pub unsettled_blocks: u64,
    /// Blocks × places that were written to since the last call.
    pub unsettled_writes: u64,
    /// Additions of one more constant to a few, and to many.
    pub long_sums: u64,
    pub longer_sums: u64,
    /// What is kept and repeated.
    pub kept: Kept,
    /// Divisions by constants.
    pub constant_divisions: u64,
    /// Data of the optimiser's, in bytes, for other ways to write instructions.
    pub alternatives: u64,
    /// Calls, and other instructions after which nothing is known of any memory.
    pub calls: u64,
    /// Whether a memory or a table was accessed.
    pub has_accessed: bool,
    /// Calls, or other places where a collector may run, × references that may be alive.
    pub stack_maps: u64,
    /// How many references may be alive at one time where a collector may run.
    pub alive: u64,
    /// Instructions that tell types apart.
    pub types: u64,
    /// How many instructions leave a reference that a collector follows.
    pub references: u64,
    /// Whether the function has them at all.
    pub has_references: bool,
    /// Accesses to memories, tables and globals.
    pub accesses: u64,
    /// Instructions whose effects are kept in order.
    pub effects: u64,
    pub ops: u64,
}

impl Counts {
    /// What the function costs: `size` is the compiler's data for its instructions, in bytes, `local_count` the
    /// number of its locals, and `end` where it ends.
    pub fn cost(
        &self,
        size: u64,
        local_count: u64,
        locals: &Locals,
        arguments: Arguments,
        end: Place,
        around: Surroundings,
    ) -> Cost {
        let mut cost = Cost::of_function();
        // The weights of instructions have this to spare in published modules, which have some that are repeated.
        let repeated = self.kept.repeated_size.saturating_sub(size / 16);
        let size = size
            .saturating_add(repeated)
            .saturating_add(self.moved.saturating_mul(HANDED_ON_BYTES))
            .saturating_add(self.edges.saturating_mul(900));
        cost.add(Cost::of_code(size));
        cost.add(Cost::of_pairs(self.long_sums, 90_000, 6_500));
        cost.add(Cost::of_pairs(self.longer_sums, 160_000, 11_700));
        // The weights of instructions have this to spare in published modules, which have some of each.
        let alternatives = self.alternatives.saturating_sub(size / 16);
        cost.add(Cost::of_pairs(alternatives, 8, 1));
        cost.add(Cost::of_pairs(arguments.branches, 500, 0));
        cost.add(Cost::of_pairs(arguments.squares, 1, 0));
        cost.add(Cost::of_pairs(arguments.calls, 4_500, 1_100));
        cost.add(Cost::of_pairs(self.kept.constants, 0, 1_800));
        // They are kept longer than others.
        cost.add(Cost::of_pairs(repeated, 0, 1));
        cost.add(Cost::of_pairs(self.kept.pairs, 150, 0));
        cost.add(Cost::of_pairs(self.kept.reused_pairs, 100, 0));
        cost.add(Cost::of_pairs(self.kept.blocks, 500, 3));
        cost.add(Cost::of_pairs(self.kept.hoisted, 20, 0));
        cost.add(Cost::of_pairs(self.kept.hoisted_exits, 450, 0));
        cost.add(Cost::of_pairs(self.kept.exits, 1_200, 0));
        cost.add(Cost::of_pairs(locals.exit_pairs, 800, 0));
        // A division by a constant becomes a multiplication that needs two certain registers: a value that is kept in
        // one of them has to move at each.
        let divisions = self
            .constant_divisions
            .saturating_mul(self.constant_divisions);
        cost.add(Cost::of_pairs(divisions, 60, 0));
        cost.add(Cost::of_pairs(local_count, 120, 70));
        cost.add(Cost::of_pairs(self.dominated_blocks, 15, 0));
        cost.add(Cost::of_pairs(self.dominated_ops, 5, 0));
        cost.add(Cost::of_pairs(self.result_tables, 30, 0));
        // The weights of instructions have this to spare in published modules, which have some of each.
        let tables = [
            (self.result_tables, 5),
            (self.kept.hoisted, 5),
            (self.kept.hoisted_exits, 150),
            (self.kept.exits, 240),
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
        cost.add(Cost::of_pairs(locals.joins, 5_000, 1_450));
        cost.add(Cost::of_pairs(locals.reach(), 0, 3));
        cost.add(Cost::of_pairs(self.stack_blocks, 350, 8));
        cost.add(Cost::of_pairs(self.stack_loops, 1_500, 60));
        cost.add(Cost::of_pairs(self.stack_ops, 40, 0));
        let edges = self.edges.saturating_mul(self.edges);
        cost.add(Cost::of_pairs(edges, 4, 0));
        cost.add(Cost::of_pairs(self.stack_maps, 50, 60));
        let exported = self.accesses.saturating_mul(around.exports);
        cost.add(Cost::of_pairs(exported, 2, 0));
        // Each region of memory that cannot overlap others is kept apart, wherever control flow joins.
        let regions = around.places + self.regions;
        let joined = (self.effects + end.blocks).saturating_mul(regions);
        cost.add(Cost::of_pairs(joined, 3, 0));
        // A call may write to all of them, so that what was written before matters no more; but a loop
        // comes back to what is before its calls.
        let (blocks, writes) = if end.loops == 0 {
            (self.unsettled_blocks, self.unsettled_writes)
        } else {
            (end.blocks, end.blocks.saturating_mul(self.regions))
        };
        cost.add(Cost::of_pairs(blocks.saturating_mul(regions), 5, 10));
        cost.add(Cost::of_pairs(writes.saturating_mul(regions), 4, 0));
        cost
    }
}
