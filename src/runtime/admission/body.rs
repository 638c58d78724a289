//! The cost estimate of one function body.

mod budgets;
mod control;
mod counts;
mod merges;
mod plain;

use wasmparser::FunctionBody;

pub(super) use self::budgets::Budgets;
use self::control::{Frame, FrameKind};
use self::counts::Counts;
use self::merges::ValueFlow;

use super::code::{Function, Module};
use super::cost::{Bound, Cost};
use super::deferred::{Deferred, ProgramPoint};
use super::liveness::{Liveness, MAX_NESTING};
use super::locals::{Locals, Position};
use super::map::Map;
use super::numbering::Node;
use super::ops::{LEAST_SIZE, Opcode, Weight};
use super::searches::Accesses;
use super::types::{Types, is_collected};
use super::values::{Value, Values};

/// An upper bound on the number of locals. The body of a function with more locals is not analysed.
const MAX_LOCALS: u64 = 51_000;

/// An upper bound on the bytes of a body. A larger body is not analysed.
const MAX_BODY_BYTES: usize = 7_654_321;

/// The properties of one body that the limits and the estimate need.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BodyProfile {
    pub cost: Cost,
    /// The number of locals, including parameters.
    pub locals: u64,
    pub nesting: u64,
    /// The number of entities that the compiler numbers separately; the compiler has a maximum for it.
    pub regions: u64,
    /// The work to validate the body: one step per instruction, operand and branch target.
    pub validation_steps: u64,
    /// Whether the body catches exceptions.
    pub catches: bool,
    /// Whether the body contains `memory.atomic.wait`.
    pub waits: bool,
    /// Whether the body has legacy exception instructions. Then its cost is that of the body that is written for it,
    /// and not analysed here.
    pub legacy_exceptions: bool,
}

/// The properties of the module that all of its bodies need.
#[derive(Clone, Copy, Default)]
pub(super) struct ModuleContext {
    /// The number of memories and tables.
    pub places: u64,
}

/// The target of a store, by its index.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum StoreTarget {
    Memory(u32),
    Global(u32),
}

/// A store, or a `global.set`.
struct Store {
    /// The first byte of the instruction.
    opcode: u8,
    /// The address operand, without the offset. Unknown for globals.
    address: Node,
    /// The offset immediate.
    offset: u64,
    value: Value,
    /// The position of the instruction.
    point: ProgramPoint,
}

/// The last access to a global.
#[derive(Clone, Copy, Default)]
struct Global {
    /// The serial number of the function with the access. An entry of an earlier function is out of date, and need
    /// not be cleared.
    function: u64,
    /// The value of the last `global.set`, and its position.
    value: Value,
    point: ProgramPoint,
    /// The number of calls before the `global.set`.
    calls: u64,
}

/// Analyses bodies, one after another.
#[derive(Default)]
pub(super) struct Bodies {
    frames: Vec<Frame>,
    /// For each open `try_table`, outermost first: the indices in `frames` of the targets of its catch clauses.
    tries: Vec<Vec<usize>>,
    locals: Locals,
    profile: BodyProfile,
    position: Position,
    height: u64,
    /// The depth of the current block in the dominator tree.
    dominators: u64,
    /// The number of catch clauses around the current instruction.
    handlers: u64,
    /// The size of the compiler's data for the body, in bytes.
    size: u64,
    counts: Counts,
    /// The number of memories and tables.
    places: u64,
    /// The number of accesses so far, each of which may be a write.
    writes: u64,
    /// The smallest value of `writes` at the last call, over all paths to here: later writes may have no call
    /// after them.
    first_pending_write: u64,
    /// The last access to each global, by its index.
    globals: Vec<Global>,
    /// For each memory, by its index: the serial number of the last function that stores to it, and the number of
    /// stores there.
    stores: Vec<(u64, u64)>,
    /// The values on the operand stack.
    values: Values,
    /// The last store to each memory and global since the last call. `written` has the keys of the map, since to
    /// iterate over the map takes as long as its largest size so far.
    last_stored: Map<StoreTarget, Store>,
    written: Vec<StoreTarget>,
    /// The pure instructions, which have no side effects.
    deferred: Deferred,
    liveness: Liveness,
    flow: ValueFlow,
    /// Whether the current instruction is reachable.
    is_reachable: bool,
    /// Whether the analysis of the body exceeds its budget. The module is then refused.
    exceeds_budget: bool,
    /// Whether the analysis of a body so far exceeded its budget.
    is_refused: bool,
    /// The [`alternatives_of`](super::ops::alternatives_of) the last instruction if it was a comparison. A branch
    /// that follows directly absorbs the comparison, which then has no alternatives.
    comparison: u64,
    /// The number of block arguments that may still be analysed in this module. Each costs [`ARGUMENT_NS`] to
    /// compile, and a branch can have a thousand.
    arguments_left: u64,
    /// Whether values are tracked. Only the cost estimate needs it.
    tracks_values: bool,
    /// The accesses of all bodies so far. Only the cost estimate needs them.
    pub accesses: Accesses,
    /// The serial number of the current function.
    function: u64,
}

