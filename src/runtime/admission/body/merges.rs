//! Values of locals at merge points: labels of frames that several predecessors reach.

use super::super::deferred::ProgramPoint;
use super::super::values::Value;
use super::control::{Frame, FrameKind};
use super::{Bodies, Node};

/// The open loops that are branched to, and the locals whose values may have to be recomputed at branches.
#[derive(Default)]
pub(super) struct ValueFlow {
    /// The open loops with branches to them, outermost first.
    loops: Vec<Loop>,
    /// Locals whose values take more than a few instructions to compute. May contain locals that have a cheap value
    /// now.
    heavy: Vec<u32>,
    /// A scratch list for the values of locals at one branch.
    heavy_nodes: Vec<Node>,
    /// The number of pairs of a local and a branch that may still be analysed in this module, and whether there
    /// were more.
    pub pairs_left: u64,
    pub is_exhausted: bool,
    /// The counters of arguments that branches pass for locals.
    pub arguments: BlockArguments,
}

/// Counts of pairs of a predecessor of a merge point and a block parameter there. A local needs a block parameter
/// (φ) if it has different values at the end of different predecessors.
#[derive(Clone, Copy, Default)]
pub(super) struct BlockArguments {
    pub branches: u64,
    /// The sum over all block parameters of the squared number of predecessors.
    pub squares: u64,
    /// The pairs whose predecessor is a call that may throw.
    pub calls: u64,
}

/// An open loop that is branched to.
struct Loop {
    /// The number of its frame.
    serial: u64,
    /// The position of its start.
    start: ProgramPoint,
    /// Locals that the loop may assign before a branch back to its start, with the node that stands for the local's
    /// value in the loop.
    aliases: Vec<(u32, Node)>,
}

/// The state of the merge point at the end of a frame.
#[derive(Default)]
pub(super) struct MergePoint {
    /// For each local of [`Liveness::merged_locals`](super::super::liveness::Liveness::merged_locals), the values
    /// at the ends of the predecessors so far.
    incoming: Vec<Incoming>,
    /// For an `if`: the values of these locals and of the frame's parameters at its start.
    if_values: Vec<Value>,
    if_params: Vec<Value>,
    start: ProgramPoint,
    /// The number of branches to the merge point, and of calls in it that may throw to it.
    predecessors: u64,
    calls: u64,
    /// Whether a catch clause targets the merge point. Locals may then have any value that they had at a call.
    pub catches_exceptions: bool,
    /// For an `if`: whether control can reach the end, or the `else` arm, without the first arm.
    may_skip_arm: bool,
}

/// The values of one local at the ends of several predecessors.
#[derive(Clone, Copy)]
enum Incoming {
    Nothing,
    One(Value),
    Different,
}

impl ValueFlow {
    /// Makes the state for a module in which at most `pairs` pairs of a local and a branch are analysed.
    pub(super) fn new(pairs: u64) -> Self {
        Self {
            pairs_left: pairs,
            ..Self::default()
        }
    }

    /// Resets the state for the next function.
    pub(super) fn clear(&mut self) {
        self.loops.clear();
        self.heavy.clear();
        self.arguments = BlockArguments::default();
    }

    /// Takes `pairs` pairs from the budget. Returns whether the budget had that many.
    fn spend(&mut self, pairs: usize) -> bool {
        let left = self.pairs_left.checked_sub(pairs as u64);
        self.is_exhausted |= left.is_none();
        self.pairs_left = left.unwrap_or(0);
        left.is_some()
    }
}

impl Bodies {
    /// Begins a loop with `params` parameters.
    pub(super) fn begin_loop(&mut self, params: u64) {
        let serial = self.position.frames - 1;
        if !self.tracks_values || !self.liveness.is_branched_to(serial) {
            return;
        }
        self.pass_arguments(params);
        self.values.truncate(self.height.saturating_sub(params));
        self.count_arguments(serial);
        self.deferred.begin_loop();
        let start = self.deferred.here();
        let mut aliases = Vec::new();
        for index in 0..self.merged_local_count(serial) {
            let local = self.liveness.merged_locals(serial)[index];
            let mut value = self.local_value(local);
            // The loop may assign the local only on paths that leave it: then this alias is its value for the whole
            // loop.
            value.node = self.deferred.alias(value.node);
            self.locals.set_value(local, value, start);
            aliases.push((local, value.node));
        }
        self.flow.loops.push(Loop {
            serial,
            start,
            aliases,
        });
    }

