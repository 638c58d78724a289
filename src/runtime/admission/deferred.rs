//! Values that are not computed where the instruction is, but where they are needed.
//!
//! The optimiser keeps instructions without effects apart, and puts each of them back before the first instruction with
//! effects that needs its value. What they are given has to be kept until then: a sum of a thousand loads becomes a
//! thousand loads, and then a thousand additions. The register allocator looks at pairs of values that are kept at the
//! same time, which makes it slow where there are many.
//!
//! A store may be found to be dead, and is none then that needs a value. So it is counted twice: as if every store
//! needed its value, and as if none did that another one at the same offset follows.

/// The value that an instruction without effects leaves. The default is that of any other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Node(u32);

/// An operand that need not be kept: a constant, or none.
const NOTHING: Node = Node(u32::MAX);

/// An instruction without effects.
struct Computation {
    operands: [Node; 3],
    /// How many values had been left by other instructions before it.
    since: u32,
    /// Whether something needed it, where each store needs its value, and where dead ones do not.
    is_needed: [bool; 2],
}

/// The instructions without effects of one function.
#[derive(Default)]
pub(super) struct Deferred {
    computations: Vec<Computation>,
    /// Those that are needed, while it is looked for what they need themselves.
    needed: Vec<Node>,
    /// Pairs of an operand that is kept and a value that is left meanwhile, as [`Computation::is_needed`].
    pairs: [u64; 2],
}

/// Which stores need their values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stores {
    All = 0,
    Last = 1,
}

impl Deferred {
    /// Begins with another function.
    pub fn clear(&mut self) {
        self.computations.clear();
        self.pairs = [0; 2];
    }

    /// An instruction with these operands, the last one last, `None` for constants, after others have left so many
    /// values. Returns what it leaves, and whether a constant has to be kept for it.
    pub fn add(
        &mut self,
        operands: impl DoubleEndedIterator<Item = Option<Node>>,
        left: u64,
    ) -> (Node, bool) {
        let mut kept = [NOTHING; 3];
        let mut has_constant = false;
        for (index, (kept, operand)) in kept.iter_mut().zip(operands.rev()).enumerate() {
            // Operands are computed from left to right. A constant that comes last can be a part of the instruction.
            has_constant |= operand.is_none() && index > 0;
            *kept = match operand {
                None if index == 0 => NOTHING,
                operand => operand.unwrap_or_default(),
            };
        }
        self.computations.push(Computation {
            operands: kept,
            since: u32::try_from(left).unwrap_or(u32::MAX),
            is_needed: [false; 2],
        });
        let number = u32::try_from(self.computations.len()).unwrap_or(0);
        (Node(number), has_constant)
    }

    /// Something needs the value, after instructions with effects have left so many.
    pub fn need(&mut self, node: Node, stores: Stores, left: u64) {
        self.needed.push(node);
        while let Some(Node(number)) = self.needed.pop() {
            let index = (number as usize).wrapping_sub(1);
            let Some(computation) = self.computations.get_mut(index) else {
                continue;
            };
            let is_needed = &mut computation.is_needed[stores as usize];
            if std::mem::replace(is_needed, true) {
                continue;
            }
            let (operands, since) = (computation.operands, computation.since);
            let kept = left.saturating_sub(u64::from(since));
            for operand in operands {
                if operand == NOTHING {
                    continue;
                }
                let before = self.computations.get((operand.0 as usize).wrapping_sub(1));
                if before.is_none_or(|before| before.is_needed[stores as usize]) {
                    let pairs = &mut self.pairs[stores as usize];
                    *pairs = pairs.saturating_add(kept);
                } else {
                    self.needed.push(operand);
                }
            }
        }
    }

    /// Something needs the value, whether or not stores are dead.
    pub fn need_always(&mut self, node: Node, left: u64) {
        if node != Node::default() {
            self.need(node, Stores::All, left);
            self.need(node, Stores::Last, left);
        }
    }

    /// Pairs of an operand that is kept and a value that is left meanwhile.
    pub fn pairs(&self) -> u64 {
        self.pairs[0].max(self.pairs[1])
    }
}