impl Bodies {
    /// Makes an analyser for a module that is refused if it costs more than `bound`. Some work is not continued
    /// once it alone exceeds the bound. For locals, repeated instructions and block arguments this is when their
    /// compilation would take longer than the bound and longer than ten seconds. For the instructions of a function
    /// it is when they need more memory than the bound and more than one GiB. With `None`, neither locals nor
    /// values are analysed, and the cost is too low.
    pub(super) fn new(bound: Option<Bound>) -> Self {
        match bound {
            Some(bound) => {
                let max_instructions = bound.bytes.max(1 << 30) / LEAST_SIZE;
                Self::within(Budgets::new(bound), max_instructions)
            }
            None => Self::default(),
        }
    }

    /// Makes an analyser that tracks values, with these budgets, for bodies with at most `max_instructions` pure
    /// instructions each.
    pub(super) fn within(budgets: Budgets, max_instructions: u64) -> Self {
        Self {
            locals: Locals::new(budgets.loop_pairs),
            deferred: Deferred::new(max_instructions, budgets.repeats),
            arguments_left: budgets.arguments,
            liveness: Liveness::new(budgets.merged_pairs, budgets.set_words),
            flow: ValueFlow::new(budgets.branch_pairs),
            tracks_values: true,
            ..Self::default()
        }
    }

    /// Makes an analyser for other bodies of the same module. If values are tracked, it has these budgets.
    pub(super) fn fork(&self, budgets: Budgets) -> Self {
        match self.tracks_values {
            true => Self::within(budgets, self.deferred.max_instructions),
            false => Self::default(),
        }
    }

    /// Returns what is left of the budgets. They are 0 if values are not tracked.
    pub(super) fn budgets(&self) -> Budgets {
        Budgets {
            loop_pairs: self.locals.pairs_left,
            repeats: self.deferred.repeats_left,
            arguments: self.arguments_left,
            merged_pairs: self.liveness.pairs_left,
            set_words: self.liveness.word_steps_left,
            branch_pairs: self.flow.pairs_left,
        }
    }

    /// Takes `spent` from what is left of the budgets.
    pub(super) fn spend(&mut self, spent: Budgets) {
        let left = self.budgets().without(spent);
        self.locals.pairs_left = left.loop_pairs;
        self.deferred.repeats_left = left.repeats;
        self.arguments_left = left.arguments;
        self.liveness.pairs_left = left.merged_pairs;
        self.liveness.word_steps_left = left.set_words;
        self.flow.pairs_left = left.branch_pairs;
    }

    /// Whether values are tracked.
    pub(super) fn tracks_values(&self) -> bool {
        self.tracks_values
    }

    /// Whether a body so far was analysed as with budgets without end: none was used up.
    pub(super) fn is_within_budgets(&self) -> bool {
        !self.tracks_values || !self.is_refused && !self.budgets().is_any_used_up()
    }

