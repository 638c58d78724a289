//! The estimate for one function's body.

use wasmparser::{Catch, FunctionBody, Operator};

use super::cost::Cost;
use super::locals::{Locals, Place};
use super::ops::{Weight, weight_of};
use super::sums::{Value, Values};
use super::types::{Types, is_collected};

/// More locals than any function can have: those of one that has more are not looked at.
const MAX_LOCALS: u64 = 51_000;

/// More bytes than any body can have: one that has more is not looked through.
const MAX_BODY_BYTES: usize = 7_654_321;

/// Nanoseconds to compile a pair of a local and a loop that its value is carried through.
const LOOP_PAIR_NS: u64 = 1_500;

/// What is counted of one body, for the limits and for the estimate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BodyProfile {
    pub cost: Cost,
    /// Parameters included.
    pub locals: u64,
    pub nesting: u64,
    /// How many things the compiler numbers and keeps apart, of which it can only number so many.
    pub regions: u64,
    /// How much there is to validate: instructions, operands, targets.
    pub validation_steps: u64,
    /// Whether it waits on shared memories.
    pub waits: bool,
}

/// What of the module matters for all of its bodies.
#[derive(Clone, Copy, Default)]
pub(super) struct Surroundings {
    /// How many exports there are, which are looked through at each access to something that may be
    /// exported.
    pub exports: u64,
    /// How many memories and tables there are.
    pub places: u64,
}

/// A block, loop, condition, or the function itself.
struct Frame {
    kind: FrameKind,
    /// How many frames had begun before.
    serial: u64,
    /// How high the operand stack is below its parameters.
    height: u64,
    params: u64,
    results: u64,
    /// How deep the block in which it begins is in the dominator tree.
    dominators: u64,
    /// How deep the block is from which its end was first branched to.
    first_branch: Option<u64>,
    /// The earliest write that may have no call after it, on the ways to its end.
    unsettled: u64,
    /// Which instruction was the last table with a branch to it.
    last_table: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FrameKind {
    Block,
    Loop,
    If,
    /// With so many handlers.
    Try(u64),
}

/// Looks through bodies, one after another.
#[derive(Default)]
pub(super) struct Bodies {
    frames: Vec<Frame>,
    locals: Locals,
    profile: BodyProfile,
    at: Place,
    height: u64,
    /// How deep the current block is in the dominator tree.
    dominators: u64,
    /// Handlers of exceptions around the current instruction.
    handlers: u64,
    /// Data of the compiler's, in bytes.
    size: u64,
    counts: Counts,
    /// How many memories and tables there are.
    places: u64,
    /// Accesses so far, some of which write.
    writes: u64,
    /// The earliest write that may have no call after it.
    unsettled: u64,
    /// In which function each global was last accessed, and what it was set to, by its index.
    globals: Vec<(u64, Value)>,
    /// What is on the operand stack.
    values: Values,
    /// At which offset a memory was last written to, and what.
    stored: (u64, Value),
    /// How many functions were begun.
    function: u64,
}

/// Products, which are what makes a compiler slow.
#[derive(Default)]
struct Counts {
    /// Values that are handed from block to block, to functions, and back.
    moved: u64,
    /// Blocks × their depth in the dominator tree.
    dominated_blocks: u64,
    /// Instructions × their depth in the dominator tree.
    dominated_ops: u64,
    /// Results of blocks × blocks that began before each: the compiler keeps a table of so many entries, as
    /// for a local.
    result_tables: u64,
    /// Blocks × values on the operand stack.
    stack_blocks: u64,
    /// Loops × values on the operand stack.
    stack_loops: u64,
    /// Ways from a block to another beyond two: targets of tables, calls × handlers around them.
    edges: u64,
    /// Instructions × values on the operand stack.
    stack_ops: u64,
    /// Globals that are accessed, each counted once.
    globals: u64,
    /// How many globals come first, at most, where the compiler numbers what is written to.
    regions: u64,
    /// Blocks that begin where something was written to since the last call.
    unsettled_blocks: u64,
    /// Blocks × places that were written to since the last call.
    unsettled_writes: u64,
    /// Additions of one more constant to many.
    long_sums: u64,
    /// Whether a memory or a table was accessed.
    has_accessed: bool,
    /// Calls, or other places where a collector may run, × references that may be alive.
    stack_maps: u64,
    /// How many references may be alive at one time where a collector may run.
    alive: u64,
    /// Instructions that tell types apart.
    types: u64,
    /// How many instructions leave a reference that a collector follows.
    references: u64,
    /// Whether the function has them at all.
    has_references: bool,
    /// Accesses to memories, tables and globals.
    accesses: u64,
    /// Instructions whose effects are kept in order.
    effects: u64,
    ops: u64,
}

impl Bodies {
    /// For the bodies of a module that is refused if it takes longer to compile than so many nanoseconds:
    /// once locals alone take longer, no more of them are looked at. With 0, none is, and the cost is too
    /// low.
    pub fn new(max_ns: u64) -> Self {
        // Two functions are compiled at a time.
        let pairs = max_ns.saturating_mul(2).div_ceil(LOOP_PAIR_NS);
        Self {
            locals: Locals::new(if max_ns == 0 { 0 } else { pairs + 2 }),
            ..Self::default()
        }
    }

