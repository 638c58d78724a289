//! All instructions except control instructions.

use wasmparser::Operator;

use super::super::deferred::{LiveStores, ProgramPoint};
use super::super::numbering::Node;
use super::super::ops::{
    DIVISION_BY_CONSTANT, Opcode, alternatives_of, derived_values, has_effects, is_comparison,
    loaded, may_trap, stored, weight_of,
};
use super::super::sums::{Length, Sum};
use super::super::types::Types;
use super::super::values::Value;
use super::{Bodies, Global, Store, StoreTarget};

impl Bodies {
    /// Analyses an instruction that is not a control instruction.
    pub(super) fn plain(
        &mut self,
        types: &Types,
        opcode: Opcode,
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
                self.count_accesses(operator);
                self.counts.types += 1;
                self.call(pops, pushes, types.returns_collected(*type_index));
            }
            Op::Throw { .. } | Op::ThrowRef => self.call(pops, pushes, false),
            Op::MemoryAtomicWait32 { .. } | Op::MemoryAtomicWait64 { .. } => {
                self.profile.waits = true;
                self.access(operator);
            }
            Op::GlobalGet { global_index } | Op::GlobalSet { global_index } => {
                self.access(operator);
                self.global(*global_index);
                if let Op::GlobalSet { .. } = operator {
                    self.counts.regions = self.counts.globals;
                }
                self.record_store(opcode.first, operator);
            }
            // Loads, stores, and other accesses to memories and tables.
            _ if matches!(opcode.first, 0x25 | 0x26 | 0x28..=0x40 | 0xfc..=0xfe) => {
                self.access(operator);
                self.record_store(opcode.first, operator);
                if !self.counts.has_accessed {
                    self.counts.has_accessed = true;
                    self.counts.regions = self.counts.globals;
                }
            }
            _ if matches!(opcode.first, 0xfb | 0xd0..=0xd6) => {
                self.counts.effects += 1;
                self.counts.references += pushes;
                self.counts.has_references = true;
                if opcode.first == 0xfb {
                    self.counts.types += 1;
                    self.safepoint();
                }
            }
            _ => {}
        }
        self.profile.validation_steps += pops + pushes;
        let weight = weight_of(opcode.first, operator, types);
        let value = if self.tracks_values {
            self.value(opcode, operator, pops, pushes, weight.size)
        } else {
            Value::default()
        };
        self.pop(pops);
        // A call may have a thousand results, all of unknown value. Only a single value is recorded.
        let value = if pushes == 1 { value } else { Value::default() };
        self.values.push(self.height, value);
        self.height += pushes;
        match operator {
            Op::MemoryInit { .. } | Op::MemoryFill { .. } | Op::MemoryCopy { .. } => {
                // The blocks of these instructions are bounds checks, which come before the write.
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
            self.first_pending_write = self.writes;
            self.counts.calls += 1;
            self.keep_stores();
        }
        if let Op::Unreachable
        | Op::Throw { .. }
        | Op::ThrowRef
        | Op::ReturnCall { .. }
        | Op::ReturnCallIndirect { .. }
        | Op::ReturnCallRef { .. } = operator
        {
            self.is_reachable = false;
        }
        Some(())
    }

    /// Analyses an instruction that reads or writes a local.
    fn local(&mut self, operator: &Operator<'_>) -> Option<()> {
        match operator {
            Operator::LocalGet { local_index } => {
                self.check_local(*local_index)?;
                self.size += 20;
                let value = self.local_value(*local_index);
                self.values.push(self.height, value);
                self.height += 1;
                let frames = &self.frames;
                let open_since =
                    |serial: u64| frames.partition_point(|frame| frame.serial < serial) as u64;
                self.locals.get(*local_index, self.position, open_since);
            }
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                self.check_local(*local_index)?;
                self.size += 20;
                let value = self.values.get(self.height.saturating_sub(1));
                if let Operator::LocalSet { .. } = operator {
                    self.pop(1);
                }
                self.locals.set(*local_index, self.position);
                if self.tracks_values {
                    self.set_local(*local_index, value);
                }
            }
            _ => {}
        }
        Some(())
    }

    fn call(&mut self, pops: u64, pushes: u64, references: bool) {
        if self.tracks_values {
            self.deferred.call();
            self.count_handler_arguments();
        }
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

    /// Counts an access to a memory, table or global.
    fn access(&mut self, operator: &Operator<'_>) {
        self.count_accesses(operator);
        self.counts.effects += 1;
        self.writes += 1;
        // The access may read a reference from a table or a global.
        self.counts.references += 1;
    }

    fn count_accesses(&mut self, operator: &Operator<'_>) {
        if self.tracks_values {
            self.accesses.count(operator);
        }
    }

    /// Counts a global at its first access in the function.
    fn global(&mut self, index: u32) {
        let index = index as usize;
        if index >= self.globals.len() {
            // A higher index is not valid, or exceeds the cap on globals.
            if index >= 1_000_000 {
                return;
            }
            self.globals.resize(index + 1, Global::default());
        }
        if self.globals[index].function != self.function {
            self.globals[index] = Global {
                function: self.function,
                ..Global::default()
            };
            self.counts.globals += 1;
        }
    }

    /// Records a written value, since the optimiser forwards it to later reads.
    fn record_store(&mut self, opcode: u8, operator: &Operator<'_>) {
        if !self.tracks_values {
            return;
        }
        let value = self.values.get(self.height.saturating_sub(1));
        let address = self.values.get(self.height.saturating_sub(2)).node;
        let (written, address, offset) = match operator {
            Operator::GlobalSet { global_index } => {
                if let Some(global) = self.globals.get_mut(*global_index as usize) {
                    (global.value, global.point) = (value, self.deferred.here());
                    global.calls = self.counts.calls;
                }
                // It is not known whether the optimiser removes a dead write to a global.
                (StoreTarget::Global(*global_index), Node::default(), 0)
            }
            Operator::I32Store { memarg }
            | Operator::I64Store { memarg }
            | Operator::F32Store { memarg }
            | Operator::F64Store { memarg }
            | Operator::V128Store { memarg } => {
                (StoreTarget::Memory(memarg.memory), address, memarg.offset)
            }
            _ => return,
        };
        let point = self.deferred.here();
        let store = Store {
            opcode,
            address,
            offset,
            value,
            point,
        };
        // If this store overwrites the earlier one in the same block, the earlier one is dead and does not need its
        // value.
        match self.last_stored.insert(written, store) {
            None => self.written.push(written),
            Some(before) if before.offset != offset => self.keep_store(&before),
            Some(before)
                if (before.opcode, before.address) == (opcode, address)
                    && address != Node::default()
                    && before.point.is_in_block_of(point) => {}
            Some(before) => {
                let node = before.value.node;
                self.deferred.need(node, LiveStores::All, before.point);
            }
        }
    }

    /// Counts the value of a store that is not dead.
    fn keep_store(&mut self, store: &Store) {
        self.need_at(store.value.node, store.point);
    }

    fn need_at(&mut self, node: Node, point: ProgramPoint) {
        self.deferred.need(node, LiveStores::All, point);
        self.deferred.need(node, LiveStores::Last, point);
    }

    /// Counts the values of all recorded stores, none of which is dead.
    pub(super) fn keep_stores(&mut self) {
        while let Some(written) = self.written.pop() {
            if let Some(store) = self.last_stored.remove(&written) {
                self.keep_store(&store);
            }
        }
    }

    /// Counts a use of `count` values on top of the operand stack.
    pub(super) fn need(&mut self, count: u64) {
        for value in self.values.above(self.height_without(count)) {
            self.deferred.need_here(value.node);
        }
    }

    /// Counts `count` values that an instruction derives from each of `operands` values on top of the operand
    /// stack.
    fn count_derived(&mut self, operands: u64, count: u64) {
        if count == 0 {
            return;
        }
        for value in self.values.above(self.height_without(operands)) {
            self.deferred.derive(value.node, count);
        }
    }

    /// Returns the result of an instruction. It is called before the operands are popped.
    fn value(
        &mut self,
        code: Opcode,
        operator: &Operator<'_>,
        pops: u64,
        pushes: u64,
        size: u64,
    ) -> Value {
        use Operator as Op;
        let opcode = code.first;
        if let Op::Drop = operator {
            // The operand need not be computed.
            return Value::default();
        }
        // A division by a constant becomes multiplications and shifts, which are pure.
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
            self.counts.constant_divisions += 1;
        }
        let operand = |distance: u64| self.values.get(self.height.saturating_sub(distance));
        let operands = [operand(3), operand(2), operand(1)];
        let first = operands.len() - (pops as usize).min(operands.len());
        let (nodes, sums) = (
            operands.map(|value| value.node),
            operands.map(|value| value.sum),
        );
        let (nodes, sums) = (&nodes[first..], &sums[first..]);
        if has_effects(opcode, operator) && !is_arithmetic {
            let mut value = self.read(operator);
            match operator {
                Op::I32Store { .. }
                | Op::I64Store { .. }
                | Op::F32Store { .. }
                | Op::F64Store { .. }
                | Op::V128Store { .. }
                | Op::GlobalSet { .. } => {
                    let address = self.values.get(self.height.saturating_sub(2));
                    if pops > 1 {
                        self.deferred.need_here(address.node);
                    }
                }
                _ => {
                    self.need(pops);
                    self.count_derived(pops, derived_values(opcode));
                }
            }
            if value.node != Node::default() {
                self.deferred.push_results(pushes);
            } else if let Some(memarg) = loaded(operator) {
                let address = self.values.get(self.height.saturating_sub(1)).node;
                let written = self.stores_before(memarg.memory);
                let place = (memarg.memory, memarg.offset);
                value.node = self.deferred.read((code, address, place, written));
            } else if may_trap(opcode) {
                value.node = self.deferred.add_trapping(code, nodes);
            } else {
                value.node = self.deferred.push_results(pushes);
            }
            if let Some(memarg) = stored(operator) {
                self.count_store(memarg.memory);
            }
            self.position.results = self.deferred.results();
            return value;
        }
        let (sum, length) = Sum::of(opcode, operator, sums);
        match length {
            Length::Short => {}
            Length::Long => self.counts.long_sums += 1,
            Length::Longer => self.counts.longer_sums += 1,
        }
        let node = self.deferred.add(code, operator, nodes, size);
        self.position.results = self.deferred.results();
        Value { sum, node }
    }

    /// Returns the number of earlier instructions that may have written to the memory.
    fn stores_before(&self, memory: u32) -> u64 {
        let stores = self.stores.get(memory as usize);
        let stores = stores.filter(|(function, _)| *function == self.function);
        self.counts.calls + stores.map_or(0, |(_, stores)| *stores)
    }

    fn count_store(&mut self, memory: u32) {
        let index = memory as usize;
        // A higher index is not valid, or exceeds the cap on memories.
        if index >= 100_000 {
            return;
        }
        if index >= self.stores.len() {
            self.stores.resize(index + 1, (0, 0));
        }
        let (function, stores) = &mut self.stores[index];
        if *function != self.function {
            (*function, *stores) = (self.function, 0);
        }
        *stores += 1;
    }

    /// Returns the value that an earlier write stored at the location that this instruction reads.
    fn read(&mut self, operator: &Operator<'_>) -> Value {
        use Operator as Op;
        let (mut value, point, calls) = match operator {
            Op::GlobalGet { global_index } => {
                let Some(global) = self.globals.get(*global_index as usize) else {
                    return Value::default();
                };
                (global.value, global.point, global.calls)
            }
            Op::I32Load { memarg }
            | Op::I64Load { memarg }
            | Op::F32Load { memarg }
            | Op::F64Load { memarg }
            | Op::V128Load { memarg } => {
                let store = self.last_stored.get(&StoreTarget::Memory(memarg.memory));
                match store.filter(|store| store.offset == memarg.offset) {
                    Some(store) => (store.value, store.point, self.counts.calls),
                    None => return Value::default(),
                }
            }
            _ => return Value::default(),
        };
        if !self.deferred.dominates(point) {
            return Value::default();
        }
        // The location may have been overwritten since.
        if value.node != Node::default()
            && (calls != self.counts.calls || self.has_loop_since(point))
        {
            value.node = self.deferred.alias(value.node);
        }
        value
    }

    /// Counts a safepoint: the garbage collector may run here, and needs the location of every live reference.
    fn safepoint(&mut self) {
        if self.counts.has_references {
            let locals = self.counts.collected_locals;
            let alive = (self.height + locals).min(self.counts.references + locals);
            self.counts.stack_maps += alive;
            self.counts.alive = self.counts.alive.max(alive);
        }
    }
}
