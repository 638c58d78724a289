//! Instructions that are not about control.

use wasmparser::Operator;

use super::super::deferred::Stores;
use super::super::ops::{
    DIVISION_BY_CONSTANT, alternatives_of, has_effects, is_comparison, may_trap, weight_of,
};
use super::super::sums::{Length, Sum};
use super::super::types::Types;
use super::super::values::Value;
use super::{Bodies, Store, Written};

impl Bodies {
    /// An instruction that is not about control.
    pub(super) fn plain(
        &mut self,
        types: &Types,
        opcode: u8,
        operator: &Operator<'_>,
    ) -> Option<()> {
        use Operator as Op;
        if let Op::LocalGet { .. } | Op::LocalSet { .. } | Op::LocalTee { .. } = operator {
            return self.local(operator);
        }
        let (pops, pushes) = operator.operator_arity(types)?;
        let (pops, pushes) = (u64::from(pops), u64::from(pushes));
        self.counts.has_references |= types.reads_collected(operator);
        match operator {
            Op::Call { function_index } | Op::ReturnCall { function_index } => {
                let ty = types.type_of(*function_index)?;
                self.call(pops, pushes, types.returns_collected(ty));
            }
            Op::CallIndirect { type_index, .. }
            | Op::ReturnCallIndirect { type_index, .. }
            | Op::CallRef { type_index }
            | Op::ReturnCallRef { type_index } => {
                self.counts.accesses += 1;
                self.counts.types += 1;
                self.call(pops, pushes, types.returns_collected(*type_index));
            }
            Op::Throw { .. } | Op::ThrowRef => self.call(pops, pushes, false),
            Op::MemoryAtomicWait32 { .. } | Op::MemoryAtomicWait64 { .. } => {
                self.profile.waits = true;
                self.access();
            }
            Op::GlobalGet { global_index } | Op::GlobalSet { global_index } => {
                self.access();
                self.global(*global_index);
                if let Op::GlobalSet { .. } = operator {
                    self.counts.regions = self.counts.globals;
                }
                self.forward(operator);
            }
            // Loads, stores, and what else reaches memories and tables.
            _ if matches!(opcode, 0x25 | 0x26 | 0x28..=0x40 | 0xfc..=0xfe) => {
                self.access();
                self.forward(operator);
                if !self.counts.has_accessed {
                    self.counts.has_accessed = true;
                    self.counts.regions = self.counts.globals;
                }
            }
            _ if matches!(opcode, 0xfb | 0xd0..=0xd6) => {
                self.counts.effects += 1;
                self.counts.references += pushes;
                self.counts.has_references = true;
                if opcode == 0xfb {
                    self.counts.types += 1;
                    self.safepoint();
                }
            }
            _ => {}
        }
        self.profile.validation_steps += pops + pushes;
        let value = if self.follows_values {
            self.value(opcode, operator, pops, pushes)
        } else {
            Value::default()
        };
        self.pop(pops);
        // Nothing is known of the results of calls, which may be a thousand: only a single value is kept.
        let value = if pushes == 1 { value } else { Value::default() };
        self.values.push(self.height, value);
        self.height += pushes;
        let weight = weight_of(opcode, operator, types);
        match operator {
            Op::MemoryInit { .. } | Op::MemoryFill { .. } | Op::MemoryCopy { .. } => {
                // Their blocks are checks, which come before they write.
                self.writes -= 1;
                self.code(weight);
                self.writes += 1;
            }
            _ => self.code(weight),
        }
        if let Op::Call { .. }
        | Op::CallIndirect { .. }
        | Op::CallRef { .. }
        | Op::MemoryFill { .. }
        | Op::MemoryGrow { .. } = operator
        {
            self.unsettled = self.writes;
            self.settle_stores();
        }
        Some(())
    }

