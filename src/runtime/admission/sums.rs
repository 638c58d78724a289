//! Sums with many constants, as `(x + 1) + 2`.
//!
//! For each of them the optimiser tries to add the constants up, in every way that the sum before it can be
//! written. From the fourth constant on, one takes a hundred times as long as another addition. Compilers
//! that make modules add them up themselves, so that published ones have hardly any.
//!
//! The optimiser sees through whatever leaves a value as it was, of which there are too many ways to list
//! (`x | 0`, `x * 1`, `x - y + y`, `x & x`, a select between two of the same). So every instruction without
//! effects is taken to hand on the longest sum of its operands.

use wasmparser::Operator;

use super::deferred::Node;

/// What matters of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Value {
    pub sum: Sum,
    pub node: Node,
}

/// What a value is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sum {
    #[default]
    Any,
    Constant,
    /// So many constants, one after another.
    Of(u32),
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

impl Sum {
    /// Of two values, either of which it may be.
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Constant, Self::Constant) => Self::Constant,
            _ => Self::sum(self.constants().max(other.constants())),
        }
    }

    /// The value that is left of up to three operands by an instruction without effects, and how long it is
    /// if that adds one more constant to it.
    pub fn of(operator: &Operator<'_>, operands: &[Value]) -> (Self, Length) {
        use Operator as Op;
        let sum = match operands {
            [] => match operator {
                Op::I32Const { .. }
                | Op::I64Const { .. }
                | Op::F32Const { .. }
                | Op::F64Const { .. }
                | Op::V128Const { .. } => Self::Constant,
                _ => Self::Any,
            },
            // The last operand is the condition.
            [left, right, _] => left.sum.or(right.sum),
            [first, others @ ..] => {
                let or = |sum: Self, other: &Value| sum.or(other.sum);
                others.iter().fold(first.sum, or)
            }
        };
        let adds = matches!(
            operator,
            Op::I32Add
                | Op::I64Add
                | Op::I32Sub
                | Op::I64Sub
                | Op::I32And
                | Op::I64And
                | Op::I32Or
                | Op::I64Or
                | Op::I32Xor
                | Op::I64Xor
        );
        if !adds
            || sum == Self::Constant
            || !operands.iter().any(|operand| operand.sum == Self::Constant)
        {
            return (sum, Length::Short);
        }
        let constants = sum.constants() + 1;
        let length = match constants {
            0..4 => Length::Short,
            4..7 => Length::Long,
            7.. => Length::Longer,
        };
        (Self::Of(constants), length)
    }

    fn sum(constants: u32) -> Self {
        match constants {
            0 => Self::Any,
            _ => Self::Of(constants),
        }
    }

    fn constants(self) -> u32 {
        match self {
            Self::Of(constants) => constants,
            Self::Any | Self::Constant => 0,
        }
    }
}

/// The values on the operand stack of which something is known.
#[derive(Default)]
pub(super) struct Values(Vec<(u64, Value)>);

impl Values {
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The value at this place, counted from the bottom.
    pub fn get(&self, place: u64) -> Value {
        let found = self.0.binary_search_by_key(&place, |(place, _)| *place);
        found.map_or(Value::default(), |index| self.0[index].1)
    }

    /// The values at this place and above, of which something is known, the last one first.
    pub fn above(&self, place: u64) -> impl Iterator<Item = Value> {
        let above = self.0.iter().rev().take_while(move |(it, _)| *it >= place);
        above.map(|(_, value)| *value)
    }

    /// Forgets what is at this place and above, and pushes a value there.
    pub fn push(&mut self, place: u64, value: Value) {
        while self.0.last().is_some_and(|(above, _)| *above >= place) {
            self.0.pop();
        }
        if value != Value::default() {
            self.0.push((place, value));
        }
    }
}
