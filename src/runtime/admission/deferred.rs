//! Values that are not computed where the instruction is, but where they are needed.
//!
//! The optimiser keeps instructions without effects apart, and puts each of them back before the first instruction with
//! effects that needs its value. What they are given has to be kept until then: a sum of a thousand loads becomes a
//! thousand loads, and then a thousand additions. The register allocator looks at pairs of values that are kept at the
//! same time, which makes it slow where there are many.
//!
//! A value that is computed again is kept from the first time on, wherever control has to come through there. Where it
//! need not have, the instructions are repeated: a value that is computed before a hundred branches, and needed in each
//! of them, becomes as many instructions a hundred times.
//!
//! A dead store needs no value. One that an equal instruction to the same address follows in its block is dead. Of one
//! that another at the same offset follows it is not known. So all is counted twice: as if every such store needed its
//! value, and as if none did.

mod kept;
mod loops;
mod placing;

use wasmparser::Operator;

use super::numbering::{Kind, Node, Numbered, Numbering, Read};
use super::ops::Opcode;

/// So few instructions are not looked at where control joins.
const LIGHT: u32 = 3;

/// An instruction without effects.
struct Instruction {
    operands: [Node; 3],
    /// Whether one of them is a constant that has to be kept until another is computed.
    keeps_constant: bool,
    /// Where it was first.
    since: Spot,
    /// Its size, in bytes, when it is repeated.
    size: u32,
    /// How many instructions it takes to compute it, if none is there, at most.
    tree: u32,
    /// Which walk through operands has come here last.
    seen: u32,
    /// The innermost loop on which it depends, by the number of the block with which that begins; 0 if there is none. The
    /// second time, as if aliases were the values that they stand for.
    depends_on: [u32; 2],
    /// Whether the optimiser computes it again in each block that needs it.
    is_cheap: bool,
    /// The last loop before which it was put, each time as `depends_on`.
    hoisted: [u32; 2],
    /// Whether another instruction takes its value.
    is_taken: bool,
    /// Where control last took it along to a join.
    handed_on: Option<Placed>,
    /// Where it is, where each store needs its value, and where dead ones do not.
    placed: [Option<Placed>; 2],
}

/// Where a value is computed.
#[derive(Clone, Copy)]
struct Placed {
    block: Block,
    /// When it was last used.
    used: Time,
}

/// How much was computed before.
#[derive(Clone, Copy, Default)]
struct Time {
    /// How many values instructions with effects had left.
    left: u32,
    /// How many instructions had been put back, or have effects and leave nothing.
    steps: u32,
    /// How many branches lead out of a frame.
    exits: u32,
}

impl Time {
    /// Everything that was computed.
    fn all(self) -> u32 {
        self.left.saturating_add(self.steps)
    }
}

/// A block of the compiler's.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Block {
    number: u32,
    /// How many blocks are before it in [`Deferred::path`].
    depth: u32,
}

/// A place in a function. The default is its beginning.
#[derive(Clone, Copy, Default)]
pub(super) struct Spot {
    block: Block,
    /// How many values instructions with effects had left.
    left: u32,
    /// How many branches lead out of a frame.
    exits: u32,
}

/// A loop that is branched to.
struct Loop {
    /// The number of the block with which it begins.
    began: u32,
    /// How many values are put before it, so that they are not computed in it again and again, each time as
    /// [`Instruction::depends_on`].
    hoisted: [u64; 2],
    /// How many branches lead out of it, from itself and the loops in it that have ended.
    exits: u64,
    /// How many of them lead out of no loop around it.
    last_exits: u64,
}

enum Step {
    /// The value is needed.
    Place(Node),
    /// All operands of an instruction are there.
    Compute {
        index: usize,
        /// When its first operand was computed, if it is repeated and that is a constant.
        constant: Option<Time>,
    },
}

impl Spot {
    /// Whether both are in the same block of the compiler's.
    pub fn is_in_block_of(self, other: Self) -> bool {
        self.block == other.block
    }

    /// Whether the other is in a block that began before this one.
    pub fn is_in_block_after(self, other: Self) -> bool {
        self.block.number > other.block.number
    }
}