    /// Ends the loop with the frame number `serial`.
    pub(super) fn end_loop(&mut self, serial: u64) {
        let ended = self.flow.loops.pop_if(|open| open.serial == serial);
        if let Some(ended) = ended {
            let aliases = ended.aliases.iter().map(|(_, alias)| *alias);
            self.deferred.end_loop(self.position.blocks, aliases);
        }
    }

    /// Begins an `if`.
    pub(super) fn begin_if(&mut self) {
        let Some(serial) = self.innermost_serial() else {
            return;
        };
        self.count_arguments(serial);
        let before = self.merged_values(serial);
        let (may_skip_arm, start) = (self.is_reachable, self.deferred.here());
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        // A branch passes the same number of values, so they share one budget.
        let params = frame.params.min(self.arguments_left);
        self.arguments_left -= params;
        let lowest = self.height.saturating_sub(params);
        let params = (lowest..self.height).map(|place| self.values.get(place));
        frame.merge_point.if_params = params.collect();
        frame.merge_point.if_values = before;
        frame.merge_point.start = start;
        frame.merge_point.may_skip_arm = may_skip_arm;
    }

    /// Ends the first arm of an `if` and begins its `else` arm.
    pub(super) fn begin_else(&mut self) {
        let Some(serial) = self.innermost_serial() else {
            return;
        };
        self.add_predecessor(self.frames.len() - 1);
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        self.is_reachable = std::mem::take(&mut frame.merge_point.may_skip_arm);
        let before = std::mem::take(&mut frame.merge_point.if_values);
        let (params, start) = (
            std::mem::take(&mut frame.merge_point.if_params),
            frame.merge_point.start,
        );
        let missing = frame.params.saturating_sub(params.len() as u64);
        let lowest = frame.height + missing;
        for (index, value) in before.into_iter().enumerate() {
            self.assign_local(self.liveness.merged_locals(serial)[index], value, start);
        }
        self.values.truncate(lowest);
        for (place, value) in (lowest..).zip(params) {
            self.values.push(place, value);
        }
    }

    /// Ends a frame: determines the values of locals after its merge point.
    pub(super) fn finish_merge(&mut self, mut frame: Frame) {
        if !self.tracks_values || frame.kind == FrameKind::Loop {
            return;
        }
        let merge_point = &mut frame.merge_point;
        if merge_point.may_skip_arm {
            let before = std::mem::take(&mut merge_point.if_values);
            merge_point.add_incoming(&before);
        }
        self.is_reachable |= merge_point.predecessors > 0;
        let here = self.deferred.here();
        for (index, incoming) in merge_point.incoming.iter().enumerate() {
            let mut value = match *incoming {
                Incoming::Nothing => continue,
                Incoming::One(value) => {
                    if merge_point.catches_exceptions {
                        self.flow.arguments.add(merge_point);
                    }
                    value
                }
                Incoming::Different => {
                    self.flow.arguments.add(merge_point);
                    Value::default()
                }
            };
            if value.node == Node::default() {
                value.node = self.deferred.opaque(here);
            } else if merge_point.catches_exceptions {
                value.node = self.deferred.alias(value.node);
            }
            self.assign_local(
                self.liveness.merged_locals(frame.serial)[index],
                value,
                here,
            );
        }
    }

    /// Adds the current block as a predecessor of the label of the frame at `index`.
    pub(super) fn add_predecessor(&mut self, index: usize) {
        let Some(frame) = self.frames.get(index) else {
            return;
        };
        if !self.tracks_values || !self.is_reachable {
            return;
        }
        let (serial, kind) = (frame.serial, frame.kind);
        self.count_arguments(serial);
        if kind == FrameKind::Loop {
            self.branch_back(serial);
            return;
        }
        let values = self.merged_values(serial);
        for value in &values {
            self.deferred.pass_argument(value.node);
        }
        self.frames[index].merge_point.add_incoming(&values);
    }

    /// Counts a conditional branch to the label of the frame at `index`.
    pub(super) fn count_exit(&mut self, index: usize) {
        let Some(frame) = self.frames.get_mut(index) else {
            return;
        };
        frame.exits += 1;
        let serial = frame.serial;
        let loops = &self.flow.loops;
        let loops = loops.partition_point(|open| open.serial <= serial);
        self.deferred.exit(loops);
        (self.position.exits, self.position.open_exits) = self.deferred.exits();
    }

    /// Whether a loop with branches to it began after `point`.
    pub(super) fn has_loop_since(&self, point: ProgramPoint) -> bool {
        let innermost = self.flow.loops.last();
        innermost.is_some_and(|open| open.start.is_in_block_after(point))
    }

    /// Records an assignment of `value` to a local.
    pub(super) fn set_local(&mut self, local: u32, value: Value) {
        self.assign_local(local, value, self.deferred.here());
    }

