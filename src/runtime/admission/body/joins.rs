//! Values where control flow joins.

use super::super::deferred::Spot;
use super::super::values::Value;
use super::control::{Frame, FrameKind};
use super::{Bodies, Node};

/// The loops that are open and branched to, and the locals whose values may have to be computed where control joins.
#[derive(Default)]
pub(super) struct Joins {
    /// The outermost first.
    loops: Vec<Loop>,
    /// Locals whose values take more than a few instructions to compute, and maybe some that did.
    heavy: Vec<u32>,
    /// The values of some locals, at one branch.
    carried: Vec<Node>,
    /// How many more pairs of a local and a branch are looked at in this module, and whether there were more.
    pairs_left: u64,
    pub is_exhausted: bool,
    /// Of values that control takes along to where it joins.
    pub arguments: Arguments,
}

/// Pairs of a way to where control joins, and a local that has different values on different ways.
#[derive(Clone, Copy, Default)]
pub(super) struct Arguments {
    pub branches: u64,
    /// Each of them as often as there are ways.
    pub squares: u64,
    /// Those where the way is a call that may throw.
    pub calls: u64,
}

/// A loop that is branched to.
struct Loop {
    /// Its number.
    serial: u64,
    /// Where it begins.
    began: Spot,
    /// Locals that it may set before it begins again, and what they are taken for meanwhile.
    aliases: Vec<(u32, Node)>,
}

/// What a frame knows of where control joins at its end.
#[derive(Default)]
pub struct Join {
    /// For each local in [`Ahead::joined`](super::super::ahead::Ahead::joined), what the branches so far bring.
    brought: Vec<Brought>,
    /// Of a condition, their values where it begins, and the values of its parameters.
    before: Vec<Value>,
    params: Vec<Value>,
    began: Spot,
    /// How many branches lead there, and how many calls that may throw.
    ways: u64,
    calls: u64,
    /// Whether control may come from where an exception is thrown, with any values.
    pub is_unsure: bool,
    /// Whether control may come to the end of a condition, or to its other arm, without its first arm.
    is_passed: bool,
}

/// What several branches bring of one local.
#[derive(Clone, Copy)]
enum Brought {
    Nothing,
    One(Value),
    Different,
}

impl Joins {
    /// For a module in which so many pairs of a local and a branch are looked at.
    pub fn new(pairs: u64) -> Self {
        Self {
            pairs_left: pairs,
            ..Self::default()
        }
    }

    /// Begins with another function.
    pub fn clear(&mut self) {
        self.loops.clear();
        self.heavy.clear();
        self.arguments = Arguments::default();
    }

    /// So many pairs of a local and a branch are looked at. Returns whether there are so many more.
    fn look_at(&mut self, pairs: usize) -> bool {
        let left = self.pairs_left.checked_sub(pairs as u64);
        self.is_exhausted |= left.is_none();
        self.pairs_left = left.unwrap_or(0);
        left.is_some()
    }
}

impl Bodies {
    /// A loop began, with so many parameters.
    pub(super) fn begin_loop(&mut self, params: u64) {
        let serial = self.at.frames - 1;
        if !self.follows_values || !self.ahead.is_branched_to(serial) {
            return;
        }
        self.hand_on(params);
        self.values.truncate(self.height.saturating_sub(params));
        self.carry_to(serial);
        self.deferred.begin_loop();
        let began = self.deferred.here();
        let mut aliases = Vec::new();
        for index in 0..self.look_at(serial) {
            let local = self.ahead.joined(serial)[index];
            let mut value = self.local_value(local);
            // It may be that all that is set goes elsewhere.
            value.node = self.deferred.alias(value.node);
            self.locals.know(local, value, began);
            aliases.push((local, value.node));
        }
        self.joins.loops.push(Loop {
            serial,
            began,
            aliases,
        });
    }

    /// The loop with this number ends.
    pub(super) fn end_loop(&mut self, serial: u64) {
        let ended = self.joins.loops.pop_if(|open| open.serial == serial);
        if let Some(ended) = ended {
            let aliases = ended.aliases.iter().map(|(_, alias)| *alias);
            self.deferred.end_loop(self.at.blocks, aliases);
        }
    }

