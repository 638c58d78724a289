//! Value numbering: finds pure instructions that compute the same value.
//!
//! The optimiser does global value numbering, and computes equal values once. This module finds the equal values
//! that are easy to write in many forms: equal instructions with equal operands, in either order for commutative
//! ones; constants computed from constants; several constants added to one value; operations that do not change a
//! value.

use wasmparser::Operator;

use super::map::{self, Map};
use super::ops::Opcode;

/// The number of a value. The default stands for any unknown value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Node(u32);

/// The kind of a value.
pub(super) enum Kind {
    Unknown,
    /// The result of the pure instruction with this index.
    Computed(usize),
    /// The constant with this index.
    Constant(usize),
}

/// The first number of constants. They end before [`OPAQUE`].
const CONSTANTS: u32 = 1 << 30;
/// The first number of opaque values: parameters, and results of instructions with side effects.
const OPAQUE: u32 = 1 << 31;

impl Node {
    /// The absence of a value.
    pub(super) const NONE: Self = Self(u32::MAX);

    pub(super) fn kind(self) -> Kind {
        match self.0 {
            0 | OPAQUE.. => Kind::Unknown,
            CONSTANTS.. => Kind::Constant((self.0 - CONSTANTS) as usize),
            number => Kind::Computed(number as usize - 1),
        }
    }

    /// Returns the index of an opaque value, in the order in which they were made; `None` for other values.
    pub(super) fn opaque_index(self) -> Option<usize> {
        let index = self.0.checked_sub(OPAQUE + 1)?;
        (self != Self::NONE).then_some(index as usize)
    }

    pub(super) fn is_constant(self) -> bool {
        matches!(self.kind(), Kind::Constant(_))
    }

    /// Returns the number of the result of the pure instruction with this index.
    pub(super) fn computed(index: usize) -> Self {
        Self::nth(1, index)
    }

    fn nth(base: u32, index: usize) -> Self {
        // A function has fewer bytes than there are numbers in each range.
        Self(base + u32::try_from(index).unwrap_or(0))
    }
}

/// A constant, with its type.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Constant {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    V128([u8; 16]),
    /// The result of an unknown pure instruction on constants. It is different from all other constants.
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

/// Up to this number of constants in a chain are combined into one, unless they cancel each other out. The
/// optimiser does not combine all constants of a long chain, because it keeps a limited number of forms of each
/// value.
const MAX_COMBINED: u32 = 16;

/// The operations on integers, of either width, that are evaluated here.
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
    /// Whether the result is computed again in each block that needs it, if an operand is a constant.
    pub(super) fn is_cheap(self) -> bool {
        matches!(
            Operation::of(self.first),
            Operation::Add | Operation::Sub | Operation::And | Operation::Or | Operation::Xor
        )
    }

    /// Returns a constant of the result type of this instruction, which is an integer operation with two operands.
    fn constant(self, value: i64) -> Constant {
        match self.first {
            // An `i32` constant has the lower half of the value.
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

    /// Returns the result for two constants.
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

    /// The second operand that makes the result the same, whatever the first operand is.
    fn absorbing(self) -> Option<i64> {
        match self {
            Self::Mul | Self::And => Some(0),
            Self::Or => Some(-1),
            _ => None,
        }
    }

    /// Returns the right operand that leaves the left one unchanged.
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

    /// Whether two constants in a chain can be combined into one.
    fn combines_constants(self) -> bool {
        matches!(self, Self::Add | Self::And | Self::Or | Self::Xor)
    }
}

/// A pure instruction with its operands.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Computation {
    opcode: Opcode,
    operands: [Node; 3],
}

impl Computation {
    fn new(opcode: Opcode, operands: &[Node]) -> Self {
        let mut all = [Node::NONE; 3];
        for (to, operand) in all.iter_mut().zip(operands) {
            *to = *operand;
        }
        Self {
            opcode,
            operands: all,
        }
    }
}

/// A load: its instruction, the address, the memory and the offset, and the number of writes before it.
pub(super) type Read = (Opcode, Node, (u32, u64), u64);

/// A value and a constant that combines several constants.
#[derive(Clone, Copy)]
struct Sum {
    opcode: Opcode,
    base: Node,
    added: i64,
    constants: u32,
}