    /// Returns the known value of a local.
    pub(super) fn local_value(&mut self, local: u32) -> Value {
        if !self.tracks_values {
            return Value::default();
        }
        let (mut value, point) = self.locals.value(local);
        if !self.deferred.dominates(point) {
            value = Value::default();
            self.locals.set_value(local, value, self.deferred.here());
        }
        if value.node == Node::default() {
            let (_, point) = self.locals.value(local);
            value.node = self.deferred.opaque(point);
            self.locals.set_value(local, value, point);
        }
        value
    }

    /// Counts the values that a call passes to the exception handlers around it.
    pub(super) fn count_handler_arguments(&mut self) {
        for index in 0..self.tries.len() {
            for handler in 0..self.tries[index].len() {
                if !self.flow.spend(1) {
                    return;
                }
                let handler = self.tries[index][handler];
                if let Some(frame) = self.frames.get_mut(handler) {
                    frame.merge_point.calls += 1;
                    let serial = frame.serial;
                    self.count_arguments(serial);
                }
            }
        }
    }

    fn assign_local(&mut self, local: u32, value: Value, point: ProgramPoint) {
        self.locals.set_value(local, value, point);
        if self.deferred.is_heavy(value.node) && !self.locals.set_listed(local, true) {
            self.flow.heavy.push(local);
        }
    }

    fn innermost_serial(&self) -> Option<u64> {
        let frame = self.frames.last()?;
        self.tracks_values.then_some(frame.serial)
    }

    /// Returns the number of locals that are merged at this frame, or 0 if the budget is exhausted.
    fn merged_local_count(&mut self, serial: u64) -> usize {
        let count = self.liveness.merged_locals(serial).len();
        if self.flow.spend(count) { count } else { 0 }
    }

    /// Returns the current values of the locals that are merged at this frame.
    fn merged_values(&mut self, serial: u64) -> Vec<Value> {
        (0..self.merged_local_count(serial))
            .map(|index| {
                let local = self.liveness.merged_locals(serial)[index];
                self.locals.use_at_merge(local, self.position);
                self.local_value(local)
            })
            .collect()
    }

    /// Handles a branch to the start of a loop.
    fn branch_back(&mut self, serial: u64) {
        let found = self
            .flow
            .loops
            .binary_search_by_key(&serial, |open| open.serial);
        let Ok(found) = found else { return };
        let start = self.flow.loops[found].start;
        let mut aliases = std::mem::take(&mut self.flow.loops[found].aliases);
        if !self.flow.spend(aliases.len()) {
            return;
        }
        aliases.retain(|&(local, alias)| {
            let is_alias = self.local_value(local).node == alias;
            if !is_alias {
                self.deferred.detach(alias, start);
            }
            is_alias
        });
        self.flow.loops[found].aliases = aliases;
    }

    /// Counts the recomputation of the values of locals that a branch to this frame passes as block arguments.
    fn count_arguments(&mut self, serial: u64) {
        if !self.tracks_values || self.flow.heavy.is_empty() {
            return;
        }
        let mut index = 0;
        while let Some(&local) = self.flow.heavy.get(index) {
            if !self.flow.spend(1) {
                break;
            }
            let (value, _) = self.locals.value(local);
            if !self.deferred.is_heavy(value.node) {
                self.locals.set_listed(local, false);
                self.flow.heavy.swap_remove(index);
                continue;
            }
            index += 1;
            if self.liveness.is_merged(local, serial) {
                self.flow.heavy_nodes.push(value.node);
            }
        }
        if !self.flow.heavy_nodes.is_empty() {
            self.deferred.repeat_arguments(&self.flow.heavy_nodes);
            self.flow.heavy_nodes.clear();
        }
    }
}

impl BlockArguments {
    /// Counts a block parameter at this merge point.
    fn add(&mut self, merge_point: &MergePoint) {
        self.branches += merge_point.predecessors;
        self.squares += merge_point
            .predecessors
            .saturating_mul(merge_point.predecessors);
        self.calls += merge_point.calls;
    }
}

impl MergePoint {
    /// Adds the values at the end of a predecessor.
    fn add_incoming(&mut self, values: &[Value]) {
        self.predecessors += 1;
        self.incoming.resize(values.len(), Incoming::Nothing);
        for (incoming, value) in self.incoming.iter_mut().zip(values) {
            *incoming = match *incoming {
                Incoming::Nothing => Incoming::One(*value),
                Incoming::One(before) if before == *value => Incoming::One(before),
                Incoming::One(_) | Incoming::Different => Incoming::Different,
            };
        }
    }
}
