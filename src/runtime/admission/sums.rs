//! Sums with many constants, as `(x + 1) + 2`.
//!
//! For each of them the optimiser tries to add the constants up, in every way that the sum before it can be
//! written. From the fourth constant on, one takes a hundred times as long as another addition. Compilers
//! that make modules add them up themselves, so that published ones have hardly any.
//!
//! The optimiser sees through whatever leaves a value as it was, of which there are too many ways to list
//! (`x | 0`, `x * 1`, `x - y + y`, `x & x`, a select between two of the same). So every instruction that might
//! hands on the longest sum of its operands.

use wasmparser::Operator;

/// What a value is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sum {
    #[default]
    Any,
    Constant(Constant),
    /// So many constants, one after another, with operators of the same kind.
    Of(Kind, u32),
}

/// What is known of a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Constant {
    /// Some instruction may leave its other operand as it is, as an addition of 0 does.
    Neutral,
    Other,
}

/// Which operators are combined with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Add,
    And,
    Or,
    Xor,
}

/// How much the optimiser has to do for a constant more.
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
        // Shifts by 32 or 64 are none.
        match value {
            -1 | 1 => Self::Neutral,
            _ if value % 32 == 0 => Self::Neutral,
            _ => Self::Other,
        }
    }
}

impl Sum {
    /// Of two values, either of which it may be.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Constant(_), Self::Constant(_)) => Self::Constant(Constant::Neutral),
            (Self::Of(_, few), Self::Of(_, many)) if many > few => other,
            (Self::Of(..), _) => self,
            (_, Self::Of(..)) => other,
            _ => Self::Any,
        }
    }

    /// The value that is left of these operands, the last one last, by an instruction without effects, and how
    /// long it is if that adds one more constant to it.
    pub fn of(opcode: u8, operator: &Operator<'_>, operands: &[Self]) -> (Self, Length) {
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
            // The last operand is the condition.
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
            // A factor, a divisor, a number of bits.
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

/// Whether an instruction without effects, of which this is the first byte, may leave an operand as it is, alone or
/// together with another one.
fn may_be_neutral(opcode: u8) -> bool {
    match opcode {
        // `select`, the arithmetic of integers, conversions that keep bits, and vectors.
        0x1b | 0x1c | 0x6a..=0x78 | 0x7c..=0x8a | 0xa7 | 0xac | 0xad | 0xbc..=0xc4 | 0xfd => true,
        // The signs of floats.
        0x8c | 0x98 | 0x9a | 0xa6 => true,
        _ => false,
    }
}
