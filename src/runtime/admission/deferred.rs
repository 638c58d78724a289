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

    /// The block with this number begins, which is so deep in the dominator tree.
    pub fn begin_block(&mut self, number: u64, depth: u64) {
        while self.path.last().is_some_and(|(last, _)| *last >= depth) {
            self.path.pop();
        }
        let block = Block {
            number: u32::try_from(number).unwrap_or(u32::MAX),
            depth: u32::try_from(self.path.len()).unwrap_or(u32::MAX),
        };
        self.path.push((depth, block));
    }

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

    /// A function is called.
    pub fn call(&mut self) {
        let times = [Stores::All, Stores::Last].map(|stores| self.now(stores).all());
        self.calls.push(times);
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

    /// The current spot.
    pub fn here(&self) -> Spot {
        let block = self.path.last().map(|(_, block)| *block);
        Spot {
            block: block.unwrap_or_default(),
            left: self.left,
            exits: self.exits,
        }
    }

    /// Whether control has to come through that spot to here.
    pub fn dominates(&self, spot: Spot) -> bool {
        self.is_on_path(spot.block)
    }

    /// Something needs the value there.
    pub fn need(&mut self, node: Node, stores: Stores, spot: Spot) {
        self.hoist(node);
        self.steps.push(Step::Place(node));
        while let Some(step) = self.steps.pop() {
            match step {
                Step::Place(node) => {
                    if let Kind::Computed(index) = node.kind() {
                        self.place(index, stores, spot);
                    }
                }
                Step::Compute { index, constant } => {
                    if let Some(since) = constant {
                        self.reuse(since, self.now(stores), stores);
                    }
                    self.compute(index, stores, spot.block);
                }
            }
        }
    }

    /// Something needs the value here, whether or not stores are dead.
    pub fn need_always(&mut self, node: Node) {
        match node.kind() {
            Kind::Computed(_) => {
                self.need(node, Stores::All, self.here());
                self.need(node, Stores::Last, self.here());
            }
            Kind::Constant(constant) => {
                self.hoist(node);
                self.use_constant_here(constant);
            }
            Kind::Unknown => {}
        }
    }

    fn use_constant_here(&mut self, constant: usize) {
        if !self.numbering.is_cheap(constant) {
            let block = self.here().block;
            for stores in [Stores::All, Stores::Last] {
                let used = self.now(stores);
                self.use_constant(constant, stores, Placed { block, used });
            }
        }
    }

    /// Control goes from here to where it joins other control, which may need these values. Since that is not known,
    /// they are not put here, but what it takes to compute them is counted.
    pub fn carry(&mut self, nodes: &[Node]) {
        for stores in [Stores::All, Stores::Last] {
            self.walks = self.walks.wrapping_add(1);
            for node in nodes {
                self.repeat(*node, stores);
            }
        }
    }

    /// What was counted, the larger of both each time.
    pub fn kept(&self) -> Kept {
        let [all, last] = self.kept;
        Kept {
            pairs: all.pairs.max(last.pairs),
            blocks: all.blocks.max(last.blocks),
            reused_pairs: all.reused_pairs.max(last.reused_pairs),
            repeated_size: all.repeated_size.max(last.repeated_size),
            constants: all.constants.max(last.constants),
            hoisted: all.hoisted.max(last.hoisted),
            hoisted_exits: all.hoisted_exits.max(last.hoisted_exits),
            exits: all.exits.max(last.exits),
        }
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

    /// The value of the last instruction is another one each time the innermost loop begins, at these times of
    /// [`Instruction::depends_on`].
    fn depend_on_loop(&mut self, times: [bool; 2]) {
        if let (Some(open), Some(instruction)) = (self.loops.last(), self.instructions.last_mut()) {
            for (depends_on, is_that) in instruction.depends_on.iter_mut().zip(times) {
                if is_that {
                    *depends_on = open.began;
                }
            }
        }
    }

    /// The innermost loop on which the value depends.
    fn depends_on(&self, node: Node, time: usize) -> u32 {
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
    fn hoist(&mut self, node: Node) {
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
    fn hoist_operands(&mut self, index: usize) {
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

    fn tree(&self, node: Node) -> u32 {
        let Kind::Computed(index) = node.kind() else {
            return 0;
        };
        let instruction = self.instructions.get(index);
        instruction.map_or(0, |instruction| instruction.tree)
    }

    /// Counts what it takes to compute the value here.
    fn repeat(&mut self, node: Node, stores: Stores) {
        let here = self.here().block;
        let (mut count, mut constants) = (0_u64, 0_u64);
        self.steps.push(Step::Place(node));
        while let Some(step) = self.steps.pop() {
            let Step::Place(node) = step else { continue };
            let Kind::Computed(index) = node.kind() else {
                continue;
            };
            let is_there = self.there(index, stores, here).is_some();
            let Some(instruction) = self.instructions.get_mut(index) else {
                continue;
            };
            if is_there || instruction.seen == self.walks || self.repeats_left == 0 {
                continue;
            }
            instruction.seen = self.walks;
            self.repeats_left -= 1;
            count += 1;
            constants += u64::from(instruction.keeps_constant);
            self.kept[stores as usize].repeated_size += u64::from(instruction.size);
            let operands = instruction.operands;
            self.hoist_operands(index);
            self.steps.extend(operands.map(Step::Place));
        }
        // Each constant is kept while what comes before it in a chain is computed.
        let kept = &mut self.kept[stores as usize];
        kept.reused_pairs = kept.reused_pairs.saturating_add(constants * count / 2);
    }

    fn now(&self, stores: Stores) -> Time {
        Time {
            left: self.left,
            steps: self.placed[stores as usize].saturating_add(self.silent),
            exits: self.exits,
        }
    }

    /// How much was computed between the two, other than across calls.
    fn kept_since(&self, since: Time, now: Time, stores: Stores) -> u64 {
        let (since, now) = (since.all(), now.all());
        let at = |call: &[u32; 2]| call[stores as usize];
        let first = self.calls.partition_point(|call| at(call) <= since);
        match (self.calls.get(first), self.calls.last()) {
            (Some(first), Some(last)) => {
                let before = at(first).saturating_sub(since);
                u64::from(before) + u64::from(now.saturating_sub(at(last)))
            }
            _ => u64::from(now.saturating_sub(since)),
        }
    }

    /// Whether control has to come through that place to this block.
    fn is_there(&self, placed: Placed, block: Block) -> bool {
        // A store may be in a block that has ended.
        placed.block == block || self.is_on_path(placed.block)
    }

    fn is_on_path(&self, block: Block) -> bool {
        let on_path = self.path.get(block.depth as usize);
        on_path.is_some_and(|(_, it)| *it == block)
    }

    /// Puts the instruction there, unless control comes through another place where it is; before it, what it needs.
    fn place(&mut self, index: usize, stores: Stores, spot: Spot) {
        let used = self.now(stores);
        let Some(instruction) = self.instructions.get(index) else {
            return;
        };
        let is_repeated = match instruction.placed[stores as usize] {
            Some(placed) if self.is_there(placed, spot.block) => return,
            Some(_) if self.repeats_left == 0 => return,
            placed => placed.is_some(),
        };
        let instruction = &mut self.instructions[index];
        let block = spot.block;
        instruction.placed[stores as usize] = Some(Placed { block, used });
        let (operands, keeps_constant) = (instruction.operands, instruction.keeps_constant);
        let kept = &mut self.kept[stores as usize];
        // Until it was put somewhere first, its operands had to be kept.
        let (pairs, blocks, exits) = if is_repeated {
            kept.repeated_size += u64::from(instruction.size);
            self.repeats_left -= 1;
            (0, 0, 0)
        } else {
            let since = instruction.since;
            let blocks = block.number.saturating_sub(since.block.number);
            let exits = spot.exits.saturating_sub(since.exits);
            let exits = u64::from(exits).min(self.open_exits);
            (spot.left.saturating_sub(since.left), blocks, exits)
        };
        self.hoist_operands(index);
        let mut count = u64::from(keeps_constant);
        // The first time, its constant is among the operands that were kept.
        let constant = (is_repeated && keeps_constant).then_some(used);
        self.steps.push(Step::Compute { index, constant });
        for operand in operands.iter().rev() {
            let is_kept = match operand.kind() {
                Kind::Unknown => *operand != Node::NONE,
                Kind::Computed(before) => self.there(before, stores, spot.block).is_some(),
                Kind::Constant(_) => false,
            };
            if is_kept {
                count += 1;
            } else {
                self.steps.push(Step::Place(*operand));
            }
        }
        let kept = &mut self.kept[stores as usize];
        kept.pairs = kept.pairs.saturating_add(count * u64::from(pairs));
        kept.blocks = kept.blocks.saturating_add(count * u64::from(blocks));
        kept.exits = kept.exits.saturating_add(count * exits);
    }

    /// The instruction is computed, all of whose operands are.
    fn compute(&mut self, index: usize, stores: Stores, block: Block) {
        let placed = &mut self.placed[stores as usize];
        *placed = placed.saturating_add(1);
        let used = self.now(stores);
        let instruction = &mut self.instructions[index];
        if let Some(placed) = &mut instruction.placed[stores as usize] {
            placed.used = used;
        }
        let (operands, keeps_constant) = (instruction.operands, instruction.keeps_constant);
        for (index, operand) in operands.iter().enumerate() {
            match operand.kind() {
                Kind::Unknown => {}
                Kind::Computed(before) => self.use_again(before, stores, block),
                Kind::Constant(constant)
                    if keeps_constant && index == 0 || !self.numbering.is_cheap(constant) =>
                {
                    self.use_constant(constant, stores, Placed { block, used });
                }
                Kind::Constant(_) => {}
            }
        }
    }

    /// Where the instruction is, if control has to come through there to this block.
    fn there(&mut self, index: usize, stores: Stores, block: Block) -> Option<&mut Placed> {
        let placed = self.instructions.get(index)?.placed[stores as usize]?;
        let is_there = self.is_there(placed, block);
        let placed = self.instructions[index].placed[stores as usize].as_mut();
        placed.filter(|_| is_there)
    }

    /// An equal instruction is here. Where control need not have come through the other place, it is one of its own.
    fn again(&mut self, index: usize) {
        let here = self.here().block;
        for stores in [Stores::All, Stores::Last] {
            if self.there(index, stores, here).is_some() {
                self.use_again(index, stores, here);
            } else if let Some(instruction) = self.instructions.get_mut(index) {
                instruction.placed[stores as usize] = None;
                instruction.since = Spot {
                    block: here,
                    left: self.left,
                    exits: self.exits,
                };
            }
        }
    }

    /// Control takes the value along to a join. It is kept since that was so the last time.
    pub fn hand_on(&mut self, node: Node) {
        self.hoist(node);
        let index = match node.kind() {
            Kind::Computed(index) => index,
            Kind::Constant(constant) => return self.use_constant_here(constant),
            Kind::Unknown => return,
        };
        self.hoist_operands(index);
        let here = Placed {
            block: self.here().block,
            used: self.now(Stores::All),
        };
        let Some(instruction) = self.instructions.get_mut(index) else {
            return;
        };
        let before = instruction.handed_on.replace(here);
        if let Some(before) = before.filter(|before| self.is_there(*before, here.block)) {
            let exits = here.used.exits.saturating_sub(before.used.exits);
            let exits = u64::from(exits).min(self.open_exits);
            for kept in &mut self.kept {
                kept.exits = kept.exits.saturating_add(exits);
            }
        }
    }

    /// Something takes the value of this instruction, which was kept until here.
    fn use_again(&mut self, index: usize, stores: Stores, block: Block) {
        let now = self.now(stores);
        if let Some(placed) = self.there(index, stores, block) {
            let since = std::mem::replace(&mut placed.used, now);
            self.reuse(since, now, stores);
        }
    }

    /// A constant is needed in a register. It is computed once in each block, or once if that takes more.
    fn use_constant(&mut self, index: usize, stores: Stores, here: Placed) {
        if index >= self.constants.len() {
            self.constants.resize(index + 1, [None; 2]);
        }
        let before = self.constants[index][stores as usize];
        let is_cheap = self.numbering.is_cheap(index);
        let before = before.filter(|before| {
            before.block == here.block || !is_cheap && self.is_there(*before, here.block)
        });
        // Where it is kept from is the first place, if control has to come through there.
        let block = before.map_or(here.block, |before| before.block);
        let used = here.used;
        self.constants[index][stores as usize] = Some(Placed { block, used });
        if let Some(before) = before {
            self.reuse(before.used, used, stores);
        }
    }

    /// A value is kept from one time to the other.
    fn reuse(&mut self, since: Time, now: Time, stores: Stores) {
        let pairs = self.kept_since(since, now, stores);
        let exits = u64::from(now.exits.saturating_sub(since.exits)).min(self.open_exits);
        let kept = &mut self.kept[stores as usize];
        kept.reused_pairs = kept.reused_pairs.saturating_add(pairs);
        kept.exits = kept.exits.saturating_add(exits);
    }
}
