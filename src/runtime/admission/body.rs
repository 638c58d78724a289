//! The estimate for one function's body.

mod control;
mod counts;
mod joins;
mod plain;

use std::collections::HashMap;

use wasmparser::FunctionBody;

use self::control::{Frame, FrameKind};
use self::counts::{Counts, HANDED_ON_NS, LOOP_PAIR_NS, REPEATED_NS};
use self::joins::Joins;

use super::ahead::{Ahead, MAX_NESTING};
use super::cost::{Bound, Cost};
use super::deferred::{Deferred, Spot};
use super::locals::{Locals, Place};
use super::numbering::Node;
use super::ops::{LEAST_SIZE, Opcode, Weight};
use super::types::{Types, is_collected};
use super::values::{Value, Values};

/// More locals than any function can have: those of one that has more are not looked at.
const MAX_LOCALS: u64 = 51_000;

/// Nanoseconds that a walk takes to look at a local at a branch, about.
const LOOKED_AT_NS: u64 = 1_000;

/// More bytes than any body can have: one that has more is not looked through.
const MAX_BODY_BYTES: usize = 7_654_321;

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

/// What can be written to, by its index.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Written {
    Memory(u32),
    Global(u32),
}

/// A write.
struct Store {
    /// The first byte of the instruction.
    opcode: u8,
    /// The address without the offset, if that is known.
    address: Node,
    /// The offset in the instruction.
    offset: u64,
    value: Value,
    /// Where the instruction is.
    spot: Spot,
}

/// How a global was last accessed.
#[derive(Clone, Copy, Default)]
struct Global {
    /// In which function. What is left of earlier functions need not be cleared then.
    function: u64,
    /// What it was set to, and where.
    value: Value,
    spot: Spot,
    /// How many functions had been called then.
    calls: u64,
}

/// Looks through bodies, one after another.
#[derive(Default)]
pub(super) struct Bodies {
    frames: Vec<Frame>,
    /// Of each `try_table` among them, the outermost first: to which frames exceptions go, by their places.
    tries: Vec<Vec<usize>>,
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
    /// The globals that were accessed, by their index.
    globals: Vec<Global>,
    /// For each memory, by its index, the last function that writes to it, and how many stores to it were seen there.
    stores: Vec<(u64, u64)>,
    /// What is on the operand stack.
    values: Values,
    /// The last write to each memory and global since the last call, and which there are: to go through the map would
    /// take as long as it was large once.
    last_stored: HashMap<Written, Store>,
    written: Vec<Written>,
    /// The instructions without effects.
    deferred: Deferred,
    ahead: Ahead,
    joins: Joins,
    /// Whether control comes to the current instruction.
    is_reachable: bool,
    /// Whether the body has more to look at than any that is not refused.
    is_too_much: bool,
    /// [`alternatives_of`](super::ops::alternatives_of) the last instruction, if that was a comparison: a branch that
    /// follows takes it in, and there are none then.
    comparison: u64,
    /// How many more values that are handed on are looked at in this module: each costs [`HANDED_ON_NS`] to compile, and a
    /// branch may take a thousand along.
    handed_left: u64,
    /// Whether values are followed, which only the estimate needs.
    follows_values: bool,
    /// How many functions were begun.
    function: u64,
}

impl Bodies {
    /// For the bodies of a module that is refused if it takes more to compile than this bound. What goes beyond it by
    /// itself is not looked at any further: locals, repeated instructions and values that are handed on, once they take
    /// longer, and longer than ten seconds; a function with more instructions than fit into the memory, and into a
    /// gibibyte. With `None`, neither locals nor values are looked at, and the cost is too low.
    pub fn new(bound: Option<Bound>) -> Self {
        let Some(bound) = bound else {
            return Self::default();
        };
        // How many of something that takes so long: two functions are compiled at a time.
        let most = |ns_each: u64| {
            let ns = bound.ns.max(10_000_000_000).saturating_mul(2);
            2 + ns.div_ceil(ns_each)
        };
        let max_instructions = bound.bytes.max(1 << 30) / LEAST_SIZE;
        Self {
            locals: Locals::new(most(LOOP_PAIR_NS)),
            deferred: Deferred::new(max_instructions, most(REPEATED_NS)),
            handed_left: most(HANDED_ON_NS),
            ahead: Ahead::new(most(HANDED_ON_NS)),
            joins: Joins::new(most(LOOKED_AT_NS)),
            follows_values: true,
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
        self.tries.clear();
        self.locals.clear();
        self.profile = BodyProfile::default();
        self.at = Place::default();
        self.height = 0;
        self.dominators = 0;
        self.handlers = 0;
        self.size = 0;
        self.counts = Counts::default();
        self.values.clear();
        self.deferred.clear();
        self.joins.clear();
        self.is_reachable = true;
        self.comparison = 0;
        self.places = around.places;
        self.writes = 0;
        self.unsettled = 0;
        self.function += 1;
        self.is_too_much = false;
        let _ = self.walk(types, ty, body);
        self.settle_stores();
        self.counts.kept = self.deferred.kept();
        self.counts.kept.pairs += self.locals.kept_pairs;
        let counts = &self.counts;
        let types = counts.types.min(types.count());
        self.profile.regions = counts.globals + types + counts.alive + around.places;
        self.profile.cost = counts.cost(
            self.size,
            self.profile.locals,
            &self.locals,
            self.joins.arguments,
            self.at,
            around,
        );
        if self.is_exhausted() {
            self.profile.cost.ns = u64::MAX;
        }
        self.profile
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
        if self.follows_values && self.ahead.look(body, self.profile.locals).is_err() {
            self.is_too_much = true;
            return None;
        }
        let bytes = body.as_bytes();
        let start = body.range().start;
        self.push(FrameKind::Block, 0, results);
        let mut operators = body.get_operators_reader().ok()?;
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset().ok()?;
            let opcode = Opcode::read(bytes.get(offset - start..)?, &operator)?;
            self.counts.ops += 1;
            self.counts.dominated_ops += self.dominators;
            self.counts.stack_ops += self.height;
            self.profile.validation_steps += 1;
            self.operator(types, opcode, &operator)?;
            if self.frames.len() > MAX_NESTING {
                self.is_too_much = true;
            }
            if self.is_exhausted() {
                return None;
            }
        }
        Some(())
    }

    /// Whether there was more to look at than in any module that is not refused.
    fn is_exhausted(&self) -> bool {
        let of_module = self.joins.is_exhausted || self.deferred.is_exhausted();
        self.is_too_much || self.follows_values && of_module
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
        if self.follows_values {
            // What begins one after another dominates what follows.
            self.deferred
                .begin_block(self.at.blocks, self.dominators + 1);
        }
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

    /// How high the operand stack is without so many values.
    fn below(&self, count: u64) -> u64 {
        // Below the frame there is nothing to pop, except where code cannot be reached.
        let floor = self.frames.last().map_or(0, |frame| frame.height);
        self.height.saturating_sub(count).max(floor)
    }

    fn pop(&mut self, count: u64) {
        self.height = self.below(count);
        self.values.truncate(self.height);
    }

    fn check_local(&self, index: u32) -> Option<()> {
        (u64::from(index) < self.profile.locals.min(MAX_LOCALS)).then_some(())
    }
}