/// Which stores need their values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stores {
    All = 0,
    Last = 1,
}

/// What is counted.
#[derive(Clone, Copy, Default)]
pub(super) struct Kept {
    /// Pairs of an operand that is kept, and a value that is left by an instruction with effects meanwhile.
    pub pairs: u64,
    /// Pairs of an operand that is kept, and a block that begins meanwhile.
    pub blocks: u64,
    /// Pairs of a value that is used again, and whatever was computed since its last use. Across calls nothing is kept in
    /// registers: only what is before the first of them and after the last counts.
    pub reused_pairs: u64,
    /// The size of the instructions that are repeated, in bytes.
    pub repeated_size: u64,
    /// Constants that are kept until another operand is computed.
    pub constants: u64,
    /// Pairs of a value that is put before a loop, and a block of that loop.
    pub hoisted: u64,
    /// Pairs of a value that is put before a loop, and a branch out of that loop.
    pub hoisted_exits: u64,
    /// Pairs of a value that is kept, and a branch meanwhile to where it is not.
    pub exits: u64,
}

/// The instructions without effects of one function.
#[derive(Default)]
pub(super) struct Deferred {
    numbering: Numbering,
    instructions: Vec<Instruction>,
    /// Where constants are, each time as [`Instruction::placed`].
    constants: Vec<[Option<Placed>; 2]>,
    /// The last loop before which each constant was put.
    hoisted_constants: Vec<[u32; 2]>,
    /// The blocks that dominate the current one, which is the last, each with its depth in the dominator tree. Of some
    /// that begin at the same instruction, only the last is in it.
    path: Vec<(u64, Block)>,
    /// The loops that are open and branched to, the outermost first.
    loops: Vec<Loop>,
    /// The innermost loop on which each unknown value depends, in the order in which they were made.
    unknown: Vec<u32>,
    /// How many values instructions with effects have left, and how many of them left nothing.
    left: u32,
    silent: u32,
    /// How many branches lead out of a frame, and how many of them out of one that has not ended.
    exits: u32,
    open_exits: u64,
    /// When functions were called, each time as [`Instruction::placed`].
    calls: Vec<[u32; 2]>,
    /// How many instructions were put back, and what is kept, each time as [`Instruction::placed`].
    placed: [u32; 2],
    kept: [Kept; 2],
    /// What is to be done for a value that is needed, the next step last.
    steps: Vec<Step>,
    /// How many walks through operands have begun.
    walks: u32,
    /// How many instructions a function can have in a module that is not refused: no more are kept.
    max_instructions: u64,
    /// How many more instructions are repeated in this module, before no more are looked at. Each takes a step, and
    /// there can be as many as the square of the module's size.
    repeats_left: u64,
}

impl Deferred {
    /// For a module that is refused if a function has more instructions without effects than this, or more of them are
    /// repeated.
    pub fn new(max_instructions: u64, max_repeats: u64) -> Self {
        Self {
            max_instructions,
            repeats_left: max_repeats,
            ..Self::default()
        }
    }

    /// Begins with another function.
    pub fn clear(&mut self) {
        self.numbering.clear();
        self.instructions.clear();
        self.constants.clear();
        self.path.clear();
        self.loops.clear();
        self.unknown.clear();
        self.hoisted_constants.clear();
        (self.left, self.silent) = (0, 0);
        (self.exits, self.open_exits) = (0, 0);
        self.calls.clear();
        self.placed = [0; 2];
        self.kept = Default::default();
        self.begin_block(0, 0);
    }

    /// Whether the function has more instructions than it may, or more of the module's are repeated.
    pub fn is_exhausted(&self) -> bool {
        self.repeats_left == 0 || self.instructions.len() as u64 > self.max_instructions
    }

    /// How many values instructions with effects have left, constants that are kept included.
    pub fn left(&self) -> u64 {
        u64::from(self.left)
    }

    /// A value of which nothing is known but that it is there from this spot on.
    pub fn opaque(&mut self, spot: Spot) -> Node {
        let before = spot.block.number;
        let loops = self.loops.partition_point(|open| open.began <= before);
        let innermost = self.loops[..loops].last();
        self.unknown.push(innermost.map_or(0, |open| open.began));
        self.numbering.opaque()
    }

