//! The placement of pure instructions in blocks, and their repetition.

use super::super::numbering::{Kind, Node};
use super::{Block, Deferred, LiveStores, Placed, ProgramPoint, Step};

impl Deferred {
    /// Begins the block with this number and this depth in the dominator tree.
    pub(crate) fn begin_block(&mut self, number: u64, depth: u64) {
        while self.path.last().is_some_and(|(last, _)| *last >= depth) {
            self.path.pop();
        }
        let block = Block {
            number: u32::try_from(number).unwrap_or(u32::MAX),
            depth: u32::try_from(self.path.len()).unwrap_or(u32::MAX),
        };
        self.path.push((depth, block));
    }

    /// Returns the current position.
    pub(crate) fn here(&self) -> ProgramPoint {
        let block = self.path.last().map(|(_, block)| *block);
        ProgramPoint {
            block: block.unwrap_or_default(),
            results: self.results,
            exits: self.exits,
        }
    }

    /// Whether the block of this position dominates the current block.
    pub(crate) fn dominates(&self, point: ProgramPoint) -> bool {
        self.is_on_path(point.block)
    }

    /// Records that an instruction at `point` needs the value.
    pub(crate) fn need(&mut self, node: Node, stores: LiveStores, point: ProgramPoint) {
        self.hoist(node);
        self.need_hoisted(node, stores, point);
    }

    /// As [`Deferred::need`], of a value that was hoisted.
    fn need_hoisted(&mut self, node: Node, stores: LiveStores, point: ProgramPoint) {
        let Kind::Computed(index) = node.kind() else {
            return;
        };
        self.place(index, stores, point);
        while let Some(step) = self.steps.pop() {
            match step {
                Step::Place(node) => {
                    if let Kind::Computed(index) = node.kind() {
                        self.place(index, stores, point);
                    }
                }
                Step::Compute { index, constant } => {
                    if let Some(since) = constant {
                        self.count_live_range(since, self.now(stores), stores);
                    }
                    self.compute(index, stores, point.block);
                }
            }
        }
    }

    /// Records that the current instruction needs the value, in both cases of [`LiveStores`].
    pub(crate) fn need_here(&mut self, node: Node) {
        match node.kind() {
            Kind::Computed(_) => {
                let here = self.here();
                self.hoist(node);
                self.need_hoisted(node, LiveStores::All, here);
                self.need_hoisted(node, LiveStores::Last, here);
            }
            Kind::Constant(constant) => {
                self.hoist(node);
                self.use_constant_here(constant);
            }
            Kind::Unknown => {}
        }
    }

    /// Counts the recomputation of values that a branch passes to a merge point. They are not placed here, since it
    /// is not known whether the merge point needs them.
    pub(crate) fn repeat_arguments(&mut self, nodes: &[Node]) {
        for stores in [LiveStores::All, LiveStores::Last] {
            self.walks = self.walks.wrapping_add(1);
            for node in nodes {
                self.repeat(*node, stores);
            }
        }
    }

    /// Counts the recomputation of the value in the current block.
    pub(super) fn repeat(&mut self, node: Node, stores: LiveStores) {
        let here = self.here().block;
        let (mut count, mut constants) = (0_u64, 0_u64);
        self.steps.push(Step::Place(node));
        while let Some(step) = self.steps.pop() {
            let Step::Place(node) = step else { continue };
            let Kind::Computed(index) = node.kind() else {
                continue;
            };
            let is_available = self.available(index, stores, here).is_some();
            let Some(instruction) = self.instructions.get_mut(index) else {
                continue;
            };
            if is_available || instruction.last_walk == self.walks || self.repeats_left == 0 {
                continue;
            }
            instruction.last_walk = self.walks;
            self.repeats_left -= 1;
            count += 1;
            constants += u64::from(instruction.keeps_constant);
            self.live_ranges[stores as usize].repeated_size += u64::from(instruction.size);
            let operands = instruction.operands;
            self.hoist_operands(index);
            self.steps.extend(operands.map(Step::Place));
        }
        // Each constant is live while the instructions before it in a chain are computed.
        let counts = &mut self.live_ranges[stores as usize];
        counts.reused_pairs = counts.reused_pairs.saturating_add(constants * count / 2);
    }

