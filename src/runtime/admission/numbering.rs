//! Which instructions without effects compute the same value.
//!
//! The optimiser numbers values (global value numbering), and computes equal ones once. Here, values are found to be
//! equal where it is easy to write the same value in many ways: equal instructions with equal operands, in either order where that does
//! not matter; constants that are computed from constants; several constants that are added to one value; operations
//! that change nothing.

use std::collections::HashMap;

use wasmparser::Operator;

use super::ops::Opcode;

/// The number of a value. The default is that of any value of which nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Node(u32);

/// What a number stands for.
pub(super) enum Kind {
    Unknown,
    /// The value that an instruction without effects leaves, by its index.
    Computed(usize),
    /// A constant, by its index.
    Constant(usize),
}

/// Numbers from here on are those of constants, up to the next.
const CONSTANTS: u32 = 1 << 30;
/// Numbers from here on are those of values that are left by instructions with effects, and of parameters.
const OPAQUE: u32 = 1 << 31;

impl Node {
    /// No value at all.
    pub const NONE: Self = Self(u32::MAX);

    pub fn kind(self) -> Kind {
        match self.0 {
            0 | OPAQUE.. => Kind::Unknown,
            CONSTANTS.. => Kind::Constant((self.0 - CONSTANTS) as usize),
            number => Kind::Computed(number as usize - 1),
        }
    }

    /// How many values of which nothing is known had been numbered before this one, if it is such a value.
    pub fn opaque_index(self) -> Option<usize> {
        let index = self.0.checked_sub(OPAQUE + 1)?;
        (self != Self::NONE).then_some(index as usize)
    }

    pub fn is_constant(self) -> bool {
        matches!(self.kind(), Kind::Constant(_))
    }

    /// The number of what the instruction with this index leaves.
    pub fn computed(index: usize) -> Self {
        Self::nth(1, index)
    }

    fn nth(base: u32, index: usize) -> Self {
        // A function has fewer bytes than there are numbers between two bases.
        Self(base + u32::try_from(index).unwrap_or(0))
    }
}

/// A type of constants, and their bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Constant {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    V128([u8; 16]),
    /// Computed from constants by an instruction that is not followed. Never the same as another.
    Folded(usize),
}

impl Constant {
    fn of(operator: &Operator<'_>) -> Option<Self> {
        Some(match operator {
            Operator::I32Const { value } => Self::I32(*value),
            Operator::I64Const { value } => Self::I64(*value),
            Operator::F32Const { value } => Self::F32(value.bits()),
            Operator::F64Const { value } => Self::F64(value.bits()),
            Operator::V128Const { value } => Self::V128(*value.bytes()),
            _ => return None,
        })
    }
}

/// So many constants, one after another, are taken for one, unless they cancel each other out. The optimiser leaves
/// some of many: what it remembers of each value is limited.
const MAX_COMBINED: u32 = 16;

/// Operations on integers that are followed, of either width.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Operation {
    Add,
    Sub,
    Mul,
    And,
    Or,
    Xor,
    Shift,
    Divide,
    Other,
}

impl Opcode {
    /// Whether what it leaves is computed again in each block that needs it, if one of its operands is a constant.
    pub fn is_cheap(self) -> bool {
        matches!(
            Operation::of(self.first),
            Operation::Add | Operation::Sub | Operation::And | Operation::Or | Operation::Xor
        )
    }

    /// A constant of the type that this instruction leaves, if that is one on integers with two operands.
    fn constant(self, value: i64) -> Constant {
        match self.first {
            // The lower half is what is left.
            ..0x79 => Constant::I32(value as i32),
            _ => Constant::I64(value),
        }
    }
}

impl Operation {
    fn of(first: u8) -> Self {
        match first {
            0x6a | 0x7c => Self::Add,
            0x6b | 0x7d => Self::Sub,
            0x6c | 0x7e => Self::Mul,
            0x6d | 0x6e | 0x7f | 0x80 => Self::Divide,
            0x71 | 0x83 => Self::And,
            0x72 | 0x84 => Self::Or,
            0x73 | 0x85 => Self::Xor,
            0x74..=0x78 | 0x86..=0x8a => Self::Shift,
            _ => Self::Other,
        }
    }

    /// Of two constants.
    fn apply(self, left: i64, right: i64) -> Option<i64> {
        Some(match self {
            Self::Add => left.wrapping_add(right),
            Self::Sub => left.wrapping_sub(right),
            Self::Mul => left.wrapping_mul(right),
            Self::And => left & right,
            Self::Or => left | right,
            Self::Xor => left ^ right,
            Self::Shift | Self::Divide | Self::Other => return None,
        })
    }