    /// An instruction with effects leaves so many values. Returns what to call the last.
    pub fn leave(&mut self, count: u64) -> Node {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(count);
        self.silent = self.silent.saturating_add(u32::from(count == 0));
        self.opaque(self.here())
    }

    /// An instruction with these operands, the last one last. `size` is its size in bytes. Returns what it leaves.
    pub fn add(
        &mut self,
        opcode: Opcode,
        operator: &Operator<'_>,
        operands: &[Node],
        size: u64,
    ) -> Node {
        let next = Node::computed(self.instructions.len());
        let mut operands = match self.numbering.number(opcode, operator, operands, next) {
            Numbered::Known(node) => return node,
            Numbered::Again(node) => {
                if let Kind::Computed(index) = node.kind() {
                    self.again(index);
                }
                return node;
            }
            Numbered::New(operands) => operands,
        };
        let is_cheap =
            opcode.is_cheap() && operands[..2].iter().any(|operand| operand.is_constant());
        let mut keeps_constant = false;
        // Operands are computed from left to right. A constant that comes last may be a part of the instruction.
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
            self.left = self.left.saturating_add(1);
            for kept in &mut self.kept {
                kept.constants += 1;
            }
        }
        next
    }

    /// An instruction reads from a memory. The optimiser leaves out one that reads the same again.
    pub fn read(&mut self, read: Read) -> Node {
        let next = Node::computed(self.instructions.len());
        let node = self.numbering.number_read(read, next);
        if node == next {
            self.push([Node::NONE; 3], false, 0);
            self.depend_on_loop([true; 2]);
        } else if let Kind::Computed(index) = node.kind() {
            self.again(index);
        }
        self.left = self.left.saturating_add(1);
        if let Kind::Computed(index) = node.kind() {
            for stores in [Stores::All, Stores::Last] {
                let (used, block) = (self.now(stores), self.here().block);
                if self.there(index, stores, block).is_none() {
                    self.instructions[index].placed[stores as usize] = Some(Placed { block, used });
                }
            }
        }
        node
    }

    /// A value that may be this one, or another.
    pub fn alias(&mut self, node: Node) -> Node {
        self.push([node, Node::NONE, Node::NONE], false, 0);
        self.depend_on_loop([true, false]);
        Node::computed(self.instructions.len() - 1)
    }

    /// The alias of a value turns out to be one of which nothing is known but that it is there from this spot on.
    pub fn detach(&mut self, alias: Node, began: Spot) {
        if let Kind::Computed(index) = alias.kind()
            && let Some(instruction) = self.instructions.get_mut(index)
        {
            instruction.operands = [Node::NONE; 3];
            instruction.depends_on = [began.block.number; 2];
        }
    }

    /// Whether it takes more than a few instructions to compute the value.
    pub fn is_heavy(&self, node: Node) -> bool {
        self.tree(node) > LIGHT
    }

    fn push(&mut self, operands: [Node; 3], keeps_constant: bool, size: u32) {
        for operand in operands {
            if let Kind::Computed(index) = operand.kind()
                && let Some(operand) = self.instructions.get_mut(index)
            {
                operand.is_taken = true;
            }
        }
        let trees = operands.iter().map(|operand| self.tree(*operand));
        let depends_on = [0, 1].map(|time| {
            let loops = operands
                .iter()
                .map(|operand| self.depends_on(*operand, time));
            loops.max().unwrap_or(0)
        });
        self.instructions.push(Instruction {
            operands,
            keeps_constant,
            since: self.here(),
            size,
            tree: trees.fold(1, u32::saturating_add),
            seen: 0,
            depends_on,
            is_cheap: false,
            hoisted: [0; 2],
            is_taken: false,
            handed_on: None,
            placed: [None; 2],
        });
    }

    fn tree(&self, node: Node) -> u32 {
        let Kind::Computed(index) = node.kind() else {
            return 0;
        };
        let instruction = self.instructions.get(index);
        instruction.map_or(0, |instruction| instruction.tree)
    }
}