    /// What the body of a function of this type holds and costs. What follows something that is not
    /// valid is not looked at, since it is not compiled either.
    pub fn profile(
        &mut self,
        types: &Types,
        ty: u32,
        body: &FunctionBody<'_>,
        around: Surroundings,
    ) -> BodyProfile {
        self.frames.clear();
        self.locals.clear();
        self.profile = BodyProfile::default();
        self.at = Place::default();
        self.height = 0;
        self.dominators = 0;
        self.handlers = 0;
        self.size = 0;
        self.counts = Counts::default();
        self.values.clear();
        self.stored = (0, Value::Any);
        self.places = around.places;
        self.writes = 0;
        self.unsettled = 0;
        self.function += 1;
        let _ = self.walk(types, ty, body);
        let counts = &self.counts;
        let types = counts.types.min(types.count());
        self.profile.regions = counts.globals + types + counts.alive + around.places;
        self.profile.cost = self.cost(around);
        self.profile
    }

    fn cost(&self, around: Surroundings) -> Cost {
        let counts = &self.counts;
        let mut cost = Cost::of_function();
        let size = self
            .size
            .saturating_add(counts.moved.saturating_mul(600))
            .saturating_add(counts.edges.saturating_mul(900));
        cost.add(Cost::of_code(size));
        cost.add(Cost::of_pairs(counts.long_sums, 130_000, 11_700));
        cost.add(Cost::of_pairs(self.profile.locals, 120, 70));
        cost.add(Cost::of_pairs(counts.dominated_blocks, 15, 0));
        cost.add(Cost::of_pairs(counts.dominated_ops, 5, 0));
        cost.add(Cost::of_pairs(counts.result_tables, 30, 0));
        // The weights of instructions have this to spare in published modules, which have some results.
        let tables = counts.result_tables.saturating_mul(9) / 2;
        cost.transient = cost
            .transient
            .saturating_add(tables.saturating_sub(size / 2));
        cost.add(Cost::of_pairs(self.locals.block_pairs, 400, 27));
        cost.add(Cost::of_pairs(self.locals.loop_pairs, LOOP_PAIR_NS, 60));
        cost.add(Cost::of_pairs(self.locals.joins, 5_000, 1_450));
        cost.add(Cost::of_pairs(self.locals.reach(), 0, 3));
        cost.add(Cost::of_pairs(counts.stack_blocks, 350, 8));
        cost.add(Cost::of_pairs(counts.stack_loops, 1_500, 60));
        cost.add(Cost::of_pairs(counts.stack_ops, 40, 0));
        let edges = counts.edges.saturating_mul(counts.edges);
        cost.add(Cost::of_pairs(edges, 4, 0));
        cost.add(Cost::of_pairs(counts.stack_maps, 50, 60));
        let exported = counts.accesses.saturating_mul(around.exports);
        cost.add(Cost::of_pairs(exported, 2, 0));
        // Each region of memory that cannot overlap others is kept apart, wherever control flow joins.
        let regions = around.places + counts.regions;
        let joined = (counts.effects + self.at.blocks).saturating_mul(regions);
        cost.add(Cost::of_pairs(joined, 3, 0));
        // A call may write to all of them, so that what was written before matters no more; but a loop
        // comes back to what is before its calls.
        let (blocks, writes) = if self.at.loops == 0 {
            (counts.unsettled_blocks, counts.unsettled_writes)
        } else {
            (
                self.at.blocks,
                self.at.blocks.saturating_mul(counts.regions),
            )
        };
        cost.add(Cost::of_pairs(blocks.saturating_mul(regions), 5, 10));
        cost.add(Cost::of_pairs(writes.saturating_mul(regions), 4, 0));
        cost
    }

