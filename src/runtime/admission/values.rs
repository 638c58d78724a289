//! Known properties of values on the operand stack.

use super::numbering::Node;
use super::sums::Sum;

/// The known properties of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Value {
    pub sum: Sum,
    pub node: Node,
}

/// The values on the operand stack with known properties.
#[derive(Default)]
pub(super) struct Values(Vec<(u64, Value)>);

impl Values {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns the value at an index, counted from the bottom.
    pub(super) fn get(&self, place: u64) -> Value {
        // Most often it is the last one, or above it.
        match self.0.last() {
            Some((last, value)) if *last == place => return *value,
            Some((last, _)) if *last > place => {}
            _ => return Value::default(),
        }
        let found = self.0.binary_search_by_key(&place, |(place, _)| *place);
        found.map_or(Value::default(), |index| self.0[index].1)
    }

    /// Returns the known values at this index and above, topmost first.
    pub(super) fn above(&self, place: u64) -> impl Iterator<Item = Value> {
        let above = self.0.iter().rev().take_while(move |(it, _)| *it >= place);
        above.map(|(_, value)| *value)
    }

    /// Forgets the values at this index and above.
    pub(super) fn truncate(&mut self, place: u64) {
        while self.0.last().is_some_and(|(above, _)| *above >= place) {
            self.0.pop();
        }
    }

    /// Forgets the values at this index and above, and sets the value at this index.
    pub(super) fn push(&mut self, place: u64, value: Value) {
        self.truncate(place);
        if value != Value::default() {
            self.0.push((place, value));
        }
    }
}
