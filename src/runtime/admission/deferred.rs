//! Pure instructions, whose values the compiler computes at their uses instead of at their position.
//!
//! The optimiser (Cranelift's e-graph pass) removes pure instructions from the blocks, and puts each one back
//! before the first instruction with side effects that needs its value. Its operands have to stay live until then:
//! a sum of a thousand loads becomes a thousand loads, followed by a thousand additions. The register allocator
//! works on pairs of values that are live at the same time, so it is slow when there are many.
//!
//! A value that is used again stays live since its first computation if that dominates the second use. Otherwise
//! the instructions are repeated: if the instructions of a value come before a hundred branches, and the value is
//! needed after each of them, it is computed a hundred times.
//!
//! A dead store does not need its value. A store is dead if a store with the same instruction and address follows
//! in its block. If another store with the same offset follows, it is not known whether the first one is dead. So
//! everything is counted twice: as if each store of this kind needed its value, and as if none did.

mod live_ranges;
mod loops;
mod placing;

use wasmparser::Operator;

use super::numbering::{Kind, Node, Numbered, Numbering, Read};
use super::ops::Opcode;

/// Values that take at most this many instructions are not counted at merge points.
const LIGHT: u32 = 3;

/// A pure instruction.
struct Instruction {
    operands: [Node; 3],
    /// Whether an operand is a constant that has to stay live until another operand is computed.
    keeps_constant: bool,
    /// The position of the instruction, or of the last equal one that the first does not dominate.
    first_seen: ProgramPoint,
    /// The size that a repetition adds, in bytes.
    size: u32,
    /// An upper bound on the number of instructions that compute the value if no operand is available.
    tree_size: u32,
    /// The number of the last walk over operands that visited the instruction.
    last_walk: u32,
    /// The innermost loop on which the value depends, as the number of its first block; 0 if there is none. The
    /// second entry is for the case that each alias equals the value that it stands for.
    depends_on: [u32; 2],
    /// Whether the optimiser computes the value again in each block that needs it.
    is_cheap: bool,
    /// The last loop out of which the value was hoisted, for both cases of `depends_on`.
    hoisted: [u32; 2],
    /// Whether another instruction has it as an operand.
    is_used: bool,
    /// Where it was last passed to a merge point.
    last_passed: Option<Placed>,
    /// Where the value is computed, for both cases of [`LiveStores`].
    placed: [Option<Placed>; 2],
}

/// The block in which a value is computed.
#[derive(Clone, Copy)]
struct Placed {
    block: Block,
    /// The time of the last use.
    used: Time,
}

/// Counters at a point in time.
#[derive(Clone, Copy, Default)]
struct Time {
    /// The number of results of instructions with side effects.
    results: u32,
    /// The number of pure instructions that were placed, and of instructions with side effects that have no result.
    steps: u32,
    /// The number of conditional branches.
    exits: u32,
}

impl Time {
    /// Returns the number of computed values and executed effects.
    fn total(self) -> u32 {
        self.results.saturating_add(self.steps)
    }
}

/// A block of the compiler's control-flow graph.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Block {
    number: u32,
    /// The index of the block in [`Deferred::path`] while it is there.
    depth: u32,
}

/// A position in a function. The default is its start.
#[derive(Clone, Copy, Default)]
pub(super) struct ProgramPoint {
    block: Block,
    /// The number of results of instructions with side effects before it.
    results: u32,
    /// The number of conditional branches before it.
    exits: u32,
}

/// An open loop that is branched to.
struct Loop {
    /// The number of its first block.
    start: u32,
    /// The number of values that are hoisted out of it, so that they are not computed in each iteration. For both
    /// cases of [`Instruction::depends_on`].
    hoisted: [u64; 2],
    /// The number of branches out of it, from itself and from inner loops that have ended.
    exits: u64,
    /// The number of those branches that do not also leave an outer loop.
    last_exits: u64,
}

enum Step {
    /// Computes the value if it is not available.
    Place(Node),
    /// Computes an instruction. All its operands are available.
    Compute {
        index: usize,
        /// For a repeated instruction with a constant as its first operand: the time when the constant was
        /// computed.
        constant: Option<Time>,
    },
}

impl ProgramPoint {
    /// Whether both are in the same block of the compiler's control-flow graph.
    pub(super) fn is_in_block_of(self, other: Self) -> bool {
        self.block == other.block
    }

    /// Whether the other is in a block that began earlier.
    pub(super) fn is_in_block_after(self, other: Self) -> bool {
        self.block.number > other.block.number
    }
}

/// The case that is counted: which of the stores that may be dead need their values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LiveStores {
    All = 0,
    Last = 1,
}