    /// A condition began.
    pub(super) fn begin_condition(&mut self) {
        let Some(serial) = self.last_serial() else {
            return;
        };
        self.carry_to(serial);
        let before = self.values_of_joined(serial);
        let (is_passed, began) = (self.is_reachable, self.deferred.here());
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        // As many are looked at as a branch would take along.
        let params = frame.params.min(self.handed_left);
        self.handed_left -= params;
        let lowest = self.height.saturating_sub(params);
        let params = (lowest..self.height).map(|place| self.values.get(place));
        frame.join.params = params.collect();
        frame.join.before = before;
        frame.join.began = began;
        frame.join.is_passed = is_passed;
    }

    /// The first arm of a condition ends, and another begins.
    pub(super) fn other_arm(&mut self) {
        let Some(serial) = self.last_serial() else {
            return;
        };
        self.join(self.frames.len() - 1);
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        self.is_reachable = std::mem::take(&mut frame.join.is_passed);
        let before = std::mem::take(&mut frame.join.before);
        let (params, began) = (std::mem::take(&mut frame.join.params), frame.join.began);
        let missing = frame.params.saturating_sub(params.len() as u64);
        let lowest = frame.height + missing;
        for (index, value) in before.into_iter().enumerate() {
            self.learn(self.ahead.joined(serial)[index], value, began);
        }
        self.values.truncate(lowest);
        for (place, value) in (lowest..).zip(params) {
            self.values.push(place, value);
        }
    }

    /// The frame has ended.
    pub(super) fn joined(&mut self, mut frame: Frame) {
        if !self.follows_values || frame.kind == FrameKind::Loop {
            return;
        }
        let join = &mut frame.join;
        if join.is_passed {
            let before = std::mem::take(&mut join.before);
            join.bring(&before);
        }
        self.is_reachable |= join.ways > 0;
        let here = self.deferred.here();
        for (index, brought) in join.brought.iter().enumerate() {
            let mut value = match *brought {
                Brought::Nothing => continue,
                Brought::One(value) => {
                    if join.is_unsure {
                        self.joins.arguments.add(join);
                    }
                    value
                }
                Brought::Different => {
                    self.joins.arguments.add(join);
                    Value::default()
                }
            };
            if value.node == Node::default() {
                value.node = self.deferred.opaque(here);
            } else if join.is_unsure {
                value.node = self.deferred.alias(value.node);
            }
            self.learn(self.ahead.joined(frame.serial)[index], value, here);
        }
    }

    /// Control goes from here to where this frame ends, or begins again if it is a loop.
    pub(super) fn join(&mut self, index: usize) {
        let Some(frame) = self.frames.get(index) else {
            return;
        };
        if !self.follows_values || !self.is_reachable {
            return;
        }
        let (serial, kind) = (frame.serial, frame.kind);
        self.carry_to(serial);
        if kind == FrameKind::Loop {
            self.begin_again(serial);
            return;
        }
        let values = self.values_of_joined(serial);
        for value in &values {
            self.deferred.hand_on(value.node);
        }
        self.frames[index].join.bring(&values);
    }

    /// A conditional branch leads to where this frame ends, or begins again if it is a loop.
    pub(super) fn exit(&mut self, index: usize) {
        let Some(frame) = self.frames.get_mut(index) else {
            return;
        };
        frame.exits += 1;
        let serial = frame.serial;
        self.at.exits += 1;
        self.at.open_exits += 1;
        let loops = &self.joins.loops;
        let loops = loops.partition_point(|open| open.serial <= serial);
        self.deferred.exit(loops);
    }

    /// Whether a loop began after this spot that is branched to.
    pub(super) fn loops_since(&self, spot: Spot) -> bool {
        let innermost = self.joins.loops.last();
        innermost.is_some_and(|open| open.began.is_in_block_after(spot))
    }

    /// A local is set to this value.
    pub(super) fn set_local(&mut self, local: u32, value: Value) {
        self.learn(local, value, self.deferred.here());
    }