/// The result of numbering a pure instruction.
pub(super) enum Numbered {
    /// The result is a constant or one of the operands.
    Known(Node),
    /// The result is equal to the result of an earlier instruction.
    Equal(Node),
    /// The result is new. The operands are those of the simplified instruction.
    New([Node; 3]),
}

/// The numbered values of one function.
#[derive(Default)]
pub(super) struct Numbering {
    computations: Map<Computation, Node>,
    /// Values that are the sum of another value and a constant.
    sums: Map<Node, Sum>,
    reads: Map<Read, Node>,
    constants: Map<Constant, Node>,
    /// The constants, by their index.
    values: Vec<Constant>,
    opaque: usize,
}

impl Numbering {
    /// Resets the state for the next function.
    pub(super) fn clear(&mut self) {
        map::clear(&mut self.computations);
        map::clear(&mut self.sums);
        map::clear(&mut self.reads);
        map::clear(&mut self.constants);
        self.values.clear();
        self.opaque = 0;
    }

    /// Returns a new opaque value, which is not equal to any other.
    pub(super) fn opaque(&mut self) -> Node {
        self.opaque += 1;
        Node::nth(OPAQUE, self.opaque)
    }

    /// Numbers the result of an instruction. `operands` are in stack order. `next` is the number for a new result.
    pub(super) fn number(
        &mut self,
        opcode: Opcode,
        operator: &Operator<'_>,
        operands: &[Node],
        next: Node,
    ) -> Numbered {
        if let ([], Some(constant)) = (operands, Constant::of(operator)) {
            return Numbered::Known(self.constant(constant));
        }
        let mut computation = Computation::new(opcode, operands);
        if !operands.is_empty() && operands.iter().all(|operand| operand.is_constant()) {
            return Numbered::Known(self.fold(computation));
        }
        if let [left, right] = *operands {
            match self.simplify(opcode, left, right) {
                Ok(simpler) => computation = simpler,
                Err(known) => return Numbered::Known(known),
            }
        }
        // The lanes of a shuffle are not compared, so no shuffle counts as equal to another.
        if let Operator::I8x16Shuffle { .. } = operator {
            return Numbered::New(computation.operands);
        }
        // Two unknown values are not known to be equal.
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
            return Numbered::Equal(*node);
        }
        self.computations.insert(computation, next);
        if let Some(sum) = self.sum(&computation) {
            self.sums.insert(next, sum);
        }
        Numbered::New(computation.operands)
    }

    /// Returns the sum that a computation makes, if its last operand is a constant.
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

    /// Combines the constant with the one in the first operand, if that is a sum too. Constants that cancel each
    /// other out are not combined.
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

    /// Returns the number of the result of an instruction that may trap, and otherwise has no effect: that of an equal
    /// instruction before, since that one has trapped where this one would. `next` is the number for a new result.
    pub(super) fn number_trapping(
        &mut self,
        opcode: Opcode,
        operands: &[Node],
        next: Node,
    ) -> Node {
        if operands.contains(&Node::default()) {
            return next;
        }
        let computation = Computation::new(opcode, operands);
        *self.computations.entry(computation).or_insert(next)
    }

    /// Numbers the result of a load. `next` is the number for a new result.
    pub(super) fn number_read(&mut self, read: Read, next: Node) -> Node {
        *self.reads.entry(read).or_insert(next)
    }

    /// Whether a constant can be an immediate of the instruction whose last operand it is.
    pub(super) fn is_immediate(&self, constant: usize) -> bool {
        match self.values.get(constant) {
            Some(Constant::I32(_)) => true,
            Some(Constant::I64(value)) => i32::try_from(*value).is_ok(),
            _ => false,
        }
    }

    /// Whether the constant is computed again in each block that needs it. One instruction computes it.
    pub(super) fn is_cheap(&self, constant: usize) -> bool {
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

    /// Returns the constant that results from an instruction on constants.
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

    /// Returns a simpler computation with the same result, or as `Err` the result itself if it is known. The
    /// operands are not both constants.
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
            if self.integer(right) == operation.absorbing() {
                return Err(right);
            }
        }
        Ok(Computation {
            opcode,
            operands: [left, right, Node::NONE],
        })
    }
}