    /// The second operand that leaves the first as it is.
    fn neutral(self) -> Option<i64> {
        match self {
            Self::Add | Self::Sub | Self::Or | Self::Xor | Self::Shift => Some(0),
            Self::Mul | Self::Divide => Some(1),
            Self::And => Some(-1),
            Self::Other => None,
        }
    }

    fn is_commutative(self) -> bool {
        self.combines_constants() || self == Self::Mul
    }

    /// Whether two constants, one after another, are as good as one.
    fn combines_constants(self) -> bool {
        matches!(self, Self::Add | Self::And | Self::Or | Self::Xor)
    }
}

/// An instruction without effects, with its operands.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Computation {
    opcode: Opcode,
    operands: [Node; 3],
}

/// An instruction that reads from a memory: its address, the memory and the offset, how many writes came before.
pub(super) type Read = (Opcode, Node, (u32, u64), u64);

/// Another value and a constant, into which so many were combined.
#[derive(Clone, Copy)]
struct Sum {
    opcode: Opcode,
    base: Node,
    added: i64,
    constants: u32,
}

/// What an instruction without effects leaves.
pub(super) enum Numbered {
    /// A constant, or one of the operands.
    Known(Node),
    /// What an equal instruction left before.
    Again(Node),
    /// What no instruction left before, by one with these operands: it may have been simplified.
    New([Node; 3]),
}

/// The values of one function.
#[derive(Default)]
pub(super) struct Numbering {
    computations: HashMap<Computation, Node>,
    /// Values that are another value and a constant, by their number.
    sums: HashMap<Node, Sum>,
    reads: HashMap<Read, Node>,
    constants: HashMap<Constant, Node>,
    /// The values of constants, by their index.
    values: Vec<Constant>,
    opaque: usize,
}

impl Numbering {
    /// Begins with another function.
    pub fn clear(&mut self) {
        clear(&mut self.computations);
        clear(&mut self.sums);
        clear(&mut self.reads);
        clear(&mut self.constants);
        self.values.clear();
        self.opaque = 0;
    }

    /// The number of a value that is not known to be equal to any other.
    pub fn opaque(&mut self) -> Node {
        self.opaque += 1;
        Node::nth(OPAQUE, self.opaque)
    }

    /// What an instruction leaves with these operands, the last one last. `next` is the number of what is new.
    pub fn number(
        &mut self,
        opcode: Opcode,
        operator: &Operator<'_>,
        operands: &[Node],
        next: Node,
    ) -> Numbered {
        if let ([], Some(constant)) = (operands, Constant::of(operator)) {
            return Numbered::Known(self.constant(constant));
        }
        let mut computation = Computation {
            opcode,
            operands: [Node::NONE; 3],
        };
        for (to, operand) in computation.operands.iter_mut().zip(operands) {
            *to = *operand;
        }
        if !operands.is_empty() && operands.iter().all(|operand| operand.is_constant()) {
            return Numbered::Known(self.fold(computation));
        }
        if let [left, right] = *operands {
            match self.simplify(opcode, left, right) {
                Ok(simpler) => computation = simpler,
                Err(known) => return Numbered::Known(known),
            }
        }
        // Each shuffle has its lanes to itself, so that none is found to be equal to another.
        if let Operator::I8x16Shuffle { .. } = operator {
            return Numbered::New(computation.operands);
        }
        // Of unknown values, none is known to be equal to another.
        if computation.operands.contains(&Node::default()) {
            return Numbered::New(computation.operands);
        }
        if let Some((combined, sum)) = self.combine(&computation)
            && !self.computations.contains_key(&combined)
        {
            self.computations.insert(combined, next);
            self.sums.insert(next, sum);
            return Numbered::New(combined.operands);
        }
        if let Some(node) = self.computations.get(&computation) {
            return Numbered::Again(*node);
        }
        self.computations.insert(computation, next);
        if let Some(sum) = self.sum(&computation) {
            self.sums.insert(next, sum);
        }
        Numbered::New(computation.operands)
    }

    /// What a computation is a sum of, if its last operand is a constant.
    fn sum(&self, computation: &Computation) -> Option<Sum> {
        let Computation { opcode, operands } = *computation;
        let [base, added, _] = operands;
        let added = self.integer(added)?;
        let combines = Operation::of(opcode.first).combines_constants();
        combines.then_some(Sum {
            opcode,
            base,
            added,
            constants: 1,
        })
    }