    /// Returns the properties and the cost of a body. If a part of the body is not valid, the rest is not analysed,
    /// since it is not compiled either.
    pub(super) fn profile(&mut self, module: Module<'_>, function: &Function<'_>) -> BodyProfile {
        let Module { types, context, .. } = module;
        self.frames.clear();
        self.tries.clear();
        self.locals.clear();
        self.profile = BodyProfile::default();
        self.position = Position::default();
        self.height = 0;
        self.dominators = 0;
        self.handlers = 0;
        self.size = 0;
        self.counts = Counts::default();
        self.values.clear();
        self.deferred.clear();
        self.flow.clear();
        self.is_reachable = true;
        self.comparison = 0;
        self.places = context.places;
        self.writes = 0;
        self.first_pending_write = 0;
        self.function += 1;
        self.exceeds_budget = false;
        let _ = self.walk(types, function.ty, &function.body);
        self.keep_stores();
        self.counts.live_ranges = self.deferred.live_ranges();
        self.counts.live_ranges.pairs += self.locals.result_pairs;
        let counts = &self.counts;
        let types = counts.types.min(types.count());
        self.profile.regions = counts.globals + types + counts.alive + context.places;
        self.profile.cost = counts.cost(
            self.size,
            self.profile.locals,
            &self.locals,
            self.flow.arguments,
            self.position,
            context,
        );
        if self.is_exhausted() {
            self.is_refused = true;
            self.profile.cost.ns = u64::MAX;
            // The rest of the body was not counted.
            self.profile.validation_steps = u64::MAX;
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
        self.counts.collected_locals = match self.counts.has_references {
            true => params,
            false => 0,
        };
        for local in body.get_locals_reader().ok()? {
            let (count, ty) = local.ok()?;
            self.profile.locals += u64::from(count);
            if is_collected(&ty) {
                self.counts.has_references = true;
                self.counts.collected_locals += u64::from(count);
            }
        }
        if self.profile.locals > MAX_LOCALS || body.range().len() > MAX_BODY_BYTES {
            return None;
        }
        if self.tracks_values && self.liveness.analyze(body, self.profile.locals).is_err() {
            self.exceeds_budget = true;
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
                self.exceeds_budget = true;
            }
            if self.is_exhausted() {
                return None;
            }
        }
        Some(())
    }

    /// Whether the analysis exceeds its budget. The module is then refused.
    fn is_exhausted(&self) -> bool {
        let of_module = self.flow.is_exhausted || self.deferred.is_exhausted();
        self.exceeds_budget || self.tracks_values && of_module
    }

    fn code(&mut self, weight: Weight) {
        self.size = self.size.saturating_add(weight.size);
        if weight.blocks > 0 {
            self.begin_blocks(weight.blocks);
        }
    }

    /// Begins `count` blocks of the compiler's control-flow graph, each of which dominates the next.
    fn begin_blocks(&mut self, count: u64) {
        self.position.blocks += count;
        if self.tracks_values {
            // Only the last block is recorded, since each dominates the next.
            self.deferred
                .begin_block(self.position.blocks, self.dominators + 1);
        }
        self.dominators += count;
        self.counts.dominated_blocks += count * self.dominators;
        self.counts.stack_blocks += count * self.height;
        let written = self.writes.saturating_sub(self.first_pending_write);
        if written > 0 {
            let places = written.min(self.counts.globals + self.places);
            self.counts.pending_write_blocks += count;
            self.counts.pending_writes += count * places;
        }
    }

    /// Returns the height of the operand stack after `count` values are popped.
    fn height_without(&self, count: u64) -> u64 {
        // A valid body pops below the frame's height only in unreachable code.
        let floor = self.frames.last().map_or(0, |frame| frame.height);
        self.height.saturating_sub(count).max(floor)
    }

    fn pop(&mut self, count: u64) {
        self.height = self.height_without(count);
        self.values.truncate(self.height);
    }

    fn check_local(&self, index: u32) -> Option<()> {
        (u64::from(index) < self.profile.locals.min(MAX_LOCALS)).then_some(())
    }
}
