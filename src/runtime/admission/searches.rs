//! The searches of the compiler for the objects that a module accesses.

use wasmparser::{MemArg, Operator};

use super::types::Types;
use crate::runtime::rewrite::{Object, Searches};

/// The time to compare one export with an object, in nanoseconds.
const STEP_NS: u64 = 2;

/// Counts the accesses to each memory, table and global. The compiler looks through the exports for the object at each
/// of them, except for constants.
#[derive(Default)]
pub(super) struct Accesses {
    memories: Vec<u64>,
    tables: Vec<u64>,
    globals: Vec<u64>,
    /// Whether each global is a constant.
    constants: Vec<bool>,
}

impl Accesses {
    /// Adds the next global. A constant is one that the compiler puts into the code.
    pub(super) fn push_global(&mut self, is_constant: bool) {
        if (self.constants.len() as u64) < Types::KEPT {
            self.constants.push(is_constant);
        }
    }

    /// Counts an instruction.
    pub(super) fn count(&mut self, operator: &Operator<'_>) {
        macro_rules! count_operand {
            (memarg, $operand:ident) => {
                self.memory($operand)
            };
            (mem, $operand:ident) => {
                self.add(Object::Memory(*$operand), 1)
            };
            (dst_mem, $operand:ident) => {
                self.add(Object::Memory(*$operand), 1)
            };
            (src_mem, $operand:ident) => {
                self.add(Object::Memory(*$operand), 1)
            };
            (table, $operand:ident) => {
                self.add(Object::Table(*$operand), 1)
            };
            (table_index, $operand:ident) => {
                self.add(Object::Table(*$operand), 1)
            };
            (dst_table, $operand:ident) => {
                self.add(Object::Table(*$operand), 1)
            };
            (src_table, $operand:ident) => {
                self.add(Object::Table(*$operand), 1)
            };
            (global_index, $operand:ident) => {
                self.add(Object::Global(*$operand), 1)
            };
            ($other:ident, $operand:ident) => {
                let _ = $operand;
            };
        }
        macro_rules! count_operands {
            ($(@$proposal:ident $name:ident $({ $($operand:ident: $type:ty),* })? => $visit:ident $arity:tt)*) => {
                match operator {
                    $(Operator::$name $({ $($operand),* })? => {
                        $($(count_operand!($operand, $operand);)*)?
                    })*
                    _ => {}
                }
            };
        }
        wasmparser::for_each_operator!(count_operands);
    }

    fn memory(&mut self, place: &MemArg) {
        self.add(Object::Memory(place.memory), 1);
    }

    /// Counts `count` accesses to an object.
    pub(super) fn add(&mut self, object: Object, count: u64) {
        let (list, index) = match object {
            Object::Memory(index) => (&mut self.memories, index),
            Object::Table(index) => (&mut self.tables, index),
            Object::Global(index) => (&mut self.globals, index),
        };
        // A higher index is not valid, or exceeds a cap.
        if u64::from(index) >= Types::KEPT {
            return;
        }
        let index = index as usize;
        if index >= list.len() {
            list.resize(index + 1, 0);
        }
        list[index] = list[index].saturating_add(count);
    }

    /// Adds the accesses of other bodies of the same module.
    pub(super) fn merge(&mut self, other: &Self) {
        let lists = [
            (Object::Memory as fn(u32) -> Object, &other.memories),
            (Object::Table, &other.tables),
            (Object::Global, &other.globals),
        ];
        for (object, counts) in lists {
            for (object, count) in numbered(object, counts.iter().copied()) {
                self.add(object, count);
            }
        }
    }

    /// Returns the searches for these accesses, in an order of the exports that makes them short.
    pub(super) fn searches(&self, wasm: &[u8]) -> Searches {
        Searches::plan(wasm, self.uses())
    }

    /// Returns the searches for these accesses, in the order of the exports that the module has.
    pub(super) fn searches_in_own_order(&self, wasm: &[u8]) -> Searches {
        Searches::in_own_order(wasm, &self.uses())
    }

    fn uses(&self) -> Vec<(Object, u64)> {
        let constants = self.constants.iter().chain(std::iter::repeat(&false));
        let globals = self.globals.iter().zip(constants);
        let globals = globals.map(|(count, is_constant)| if *is_constant { 0 } else { *count });
        let objects = numbered(Object::Memory, self.memories.iter().copied())
            .chain(numbered(Object::Table, self.tables.iter().copied()))
            .chain(numbered(Object::Global, globals));
        objects.filter(|(_, count)| *count > 0).collect()
    }
}

fn numbered(
    object: fn(u32) -> Object,
    counts: impl Iterator<Item = u64>,
) -> impl Iterator<Item = (Object, u64)> {
    (0..).map(object).zip(counts)
}

/// Returns the time that so many steps take, in nanoseconds.
pub(super) fn time_of(steps: u64) -> u64 {
    steps.saturating_mul(STEP_NS)
}