    /// The same with one constant less, if its first operand is a sum too. Constants that cancel each other out are left
    /// as they are.
    fn combine(&mut self, computation: &Computation) -> Option<(Computation, Sum)> {
        let sum = self.sum(computation)?;
        let before = *self.sums.get(&sum.base)?;
        if before.opcode != sum.opcode || before.constants >= MAX_COMBINED {
            return None;
        }
        let operation = Operation::of(sum.opcode.first);
        let added = operation.apply(before.added, sum.added)?;
        let constant = self.constant(sum.opcode.constant(added));
        let added = self.integer(constant)?;
        if operation.neutral() == Some(added) {
            return None;
        }
        let combined = Computation {
            opcode: sum.opcode,
            operands: [before.base, constant, Node::NONE],
        };
        let constants = before.constants + 1;
        Some((
            combined,
            Sum {
                added,
                constants,
                ..before
            },
        ))
    }

    /// What an instruction leaves that reads. `next` is the number of what is new.
    pub fn number_read(&mut self, read: Read, next: Node) -> Node {
        *self.reads.entry(read).or_insert(next)
    }

    /// Whether a constant can be a part of the instruction of which it is the last operand.
    pub fn is_immediate(&self, constant: usize) -> bool {
        match self.values.get(constant) {
            Some(Constant::I32(_)) => true,
            Some(Constant::I64(value)) => i32::try_from(*value).is_ok(),
            _ => false,
        }
    }

    /// Whether the constant is computed again in each block that needs it, since that takes one instruction.
    pub fn is_cheap(&self, constant: usize) -> bool {
        !matches!(
            self.values.get(constant),
            Some(Constant::V128(_) | Constant::Folded(_))
        )
    }

    fn constant(&mut self, constant: Constant) -> Node {
        *self.constants.entry(constant).or_insert_with(|| {
            self.values.push(constant);
            Node::nth(CONSTANTS, self.values.len() - 1)
        })
    }

    fn integer(&self, node: Node) -> Option<i64> {
        let Kind::Constant(index) = node.kind() else {
            return None;
        };
        match self.values.get(index)? {
            Constant::I32(value) => Some(i64::from(*value)),
            Constant::I64(value) => Some(*value),
            _ => None,
        }
    }

    /// The constant that is computed from constants.
    fn fold(&mut self, computation: Computation) -> Node {
        let [left, right, _] = computation.operands;
        if let (Some(left), Some(right)) = (self.integer(left), self.integer(right))
            && let operation = Operation::of(computation.opcode.first)
            && let Some(value) = operation.apply(left, right)
        {
            return self.constant(computation.opcode.constant(value));
        }
        let folded = self.values.len();
        if let Some(node) = self.computations.get(&computation) {
            return *node;
        }
        let node = self.constant(Constant::Folded(folded));
        self.computations.insert(computation, node);
        node
    }

    /// A computation that leaves the same as one with two operands, not both of them constants; or the value itself, if
    /// it is known.
    fn simplify(&mut self, opcode: Opcode, left: Node, right: Node) -> Result<Computation, Node> {
        let operation = Operation::of(opcode.first);
        let (mut left, mut right) = (left, right);
        if operation.is_commutative()
            && (left.is_constant() || !right.is_constant() && left > right)
        {
            (left, right) = (right, left);
        }
        let mut opcode = opcode;
        if left == right && left != Node::default() {
            match operation {
                Operation::And | Operation::Or => return Err(left),
                Operation::Xor | Operation::Sub => return Err(self.constant(opcode.constant(0))),
                _ => {}
            }
        }
        if operation != Operation::Other
            && let Some(mut value) = self.integer(right)
        {
            if let Operation::Sub = operation {
                opcode.first -= 1;
                value = value.wrapping_neg();
            }
            let operation = Operation::of(opcode.first);
            right = self.constant(opcode.constant(value));
            if self.integer(right) == operation.neutral() {
                return Err(left);
            }
        }
        Ok(Computation {
            opcode,
            operands: [left, right, Node::NONE],
        })
    }
}

/// Forgets what is in a map. To clear it takes as long as it was large once.
fn clear<K, V>(map: &mut HashMap<K, V>) {
    if map.capacity() > 1 << 12 {
        *map = HashMap::new();
    } else {
        map.clear();
    }
}
