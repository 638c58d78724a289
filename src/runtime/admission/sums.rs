//! Sums with many constants, as `(x + 1) + 2`.
//!
//! For each of them the optimiser tries to add the constants up, in every way that the sum before it can be
//! written. From the fourth constant on, one takes a hundred times as long as another addition. Compilers
//! that make modules add them up themselves, so that published ones have hardly any.

use wasmparser::Operator;

/// From how many constants on a sum is long.
const LONG: u32 = 4;

/// What matters of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Value {
    #[default]
    Any,
    Constant,
    /// So many constants, one after another, with operators of the same kind.
    Sum(Kind, u32),
}

/// Which operators are combined with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Add,
    And,
    Or,
    Xor,
}

impl Value {
    /// The value that is left of these operands, and whether it is a long sum.
    pub fn of(operator: &Operator<'_>, left: Self, right: Self) -> (Self, bool) {
        use Operator as Op;
        let kind = match operator {
            Op::I32Const { .. } | Op::I64Const { .. } => return (Self::Constant, false),
            Op::I32Add | Op::I64Add | Op::I32Sub | Op::I64Sub => Kind::Add,
            Op::I32And | Op::I64And => Kind::And,
            Op::I32Or | Op::I64Or => Kind::Or,
            Op::I32Xor | Op::I64Xor => Kind::Xor,
            // These do not keep the optimiser from looking through them.
            Op::I32WrapI64 | Op::I64ExtendI32S | Op::I64ExtendI32U => return (right, false),
            _ => return (Self::Any, false),
        };
        let sum = match (left, right) {
            (Self::Constant, Self::Constant) => return (Self::Constant, false),
            (Self::Constant, sum) | (sum, Self::Constant) => sum,
            _ => return (Self::Any, false),
        };
        let constants = match sum {
            Self::Sum(other, constants) if other == kind => constants + 1,
            _ => 1,
        };
        (Self::Sum(kind, constants), constants >= LONG)
    }
}

/// The values on the operand stack that are more than any.
#[derive(Default)]
pub(super) struct Values(Vec<(u64, Value)>);

impl Values {
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The value at this place, counted from the bottom.
    pub fn get(&self, place: u64) -> Value {
        let found = self.0.binary_search_by_key(&place, |(place, _)| *place);
        found.map_or(Value::Any, |index| self.0[index].1)
    }

    /// Forgets what is at this place and above, and pushes a value there.
    pub fn push(&mut self, place: u64, value: Value) {
        while self.0.last().is_some_and(|(above, _)| *above >= place) {
            self.0.pop();
        }
        if value != Value::Any {
            self.0.push((place, value));
        }
    }
}