/// Counts of pairs of a live value and an event during its live range.
#[derive(Clone, Copy, Default)]
pub(super) struct LiveRangeCounts {
    /// Pairs of an operand of a pure instruction that is not placed yet, and a result of an instruction with side
    /// effects.
    pub pairs: u64,
    /// Pairs of an operand of a pure instruction that is not placed yet, and a block that begins.
    pub blocks: u64,
    /// Pairs of a value that is used again, and a value computed since its last use. Values are not in registers
    /// across calls: only the time before the first call and after the last one counts.
    pub reused_pairs: u64,
    /// The size of the repeated instructions, in bytes.
    pub repeated_size: u64,
    /// The number of constants that stay live until another operand is computed.
    pub constants: u64,
    /// Pairs of a value that is hoisted out of a loop, and a block of that loop.
    pub hoisted: u64,
    /// Pairs of a value that is hoisted out of a loop, and a branch out of that loop.
    pub hoisted_exits: u64,
    /// Pairs of a live value, and a conditional branch to a frame where it is not live.
    pub exits: u64,
}

/// The pure instructions of one function.
#[derive(Default)]
pub(super) struct Deferred {
    numbering: Numbering,
    instructions: Vec<Instruction>,
    /// Where each constant is computed, as in [`Instruction::placed`].
    constants: Vec<[Option<Placed>; 2]>,
    /// The last loop out of which each constant was hoisted, as in [`Instruction::hoisted`].
    hoisted_constants: Vec<[u32; 2]>,
    /// The dominators of the current block, which is the last entry, each with its depth in the dominator tree. If
    /// several blocks begin at the same instruction, only the last of them is an entry.
    path: Vec<(u64, Block)>,
    /// The open loops with branches to them, outermost first.
    loops: Vec<Loop>,
    /// The innermost loop on which each unknown value depends, in the order in which the values were made.
    unknown: Vec<u32>,
    /// The number of results of instructions with side effects, and the number of those instructions without
    /// result.
    results: u32,
    without_result: u32,
    /// The number of conditional branches, and of those among them whose target frame has not ended.
    /// `Position` in `locals` has copies.
    exits: u32,
    open_exits: u64,
    /// The times of calls, for both cases of [`LiveStores`].
    calls: Vec<[u32; 2]>,
    /// The number of instructions that were placed, and the counts, for both cases of [`LiveStores`].
    placed: [u32; 2],
    live_ranges: [LiveRangeCounts; 2],
    /// The work list for a value that is needed. The next step is the last.
    steps: Vec<Step>,
    /// The number of walks over operands.
    walks: u32,
    /// The maximum number of instructions of a function in an accepted module. More are not recorded.
    pub max_instructions: u64,
    /// The number of instructions that may still be repeated in this module. Each repetition takes a step, and
    /// their number can be the square of the module's size.
    pub repeats_left: u64,
}

impl Deferred {
    /// Makes the state for a module that is refused if a function has more than `max_instructions` pure
    /// instructions, or the module more than `max_repeats` repetitions.
    pub(super) fn new(max_instructions: u64, max_repeats: u64) -> Self {
        Self {
            max_instructions,
            repeats_left: max_repeats,
            ..Self::default()
        }
    }

    /// Resets the state for the next function.
    pub(super) fn clear(&mut self) {
        self.numbering.clear();
        self.instructions.clear();
        self.constants.clear();
        self.path.clear();
        self.loops.clear();
        self.unknown.clear();
        self.hoisted_constants.clear();
        (self.results, self.without_result) = (0, 0);
        (self.exits, self.open_exits) = (0, 0);
        self.calls.clear();
        self.placed = [0; 2];
        self.live_ranges = Default::default();
        self.begin_block(0, 0);
    }

    /// Whether the function has too many instructions, or the module too many repetitions.
    pub(super) fn is_exhausted(&self) -> bool {
        self.repeats_left == 0 || self.instructions.len() as u64 > self.max_instructions
    }

    /// Returns the number of results of instructions with side effects, including constants that stay live.
    pub(super) fn results(&self) -> u64 {
        u64::from(self.results)
    }

    /// The number of conditional branches so far, and of those among them whose target frame has not ended.
    pub(super) fn exits(&self) -> (u64, u64) {
        (u64::from(self.exits), self.open_exits)
    }

    /// Returns a new value of which nothing is known except that it is available from `point` on.
    pub(super) fn opaque(&mut self, point: ProgramPoint) -> Node {
        let before = point.block.number;
        let loops = self.loops.partition_point(|open| open.start <= before);
        let innermost = self.loops[..loops].last();
        self.unknown.push(innermost.map_or(0, |open| open.start));
        self.numbering.opaque()
    }

    /// Records `count` results of an instruction with side effects. Returns the node of the last result.
    pub(super) fn push_results(&mut self, count: u64) -> Node {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.results = self.results.saturating_add(count);
        self.without_result = self.without_result.saturating_add(u32::from(count == 0));
        self.opaque(self.here())
    }

