//! Where values are computed, and where again.

use super::super::numbering::{Kind, Node};
use super::{Block, Deferred, Placed, Spot, Step, Stores};

impl Deferred {
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

    /// Counts what it takes to compute the value here.
    pub(super) fn repeat(&mut self, node: Node, stores: Stores) {
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

    /// Whether control has to come through that place to this block.
    pub(super) fn is_there(&self, placed: Placed, block: Block) -> bool {
        // A store may be in a block that has ended.
        placed.block == block || self.is_on_path(placed.block)
    }

    pub(super) fn is_on_path(&self, block: Block) -> bool {
        let on_path = self.path.get(block.depth as usize);
        on_path.is_some_and(|(_, it)| *it == block)
    }

    /// Puts the instruction there, unless control comes through another place where it is; before it, what it needs.
    pub(super) fn place(&mut self, index: usize, stores: Stores, spot: Spot) {
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
        // Until it was put somewhere first, its operands had to be kept.
        let (pairs, blocks, exits) = if is_repeated {
            let kept = &mut self.kept[stores as usize];
            kept.repeated_size += u64::from(instruction.size);
            self.repeats_left -= 1;
            (0, 0, 0)
        } else {
            let since = self.instructions[index].since;
            let blocks = block.number.saturating_sub(since.block.number);
            let exits = self.exits_between(since.exits, spot.exits);
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
    pub(super) fn compute(&mut self, index: usize, stores: Stores, block: Block) {
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
    pub(super) fn there(
        &mut self,
        index: usize,
        stores: Stores,
        block: Block,
    ) -> Option<&mut Placed> {
        let placed = self.instructions.get(index)?.placed[stores as usize]?;
        let is_there = self.is_there(placed, block);
        let placed = self.instructions[index].placed[stores as usize].as_mut();
        placed.filter(|_| is_there)
    }

    /// An equal instruction is here. Where control need not have come through the other place, it is one of its own.
    pub(super) fn again(&mut self, index: usize) {
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
}
