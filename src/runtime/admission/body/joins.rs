//! Values where control flow joins.

use super::super::deferred::Spot;
use super::super::values::Value;
use super::{Bodies, Node};

/// The loops that are open and branched to, and the locals whose values may have to be computed where control joins.
#[derive(Default)]
pub(super) struct Joins {
    /// The outermost first, each with its number and the spot with which it begins.
    loops: Vec<(u64, Spot)>,
    /// Locals whose values take more than a few instructions to compute, and maybe some that did.
    heavy: Vec<u32>,
    /// Their values, at one branch.
    carried: Vec<Node>,
    /// How many more pairs of such a local and a branch are looked at in this module.
    pairs_left: u64,
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
    }

    /// The loop with this number ends.
    pub fn end_loop(&mut self, serial: u64) {
        self.loops.pop_if(|(open, _)| *open == serial);
    }
}

impl Bodies {
    /// A loop began, with so many parameters.
    pub(super) fn begin_loop(&mut self, params: u64) {
        let serial = self.at.frames - 1;
        if self.follows_values && self.ahead.is_branched_to(serial) {
            self.hand_on(params);
            self.values.truncate(self.height.saturating_sub(params));
            self.joins.loops.push((serial, self.deferred.here()));
        }
    }

    /// Whether a loop began after this spot that is branched to.
    pub(super) fn loops_since(&self, spot: Spot) -> bool {
        let innermost = self.joins.loops.last();
        innermost.is_some_and(|(_, began)| began.is_in_block_after(spot))
    }

    /// A local is set to this value.
    pub(super) fn set_local(&mut self, local: u32, value: Value) {
        self.locals.know(local, value, self.deferred.here());
        if self.deferred.is_heavy(value.node) && !self.locals.mark(local, true) {
            self.joins.heavy.push(local);
        }
    }

    /// What is known of the value of a local.
    pub(super) fn local_value(&mut self, local: u32) -> Value {
        if !self.follows_values {
            return Value::default();
        }
        let (mut value, mut spot) = self.locals.value(local);
        // A loop that comes back has another value where it begins, if it sets the local anywhere.
        let loops = self.joins.loops.partition_point(|(serial, began)| {
            !began.is_in_block_after(spot) || self.ahead.joins(local, *serial)
        });
        let loops = self.joins.loops[..loops].last();
        let began = loops.filter(|(_, began)| began.is_in_block_after(spot));
        let began = began.map(|(_, began)| *began);
        let is_joined = !self.deferred.dominates(spot);
        if is_joined || began.is_some() {
            // A value comes from each side, and was needed there.
            self.need_at(value.node, spot);
            spot = began.unwrap_or(self.deferred.here());
            value.node = Node::default();
        }
        if value.node == Node::default() {
            value.node = self.deferred.opaque();
            self.locals.know(local, value, spot);
        }
        value
    }

    /// Control goes from here to where the frame ends, or a loop begins, and takes the values of locals along which
    /// other control may have set.
    pub(super) fn carry_to(&mut self, frame: usize) {
        if !self.follows_values || self.joins.heavy.is_empty() {
            return;
        }
        let Some(frame) = self.frames.get(frame) else {
            return;
        };
        let serial = frame.serial;
        let mut index = 0;
        while let Some(&local) = self.joins.heavy.get(index) {
            if self.joins.pairs_left == 0 {
                // Each would take some time, if not as much.
                self.counts.moved += (self.joins.heavy.len() - index) as u64;
                return;
            }
            self.joins.pairs_left -= 1;
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

    /// A function is called, from which control may go to the handlers of exceptions around.
    pub(super) fn carry_to_handlers(&mut self) {
        if let Some(handler) = self.frames.last().and_then(|frame| frame.handler) {
            self.carry_to(handler);
        }
    }
}