    /// Whether the placement dominates this block.
    pub(super) fn is_available(&self, placed: Placed, block: Block) -> bool {
        // The placement may be in the block of a store that has ended.
        placed.block == block || self.is_on_path(placed.block)
    }

    pub(super) fn is_on_path(&self, block: Block) -> bool {
        let on_path = self.path.get(block.depth as usize);
        on_path.is_some_and(|(_, it)| *it == block)
    }

    /// Places the instruction in the block of `point`, with its operands before it, unless a dominating block has
    /// it.
    pub(super) fn place(&mut self, index: usize, stores: LiveStores, point: ProgramPoint) {
        let used = self.now(stores);
        let Some(instruction) = self.instructions.get(index) else {
            return;
        };
        let is_repeated = match instruction.placed[stores as usize] {
            Some(placed) if self.is_available(placed, point.block) => return,
            Some(_) if self.repeats_left == 0 => return,
            placed => placed.is_some(),
        };
        let instruction = &mut self.instructions[index];
        let block = point.block;
        instruction.placed[stores as usize] = Some(Placed { block, used });
        let (operands, keeps_constant) = (instruction.operands, instruction.keeps_constant);
        // The operands had to stay live until the first placement.
        let (pairs, blocks, exits) = if is_repeated {
            let counts = &mut self.live_ranges[stores as usize];
            counts.repeated_size += u64::from(instruction.size);
            self.repeats_left -= 1;
            (0, 0, 0)
        } else {
            let since = self.instructions[index].first_seen;
            let blocks = block.number.saturating_sub(since.block.number);
            let exits = self.exits_between(since.exits, point.exits);
            (point.results.saturating_sub(since.results), blocks, exits)
        };
        self.hoist_operands(index);
        let mut count = u64::from(keeps_constant);
        // At the first placement, the constant counts as one of the live operands.
        let constant = (is_repeated && keeps_constant).then_some(used);
        self.steps.push(Step::Compute { index, constant });
        for operand in operands.iter().rev() {
            let is_live = match operand.kind() {
                Kind::Unknown => *operand != Node::NONE,
                Kind::Computed(before) => self.available(before, stores, point.block).is_some(),
                Kind::Constant(_) => false,
            };
            if is_live {
                count += 1;
            } else {
                self.steps.push(Step::Place(*operand));
            }
        }
        let counts = &mut self.live_ranges[stores as usize];
        counts.pairs = counts.pairs.saturating_add(count * u64::from(pairs));
        counts.blocks = counts.blocks.saturating_add(count * u64::from(blocks));
        counts.exits = counts.exits.saturating_add(count * exits);
    }

    /// Records that an instruction is computed. All its operands are available.
    pub(super) fn compute(&mut self, index: usize, stores: LiveStores, block: Block) {
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
                Kind::Computed(before) => self.use_value(before, stores, block),
                Kind::Constant(constant)
                    if keeps_constant && index == 0 || !self.numbering.is_cheap(constant) =>
                {
                    self.use_constant(constant, stores, Placed { block, used });
                }
                Kind::Constant(_) => {}
            }
        }
    }

    /// Returns the placement of the instruction if it dominates this block.
    pub(super) fn available(
        &mut self,
        index: usize,
        stores: LiveStores,
        block: Block,
    ) -> Option<&mut Placed> {
        let placed = self.instructions.get(index)?.placed[stores as usize]?;
        let is_available = self.is_available(placed, block);
        let placed = self.instructions[index].placed[stores as usize].as_mut();
        placed.filter(|_| is_available)
    }

    /// Records an equal instruction. It is separate if the placement of the first one does not dominate it.
    pub(super) fn found_equal(&mut self, index: usize) {
        let here = self.here().block;
        for stores in [LiveStores::All, LiveStores::Last] {
            if self.available(index, stores, here).is_some() {
                self.use_value(index, stores, here);
            } else if let Some(instruction) = self.instructions.get_mut(index) {
                instruction.placed[stores as usize] = None;
                instruction.first_seen = ProgramPoint {
                    block: here,
                    results: self.results,
                    exits: self.exits,
                };
            }
        }
    }
}