    /// What is known of the value of a local.
    pub(super) fn local_value(&mut self, local: u32) -> Value {
        if !self.follows_values {
            return Value::default();
        }
        let (mut value, spot) = self.locals.value(local);
        if !self.deferred.dominates(spot) {
            value = Value::default();
            self.locals.know(local, value, self.deferred.here());
        }
        if value.node == Node::default() {
            let (_, spot) = self.locals.value(local);
            value.node = self.deferred.opaque(spot);
            self.locals.know(local, value, spot);
        }
        value
    }

    /// A function is called, from which control may go to the handlers of exceptions around.
    pub(super) fn carry_to_handlers(&mut self) {
        for index in 0..self.tries.len() {
            for handler in 0..self.tries[index].len() {
                if !self.joins.look_at(1) {
                    return;
                }
                let handler = self.tries[index][handler];
                if let Some(frame) = self.frames.get_mut(handler) {
                    frame.join.calls += 1;
                    let serial = frame.serial;
                    self.carry_to(serial);
                }
            }
        }
    }

    fn learn(&mut self, local: u32, value: Value, spot: Spot) {
        self.locals.know(local, value, spot);
        if self.deferred.is_heavy(value.node) && !self.locals.mark(local, true) {
            self.joins.heavy.push(local);
        }
    }

    fn last_serial(&self) -> Option<u64> {
        let frame = self.frames.last()?;
        self.follows_values.then_some(frame.serial)
    }

    /// How many locals of which values join at this frame are looked at now.
    fn look_at(&mut self, serial: u64) -> usize {
        let joined = self.ahead.joined(serial).len();
        if self.joins.look_at(joined) {
            joined
        } else {
            0
        }
    }

    /// The current values of the locals that join at this frame.
    fn values_of_joined(&mut self, serial: u64) -> Vec<Value> {
        (0..self.look_at(serial))
            .map(|index| {
                let local = self.ahead.joined(serial)[index];
                self.locals.join(local, self.at);
                self.local_value(local)
            })
            .collect()
    }

    /// Control goes back to where a loop begins.
    fn begin_again(&mut self, serial: u64) {
        let found = self
            .joins
            .loops
            .binary_search_by_key(&serial, |open| open.serial);
        let Ok(found) = found else { return };
        let began = self.joins.loops[found].began;
        let mut aliases = std::mem::take(&mut self.joins.loops[found].aliases);
        if !self.joins.look_at(aliases.len()) {
            return;
        }
        aliases.retain(|&(local, alias)| {
            let is_alias = self.local_value(local).node == alias;
            if !is_alias {
                self.deferred.detach(alias, began);
            }
            is_alias
        });
        self.joins.loops[found].aliases = aliases;
    }

    /// Control goes from here to where this frame is branched to, and takes the values of locals along which other
    /// control may have set.
    fn carry_to(&mut self, serial: u64) {
        if !self.follows_values || self.joins.heavy.is_empty() {
            return;
        }
        let mut index = 0;
        while let Some(&local) = self.joins.heavy.get(index) {
            if !self.joins.look_at(1) {
                break;
            }
            let (value, _) = self.locals.value(local);
            if !self.deferred.is_heavy(value.node) {
                self.locals.mark(local, false);
                self.joins.heavy.swap_remove(index);
                continue;
            }
            index += 1;
            if self.ahead.joins(local, serial) {
                self.joins.carried.push(value.node);
            }
        }
        if !self.joins.carried.is_empty() {
            self.deferred.carry(&self.joins.carried);
            self.joins.carried.clear();
        }
    }
}

impl Arguments {
    /// Control brings different values of a local there.
    fn add(&mut self, join: &Join) {
        self.branches += join.ways;
        self.squares += join.ways.saturating_mul(join.ways);
        self.calls += join.calls;
    }
}

impl Join {
    /// A branch brings these values.
    fn bring(&mut self, values: &[Value]) {
        self.ways += 1;
        self.brought.resize(values.len(), Brought::Nothing);
        for (brought, value) in self.brought.iter_mut().zip(values) {
            *brought = match *brought {
                Brought::Nothing => Brought::One(*value),
                Brought::One(before) if before == *value => Brought::One(before),
                Brought::One(_) | Brought::Different => Brought::Different,
            };
        }
    }
}