    /// Adds a pure instruction. `operands` are in stack order, `size` is in bytes. Returns the node of its result.
    pub(super) fn add(
        &mut self,
        opcode: Opcode,
        operator: &Operator<'_>,
        operands: &[Node],
        size: u64,
    ) -> Node {
        let next = Node::computed(self.instructions.len());
        let mut operands = match self.numbering.number(opcode, operator, operands, next) {
            Numbered::Known(node) => return node,
            Numbered::Equal(node) => {
                if let Kind::Computed(index) = node.kind() {
                    self.found_equal(index);
                }
                return node;
            }
            Numbered::New(operands) => operands,
        };
        let is_cheap =
            opcode.is_cheap() && operands[..2].iter().any(|operand| operand.is_constant());
        let mut keeps_constant = false;
        // Operands are computed from left to right. A constant that is the last operand may be an immediate.
        let last = operands.iter().rposition(|operand| *operand != Node::NONE);
        for (index, operand) in operands.iter_mut().enumerate() {
            if let Kind::Constant(constant) = operand.kind() {
                if Some(index) != last {
                    keeps_constant = true;
                } else if self.numbering.is_immediate(constant) {
                    *operand = Node::NONE;
                }
            }
        }
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        self.push(operands, keeps_constant, size);
        if let Some(instruction) = self.instructions.last_mut() {
            instruction.is_cheap = is_cheap;
        }
        if keeps_constant {
            self.results = self.results.saturating_add(1);
            for counts in &mut self.live_ranges {
                counts.constants += 1;
            }
        }
        next
    }

    /// Adds a load. The optimiser removes a load that reads the same value again.
    pub(super) fn read(&mut self, read: Read) -> Node {
        let next = Node::computed(self.instructions.len());
        let node = self.numbering.number_read(read, next);
        self.computed_here(node)
    }

    /// Adds an instruction that may trap, and otherwise has no effect. The optimiser removes one that is equal to an
    /// earlier one.
    pub(super) fn add_trapping(&mut self, opcode: Opcode, operands: &[Node]) -> Node {
        let next = Node::computed(self.instructions.len());
        let node = self.numbering.number_trapping(opcode, operands, next);
        self.computed_here(node)
    }

    /// Records that an instruction with this number is computed where it is, and not where its result is needed.
    fn computed_here(&mut self, node: Node) -> Node {
        let next = Node::computed(self.instructions.len());
        if node == next {
            self.push([Node::NONE; 3], false, 0);
            self.depend_on_loop([true; 2]);
        } else if let Kind::Computed(index) = node.kind() {
            self.found_equal(index);
        }
        self.results = self.results.saturating_add(1);
        if let Kind::Computed(index) = node.kind() {
            for stores in [LiveStores::All, LiveStores::Last] {
                let (used, block) = (self.now(stores), self.here().block);
                if self.available(index, stores, block).is_none() {
                    self.instructions[index].placed[stores as usize] = Some(Placed { block, used });
                }
            }
        }
        node
    }

    /// Returns a new node for a value that may be equal to this one, or different.
    pub(super) fn alias(&mut self, node: Node) -> Node {
        self.push([node, Node::NONE, Node::NONE], false, 0);
        self.depend_on_loop([true, false]);
        Node::computed(self.instructions.len() - 1)
    }

    /// Records that an alias is different from its value: nothing is known of it except that it is available from
    /// `start` on.
    pub(super) fn detach(&mut self, alias: Node, start: ProgramPoint) {
        if let Kind::Computed(index) = alias.kind()
            && let Some(instruction) = self.instructions.get_mut(index)
        {
            instruction.operands = [Node::NONE; 3];
            instruction.depends_on = [start.block.number; 2];
        }
    }

    /// Whether the value takes more than a few instructions to compute.
    pub(super) fn is_heavy(&self, node: Node) -> bool {
        self.tree_size(node) > LIGHT
    }

    fn push(&mut self, operands: [Node; 3], keeps_constant: bool, size: u32) {
        for operand in operands {
            if let Kind::Computed(index) = operand.kind()
                && let Some(operand) = self.instructions.get_mut(index)
            {
                operand.is_used = true;
            }
        }
        let trees = operands.iter().map(|operand| self.tree_size(*operand));
        let depends_on = [0, 1].map(|case| {
            let loops = operands
                .iter()
                .map(|operand| self.depends_on(*operand, case));
            loops.max().unwrap_or(0)
        });
        self.instructions.push(Instruction {
            operands,
            keeps_constant,
            first_seen: self.here(),
            size,
            tree_size: trees.fold(1, u32::saturating_add),
            last_walk: 0,
            depends_on,
            is_cheap: false,
            hoisted: [0; 2],
            is_used: false,
            last_passed: None,
            placed: [None; 2],
        });
    }

    fn tree_size(&self, node: Node) -> u32 {
        let Kind::Computed(index) = node.kind() else {
            return 0;
        };
        let instruction = self.instructions.get(index);
        instruction.map_or(0, |instruction| instruction.tree_size)
    }
}
