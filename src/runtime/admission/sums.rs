//! Sums with many constants, like `(x + 1) + 2`.
//!
//! For each addition of a constant, the optimiser tries to combine the constants in every form in which the inner
//! sum can be written. From the fourth constant on, an addition costs a hundred times as much as another addition.
//! Compilers that produce modules combine the constants themselves, so published modules have hardly any of these
//! sums.
//!
//! The optimiser sees through every operation that does not change a value, and there are too many of them to list
//! (`x | 0`, `x * 1`, `x - y + y`, `x & x`, a select between equal values). So the result of every instruction that
//! may do so counts as the longest sum of its operands.

use wasmparser::Operator;

/// The structure of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sum {
    #[default]
    Any,
    Constant(Constant),
    /// A chain of operators of one kind with this number of constants.
    Of(Kind, u32),
}

/// The known properties of a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Constant {
    /// An instruction may leave its other operand unchanged, as an addition of 0 does.
    Neutral,
    Other,
}

/// Operators that the optimiser combines with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Add,
    And,
    Or,
    Xor,
}

/// The cost to add a constant to a sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Short,
    /// From the fourth constant on.
    Long,
    /// From the seventh constant on.
    Longer,
}

impl Constant {
    fn of(value: i64) -> Self {
        // A shift by a multiple of the width leaves its operand unchanged.
        match value {
            -1 | 1 => Self::Neutral,
            _ if value % 32 == 0 => Self::Neutral,
            _ => Self::Other,
        }
    }
}

impl Sum {
    /// The structure of a value that is one of two values.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Constant(_), Self::Constant(_)) => Self::Constant(Constant::Neutral),
            (Self::Of(_, few), Self::Of(_, many)) if many > few => other,
            (Self::Of(..), _) => self,
            (_, Self::Of(..)) => other,
            _ => Self::Any,
        }
    }

    /// Returns the structure of the result of a pure instruction, and the length of the sum if the instruction adds
    /// a constant to it. `operands` are in stack order.
    pub(super) fn of(opcode: u8, operator: &Operator<'_>, operands: &[Self]) -> (Self, Length) {
        use Operator as Op;
        let sum = match operands {
            [] => match operator {
                Op::I32Const { value } => Self::Constant(Constant::of(i64::from(*value))),
                Op::I64Const { value } => Self::Constant(Constant::of(*value)),
                Op::F32Const { .. } | Op::F64Const { .. } | Op::V128Const { .. } => {
                    Self::Constant(Constant::Neutral)
                }
                _ => Self::Any,
            },
            // The third operand is the condition of a `select`.
            [left, right, _] => left.or(*right),
            [first, others @ ..] => others.iter().fold(*first, |sum, other| sum.or(*other)),
        };
        let constant = operands.iter().find_map(|operand| match *operand {
            Self::Constant(constant) => Some(constant),
            _ => None,
        });
        let (Some(constant), false) = (constant, matches!(sum, Self::Constant(_))) else {
            let is_seen_through = matches!(sum, Self::Constant(_)) || may_be_neutral(opcode);
            let sum = if is_seen_through { sum } else { Self::Any };
            return (sum, Length::Short);
        };
        let kind = match operator {
            Op::I32Add | Op::I64Add | Op::I32Sub | Op::I64Sub => Kind::Add,
            Op::I32And | Op::I64And => Kind::And,
            Op::I32Or | Op::I64Or => Kind::Or,
            Op::I32Xor | Op::I64Xor => Kind::Xor,
            // The constant is a factor, a divisor, or a number of bits.
            _ if constant == Constant::Neutral && may_be_neutral(opcode) => {
                return (sum, Length::Short);
            }
            _ => return (Self::Any, Length::Short),
        };
        let constants = match sum {
            Self::Of(other, constants) if other == kind => constants + 1,
            Self::Of(..) if constant == Constant::Neutral => return (sum, Length::Short),
            _ => 1,
        };
        let length = match constants {
            0..4 => Length::Short,
            4..7 => Length::Long,
            7.. => Length::Longer,
        };
        (Self::Of(kind, constants), length)
    }
}

/// Whether a pure instruction with this first byte may leave an operand unchanged, alone or together with another
/// instruction.
fn may_be_neutral(opcode: u8) -> bool {
    match opcode {
        // `select`, integer arithmetic, conversions that keep bits, and vector instructions.
        0x1b | 0x1c | 0x6a..=0x78 | 0x7c..=0x8a | 0xa7 | 0xac | 0xad | 0xbc..=0xc4 | 0xfd => true,
        // Sign operations of floats.
        0x8c | 0x98 | 0x9a | 0xa6 => true,
        _ => false,
    }
}