    /// An instruction that reads or writes a local.
    fn local(&mut self, operator: &Operator<'_>) -> Option<()> {
        match operator {
            Operator::LocalGet { local_index } => {
                self.check_local(*local_index)?;
                self.size += 20;
                let value = self.locals.value(*local_index);
                self.values.push(self.height, value);
                self.height += 1;
                let frames = &self.frames;
                let open_since =
                    |serial: u64| frames.partition_point(|frame| frame.serial < serial) as u64;
                self.locals.get(*local_index, self.at, open_since);
            }
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                self.check_local(*local_index)?;
                self.size += 20;
                let value = self.values.get(self.height.saturating_sub(1));
                if let Operator::LocalSet { .. } = operator {
                    self.pop(1);
                }
                self.locals.set(*local_index, self.at, value);
            }
            _ => {}
        }
        Some(())
    }

    fn call(&mut self, pops: u64, pushes: u64, references: bool) {
        self.counts.moved += pops + pushes;
        self.counts.effects += 1;
        self.counts.edges += self.handlers;
        if self.handlers > 0 {
            self.size += 4_000;
        }
        self.safepoint();
        if references {
            self.counts.references += pushes;
            self.counts.has_references = true;
        }
    }

    /// A memory, table or global is accessed.
    fn access(&mut self) {
        self.counts.accesses += 1;
        self.counts.effects += 1;
        self.writes += 1;
        // A table or a global may hold references.
        self.counts.references += 1;
    }

    /// Counts a global that was not accessed in this function before.
    fn global(&mut self, index: u32) {
        let index = index as usize;
        if index >= self.globals.len() {
            // What is beyond is not valid, or exceeds the cap on globals.
            if index >= 1_000_000 {
                return;
            }
            self.globals.resize(index + 1, (0, Value::default()));
        }
        if self.globals[index].0 != self.function {
            self.globals[index] = (self.function, Value::default());
            self.counts.globals += 1;
        }
    }

    /// Remembers what is written: the optimiser finds it where it is read again.
    fn forward(&mut self, operator: &Operator<'_>) {
        if !self.follows_values {
            return;
        }
        let value = self.values.get(self.height.saturating_sub(1));
        let (written, offset) = match operator {
            Operator::GlobalSet { global_index } => {
                if let Some(global) = self.globals.get_mut(*global_index as usize) {
                    global.1 = value;
                }
                (Written::Global(*global_index), 0)
            }
            Operator::I32Store { memarg }
            | Operator::I64Store { memarg }
            | Operator::F32Store { memarg }
            | Operator::F64Store { memarg }
            | Operator::V128Store { memarg } => (Written::Memory(memarg.memory), memarg.offset),
            _ => return,
        };
        let left = self.at.results;
        let store = Store {
            offset,
            value,
            left,
        };
        // The store before is dead, and needs no value, if this one is to the same place.
        match self.last_stored.insert(written, store) {
            None => self.written.push(written),
            Some(before) if before.offset != offset => self.settle(&before),
            Some(_) => {}
        }
    }

    /// The store is not dead.
    fn settle(&mut self, store: &Store) {
        self.deferred
            .need(store.value.node, Stores::Last, store.left);
    }

    /// No store is dead so far.
    pub(super) fn settle_stores(&mut self) {
        while let Some(written) = self.written.pop() {
            if let Some(store) = self.last_stored.remove(&written) {
                self.settle(&store);
            }
        }
    }

    /// So many values on top of the operand stack are needed now.
    pub(super) fn need(&mut self, count: u64) {
        let left = self.at.results;
        // Where code cannot be reached, instructions take more than the frame has.
        let floor = self.frames.last().map_or(0, |frame| frame.height);
        let lowest = self.height.saturating_sub(count).max(floor);
        for value in self.values.above(lowest) {
            self.deferred.need_always(value.node, left);
        }
    }

    /// What an instruction leaves that takes and leaves so many values, before it takes them.
    fn value(&mut self, opcode: u8, operator: &Operator<'_>, pops: u64, pushes: u64) -> Value {
        use Operator as Op;
        // A division by a constant becomes multiplications and shifts.
        let last = self.values.get(self.height.saturating_sub(1));
        let is_arithmetic = may_trap(opcode) && matches!(last.sum, Sum::Constant(_));
        let alternatives = alternatives_of(opcode, operator);
        if is_comparison(opcode) {
            self.comparison = alternatives;
        } else {
            self.counts.alternatives += alternatives;
        }
        if is_arithmetic {
            self.counts.alternatives += DIVISION_BY_CONSTANT;
        }
        if has_effects(opcode, operator) && !is_arithmetic {
            let value = self.read(operator);
            match operator {
                Op::I32Store { .. }
                | Op::I64Store { .. }
                | Op::F32Store { .. }
                | Op::F64Store { .. }
                | Op::V128Store { .. }
                | Op::GlobalSet { .. } => {
                    let [address, stored] =
                        [2, 1].map(|below| self.values.get(self.height.saturating_sub(below)));
                    if pops > 1 {
                        self.deferred.need_always(address.node, self.at.results);
                    }
                    self.deferred
                        .need(stored.node, Stores::All, self.at.results);
                }
                _ => self.need(pops),
            }
            self.at.results += pushes;
            return value;
        }
        let operand = |below: u64| self.values.get(self.height.saturating_sub(below));
        let operands = [operand(3), operand(2), operand(1)];
        let operands = &operands[operands.len() - (pops as usize).min(operands.len())..];
        let sums = [operand(3).sum, operand(2).sum, operand(1).sum];
        let (sum, length) = Sum::of(opcode, operator, &sums[3 - operands.len()..]);
        match length {
            Length::Short => {}
            Length::Long => self.counts.long_sums += 1,
            Length::Longer => self.counts.longer_sums += 1,
        }
        if matches!(sum, Sum::Constant(_)) || operands.is_empty() {
            return Value {
                sum,
                ..Value::default()
            };
        }
        let nodes = operands.iter().map(|operand| match operand.sum {
            Sum::Constant(_) => None,
            _ => Some(operand.node),
        });
        let (node, keeps_constant) = self.deferred.add(nodes, self.at.results);
        if keeps_constant {
            self.at.results += 1;
            self.counts.kept_constants += 1;
        }
        Value { sum, node }
    }

    /// What an instruction reads that was written before.
    fn read(&self, operator: &Operator<'_>) -> Value {
        use Operator as Op;
        let value = match operator {
            Op::GlobalGet { global_index } => self
                .globals
                .get(*global_index as usize)
                .map(|(_, value)| *value),
            Op::I32Load { memarg }
            | Op::I64Load { memarg }
            | Op::F32Load { memarg }
            | Op::F64Load { memarg }
            | Op::V128Load { memarg } => {
                let store = self.last_stored.get(&Written::Memory(memarg.memory));
                let store = store.filter(|store| store.offset == memarg.offset);
                store.map(|store| store.value)
            }
            _ => None,
        };
        value.unwrap_or_default()
    }

    /// A collector may run here, and wants to know where all references are.
    fn safepoint(&mut self) {
        if self.counts.has_references {
            let held = self.height + self.profile.locals;
            let alive = held.min(self.counts.references + self.profile.locals);
            self.counts.stack_maps += alive;
            self.counts.alive = self.counts.alive.max(alive);
        }
    }
}