    fn walk(&mut self, types: &Types, ty: u32, body: &FunctionBody<'_>) -> Option<()> {
        let signature = types.function_type(ty)?;
        let results = signature.results().len() as u64;
        let params = signature.params().len() as u64;
        self.profile.locals = params;
        self.counts.moved += params + results;
        self.counts.has_references = types.takes_collected(ty);
        for local in body.get_locals_reader().ok()? {
            let (count, ty) = local.ok()?;
            self.profile.locals += u64::from(count);
            self.counts.has_references |= is_collected(&ty);
        }
        if self.profile.locals > MAX_LOCALS || body.range().len() > MAX_BODY_BYTES {
            return None;
        }
        let bytes = body.as_bytes();
        let start = body.range().start;
        self.push(FrameKind::Block, 0, results);
        let mut operators = body.get_operators_reader().ok()?;
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset().ok()?;
            let opcode = *bytes.get(offset - start)?;
            self.counts.ops += 1;
            self.counts.dominated_ops += self.dominators;
            self.counts.stack_ops += self.height;
            self.profile.validation_steps += 1;
            self.operator(types, opcode, &operator)?;
        }
        Some(())
    }

    fn operator(&mut self, types: &Types, opcode: u8, operator: &Operator<'_>) -> Option<()> {
        use Operator as Op;
        match operator {
            Op::LocalGet { local_index } => {
                self.check_local(*local_index)?;
                self.size += 20;
                let value = self.locals.value(*local_index);
                self.values.push(self.height, value);
                self.height += 1;
                let frames = &self.frames;
                let open_since =
                    |serial: u64| frames.partition_point(|frame| frame.serial < serial) as u64;
                self.locals.get(*local_index, self.at, open_since);
            }
            Op::LocalSet { local_index } | Op::LocalTee { local_index } => {
                self.check_local(*local_index)?;
                self.size += 20;
                let value = self.values.get(self.height.saturating_sub(1));
                if let Op::LocalSet { .. } = operator {
                    self.pop(1);
                }
                self.locals.set(*local_index, self.at, value);
            }
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
            }
            Op::If { blockty } => {
                let (params, results) = types.block(*blockty)?;
                self.pop(1);
                self.push(FrameKind::If, params, results);
                self.code(Weight {
                    size: 4_000,
                    blocks: 1,
                });
            }
            Op::TryTable { try_table } => {
                let (params, results) = types.block(try_table.ty)?;
                self.size += 1_300;
                for catch in &try_table.catches {
                    let (Catch::One { label, .. }
                    | Catch::OneRef { label, .. }
                    | Catch::All { label }
                    | Catch::AllRef { label }) = *catch;
                    self.branch(label)?;
                    self.code(Weight {
                        size: 36_000,
                        blocks: 3,
                    });
                }
                let handlers = try_table.catches.len() as u64;
                self.handlers += handlers;
                self.push(FrameKind::Try(handlers), params, results);
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
                let frame = self.frames.last()?;
                let (results, dominators) = (frame.results, frame.dominators);
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
            }
            Op::BrIf { relative_depth } => {
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
                self.pop(1);
                self.size += 9_000;
                let count = u64::from(targets.len()) + 1;
                let moved = self.branch(targets.default())?;
                self.profile.validation_steps += count * (1 + moved);
                // Targets are told apart by their depth.
                let mut blocks = 1;
                let table = self.counts.ops;
                for target in targets.targets() {
                    let frame = self.frame(target.ok()?)?;
                    let frame = &mut self.frames[frame];
                    frame.first_branch.get_or_insert(self.dominators);
                    frame.unsettled = frame.unsettled.min(self.unsettled);
                    blocks += u64::from(frame.last_table != table);
                    frame.last_table = table;
                }
                self.counts.moved += 10 * blocks * moved;
                self.counts.edges += blocks;
                self.size += 50 * count;
                self.begin_blocks(1 + blocks);
            }
            Op::Return => {
                self.size += 1_500;
                self.counts.moved += self.frames.first()?.results;
            }
            _ => self.plain(types, opcode, operator)?,
        }
        Some(())
    }

    /// An instruction that is not about control.
    fn plain(&mut self, types: &Types, opcode: u8, operator: &Operator<'_>) -> Option<()> {
        use Operator as Op;
        let (pops, pushes) = operator.operator_arity(types)?;
        let (pops, pushes) = (u64::from(pops), u64::from(pushes));
        self.counts.has_references |= types.reads_collected(operator);
        match operator {
            Op::Call { function_index } | Op::ReturnCall { function_index } => {
                let ty = types.type_of(*function_index)?;
                self.call(pops, pushes, types.returns_collected(ty));
            }
            Op::CallIndirect { type_index, .. }
            | Op::ReturnCallIndirect { type_index, .. }
            | Op::CallRef { type_index }
            | Op::ReturnCallRef { type_index } => {
                self.counts.accesses += 1;
                self.counts.types += 1;
                self.call(pops, pushes, types.returns_collected(*type_index));
            }
            Op::Throw { .. } | Op::ThrowRef => self.call(pops, pushes, false),
            Op::MemoryAtomicWait32 { .. } | Op::MemoryAtomicWait64 { .. } => {
                self.profile.waits = true;
                self.access();
            }
            Op::GlobalGet { global_index } | Op::GlobalSet { global_index } => {
                self.access();
                self.global(*global_index);
                if let Op::GlobalSet { .. } = operator {
                    self.counts.regions = self.counts.globals;
                }
                self.forward(operator);
            }
            // Loads, stores, and what else reaches memories and tables.
            _ if matches!(opcode, 0x25 | 0x26 | 0x28..=0x40 | 0xfc..=0xfe) => {
                self.access();
                self.forward(operator);
                if !self.counts.has_accessed {
                    self.counts.has_accessed = true;
                    self.counts.regions = self.counts.globals;
                }
            }
            _ if matches!(opcode, 0xfb | 0xd0..=0xd6) => {
                self.counts.effects += 1;
                self.counts.references += pushes;
                self.counts.has_references = true;
                if opcode == 0xfb {
                    self.counts.types += 1;
                    self.safepoint();
                }
            }
            _ => {}
        }
        self.profile.validation_steps += pops + pushes;
        let value = self.value(operator);
        self.pop(pops);
        // Nothing is known of the results of calls, which may be a thousand: only a single value is kept.
        let value = if pushes == 1 { value } else { Value::Any };
        self.values.push(self.height, value);
        self.height += pushes;
        let weight = weight_of(opcode, operator, types);
        match operator {
            Op::MemoryInit { .. } | Op::MemoryFill { .. } | Op::MemoryCopy { .. } => {
                // Their blocks are checks, which come before they write.
                self.writes -= 1;
                self.code(weight);
                self.writes += 1;
            }
            _ => self.code(weight),
        }
        if let Op::Call { .. }
        | Op::CallIndirect { .. }
        | Op::CallRef { .. }
        | Op::MemoryFill { .. }
        | Op::MemoryGrow { .. } = operator
        {
            self.unsettled = self.writes;
            self.stored = (0, Value::Any);
        }
        Some(())
    }

    fn call(&mut self, pops: u64, pushes: u64, references: bool) {
        self.counts.moved += pops + pushes;
        self.counts.effects += 1;
        self.counts.edges += self.handlers;
        if self.handlers > 0 {
            self.size += 4_000;
        }
        self.safepoint();
        if references {
            self.counts.references += pushes;
            self.counts.has_references = true;
        }
    }

    /// A memory, table or global is accessed.
    fn access(&mut self) {
        self.counts.accesses += 1;
        self.counts.effects += 1;
        self.writes += 1;
        // A table or a global may hold references.
        self.counts.references += 1;
    }

    /// Counts a global that was not accessed in this function before.
    fn global(&mut self, index: u32) {
        let index = index as usize;
        if index >= self.globals.len() {
            // What is beyond is not valid, or exceeds the cap on globals.
            if index >= 1_000_000 {
                return;
            }
            self.globals.resize(index + 1, (0, Value::Any));
        }
        if self.globals[index].0 != self.function {
            self.globals[index] = (self.function, Value::Any);
            self.counts.globals += 1;
        }
    }

    /// Remembers what is written: the optimiser finds it where it is read again.
    fn forward(&mut self, operator: &Operator<'_>) {
        let top = self.values.get(self.height.saturating_sub(1));
        match operator {
            Operator::GlobalSet { global_index } => {
                if let Some(global) = self.globals.get_mut(*global_index as usize) {
                    global.1 = top;
                }
            }
            Operator::I32Store { memarg } | Operator::I64Store { memarg } => {
                self.stored = (memarg.offset, top);
            }
            _ => {}
        }
    }

    /// What the instruction leaves, before its operands are popped.
    fn value(&mut self, operator: &Operator<'_>) -> Value {
        match operator {
            Operator::GlobalGet { global_index } => {
                let global = self.globals.get(*global_index as usize);
                global.map_or(Value::Any, |(_, value)| *value)
            }
            Operator::I32Load { memarg } | Operator::I64Load { memarg } => match self.stored {
                (offset, value) if offset == memarg.offset => value,
                _ => Value::Any,
            },
            _ => {
                let left = self.values.get(self.height.saturating_sub(2));
                let right = self.values.get(self.height.saturating_sub(1));
                let (value, is_long) = Value::of(operator, left, right);
                self.counts.long_sums += u64::from(is_long);
                value
            }
        }
    }

    /// A collector may run here, and wants to know where all references are.
    fn safepoint(&mut self) {
        if self.counts.has_references {
            let held = self.height + self.profile.locals;
            let alive = held.min(self.counts.references + self.profile.locals);
            self.counts.stack_maps += alive;
            self.counts.alive = self.counts.alive.max(alive);
        }
    }

    fn conditional_branch(&mut self, depth: u32, size: u64, blocks: u64) -> Option<()> {
        self.branch(depth)?;
        self.code(Weight { size, blocks });
        Some(())
    }

    /// A branch to the frame of this depth. Returns how many values it takes along.
    fn branch(&mut self, depth: u32) -> Option<u64> {
        let dominators = self.dominators;
        let frame = self.frame(depth)?;
        let frame = &mut self.frames[frame];
        frame.first_branch.get_or_insert(dominators);
        frame.unsettled = frame.unsettled.min(self.unsettled);
        let moved = match frame.kind {
            FrameKind::Loop => frame.params,
            _ => frame.results,
        };
        self.counts.moved += moved;
        self.profile.validation_steps += moved;
        Some(moved)
    }

    fn frame(&self, depth: u32) -> Option<usize> {
        self.frames.len().checked_sub(1 + depth as usize)
    }

    fn push(&mut self, kind: FrameKind, params: u64, results: u64) {
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
        });
        self.at.frames += 1;
        self.at.depth = self.frames.len() as u64;
        self.profile.nesting = self.profile.nesting.max(self.at.depth - 1);
    }

    fn end(&mut self) -> Option<()> {
        let frame = self.frames.pop()?;
        self.height = frame.height + frame.results;
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
            FrameKind::Loop => self.locals.end_loop(self.at),
            FrameKind::Try(handlers) => self.handlers = self.handlers.saturating_sub(handlers),
            FrameKind::Block | FrameKind::If => {}
        }
        Some(())
    }

    fn code(&mut self, weight: Weight) {
        self.size = self.size.saturating_add(weight.size);
        if weight.blocks > 0 {
            self.begin_blocks(weight.blocks);
        }
    }

    /// Blocks of the compiler's begin here, one after another.
    fn begin_blocks(&mut self, count: u64) {
        self.at.blocks += count;
        self.dominators += count;
        self.counts.dominated_blocks += count * self.dominators;
        self.counts.stack_blocks += count * self.height;
        let written = self.writes.saturating_sub(self.unsettled);
        if written > 0 {
            let places = written.min(self.counts.globals + self.places);
            self.counts.unsettled_blocks += count;
            self.counts.unsettled_writes += count * places;
        }
    }

    fn pop(&mut self, count: u64) {
        // Below the frame there is nothing to pop, except where code cannot be reached.
        let floor = self.frames.last().map_or(0, |frame| frame.height);
        self.height = self.height.saturating_sub(count).max(floor);
    }

    fn check_local(&self, index: u32) -> Option<()> {
        (u64::from(index) < self.profile.locals.min(MAX_LOCALS)).then_some(())
    }
}
