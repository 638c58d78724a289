//! The cost of passing the values of locals from block to block.

use super::deferred::ProgramPoint;
use super::values::Value;

/// Lists with at most this capacity are kept for reuse.
const SHORT: usize = 1 << 10;

/// Counters at a position in a function. Differences between two positions give numbers of pairs.
///
/// `results`, `exits` and `open_exits` are copies of counters of [`Deferred`](super::deferred::Deferred), which
/// owns them. They are part of the position so that `Locals` can compute differences without access to `Deferred`.
#[derive(Clone, Copy, Default)]
pub(super) struct Position {
    /// The number of blocks that the compiler has begun.
    pub blocks: u64,
    /// The number of loops that have begun.
    pub loops: u64,
    /// The number of frames that have begun: loops, blocks and conditions.
    pub frames: u64,
    /// The nesting depth of frames.
    pub depth: u64,
    /// The number of results of instructions with side effects.
    pub results: u64,
    /// The number of conditional branches, and of those among them whose target frame has not ended.
    pub exits: u64,
    pub open_exits: u64,
}

/// The last access to a local.
#[derive(Clone, Copy, Default)]
struct Local {
    /// The serial number of the function with the access. An entry of an earlier function is out of date, and need
    /// not be cleared.
    function: u64,
    last: Position,
    /// The number of loops that had begun when the local was last set; `None` if it was never set.
    set: Option<u64>,
    /// The value that was last set, and the position of the assignment.
    value: Value,
    point: ProgramPoint,
    /// Whether the caller has the local in its list of heavy locals.
    is_listed: bool,
}

/// Counters of the compiler's work for the locals of a function.
///
/// A compiler with static single assignment looks up a value in one block after another, from its use back to its
/// definition, and adds a block parameter at each merge point. The counters are the numbers of pairs of a local and
/// a block that it visits.
#[derive(Default)]
pub(super) struct Locals {
    locals: Vec<Local>,
    function: u64,
    /// Pairs of a local and a block through which its value is passed.
    pub block_pairs: u64,
    /// Pairs of a local and a loop that carries its value.
    pub loop_pairs: u64,
    /// Pairs of a local and a merge point where it has a block parameter.
    pub block_params: u64,
    /// Pairs of a local and a result of an instruction with side effects while the local is live.
    pub result_pairs: u64,
    /// Pairs of a live local and a branch to a frame where it is not live.
    pub exit_pairs: u64,
    /// The number of pairs of a local and a loop that may still be analysed in this module. Each takes a step, and
    /// their number can be the square of the module's size.
    pub pairs_left: u64,
    /// The locals that were accessed.
    accessed: Vec<u32>,
    /// The loops that have not ended, outermost first.
    open: Vec<OpenLoop>,
    /// Unused lists, for reuse.
    free: Vec<Vec<Carried>>,
}

/// A loop that has not ended.
struct OpenLoop {
    /// The position of its start.
    began: Position,
    /// The locals that it carries, except for those in the list of an inner loop.
    carried: Vec<Carried>,
}

/// A local that is assigned before a loop and read in it.
#[derive(Clone, Copy)]
struct Carried {
    local: u32,
    /// The number of frames that had begun at the previous access. Every loop that began later carries the local.
    since: u64,
}

impl Locals {
    /// Makes the state for a module in which at most `pairs` pairs of a local and a loop are analysed.
    pub(super) fn new(pairs: u64) -> Self {
        Self {
            pairs_left: pairs,
            ..Self::default()
        }
    }

    /// Resets the state for the next function.
    pub(super) fn clear(&mut self) {
        self.function += 1;
        self.block_pairs = 0;
        self.loop_pairs = 0;
        self.block_params = 0;
        self.result_pairs = 0;
        self.exit_pairs = 0;
        self.accessed.clear();
        while let Some(open) = self.open.pop() {
            self.recycle(open.carried);
        }
    }

    /// Returns the value that was last set, and the position of the assignment.
    pub(super) fn value(&mut self, index: u32) -> (Value, ProgramPoint) {
        let local = self.local(index);
        (local.value, local.point)
    }

    /// Sets the known value of the local, which holds from `point` on.
    pub(super) fn set_value(&mut self, index: u32, value: Value, point: ProgramPoint) {
        let local = self.local(index);
        (local.value, local.point) = (value, point);
    }

    /// Sets whether the local is in the caller's list. Returns the previous setting.
    pub(super) fn set_listed(&mut self, index: u32, is_listed: bool) -> bool {
        std::mem::replace(&mut self.local(index).is_listed, is_listed)
    }

    /// Records an assignment to the local. `index` is below 51,000.
    pub(super) fn set(&mut self, index: u32, at: Position) {
        if self.pairs_left == 0 {
            return;
        }
        let local = self.local(index);
        local.last = at;
        local.set = Some(at.loops);
    }

    /// Records a use at a merge point: a branch passes the local's value.
    pub(super) fn use_at_merge(&mut self, index: u32, at: Position) {
        self.look_up(index, at);
    }

    /// Records a read of the local. `open_since(n)` returns the number of open frames among the first `n` frames
    /// that began.
    pub(super) fn get(&mut self, index: u32, at: Position, open_since: impl FnOnce(u64) -> u64) {
        if self.pairs_left == 0 {
            return;
        }
        let local = *self.local(index);
        self.look_up(index, at);
        if local.set.is_some() {
            let still_open = open_since(local.last.frames);
            self.block_params += local.last.depth.saturating_sub(still_open);
        }
        // Every loop that began since the last access has to carry the local. The entry is added to the list of the
        // innermost loop only, which passes it to the outer loop when it ends. With an entry in the list of every
        // loop there would be far more entries than the module has bytes.
        let since = local.last.frames;
        let before = self.open.partition_point(|open| open.began.frames <= since);
        let loops = (self.open.len() - before) as u64;
        self.loop_pairs += loops;
        self.pairs_left = self.pairs_left.saturating_sub(loops);
        if loops > 0
            && let Some(innermost) = self.open.last_mut()
        {
            let local = index;
            innermost.carried.push(Carried { local, since });
        }
    }

    /// Begins a loop.
    pub(super) fn begin_loop(&mut self, began: Position) {
        let carried = self.free.pop().unwrap_or_default();
        self.open.push(OpenLoop { began, carried });
    }

    /// Ends the innermost loop. Each local that it carries is used at the branch back.
    pub(super) fn end_loop(&mut self, at: Position) {
        let Some(OpenLoop { began, mut carried }) = self.open.pop() else {
            return;
        };
        if self.pairs_left == 0 {
            return;
        }
        for &Carried { local, .. } in &carried {
            if self.local(local).set.is_some_and(|set| set >= began.loops) {
                self.block_params += 1;
            }
            self.look_up(local, at);
        }
        if let Some(outer) = self.open.last_mut() {
            carried.retain(|carried| outer.began.frames > carried.since);
            if carried.len() > outer.carried.len() {
                std::mem::swap(&mut carried, &mut outer.carried);
            }
            outer.carried.append(&mut carried);
        }
        self.recycle(carried);
    }

    /// Returns the sum, over all locals, of the number of blocks that had begun at the last access. The compiler
    /// keeps a table with this number of entries.
    pub(super) fn table_entries(&self) -> u64 {
        let last = |&index: &u32| self.locals[index as usize].last.blocks;
        self.accessed.iter().map(last).sum()
    }

    fn look_up(&mut self, index: u32, at: Position) {
        let local = self.local(index);
        let blocks = at.blocks.saturating_sub(local.last.blocks);
        let loops = at.loops.saturating_sub(local.last.loops);
        let results = at.results.saturating_sub(local.last.results);
        let exits = at.exits.saturating_sub(local.last.exits);
        local.last = at;
        self.exit_pairs += exits.min(at.open_exits);
        self.result_pairs += results;
        self.block_pairs += blocks;
        self.loop_pairs += loops;
    }

    fn local(&mut self, number: u32) -> &mut Local {
        let index = number as usize;
        if index >= self.locals.len() {
            self.locals.resize(index + 1, Local::default());
        }
        let local = &mut self.locals[index];
        if local.function != self.function {
            *local = Local {
                function: self.function,
                ..Local::default()
            };
            self.accessed.push(number);
        }
        local
    }

    fn recycle(&mut self, mut list: Vec<Carried>) {
        list.clear();
        if list.capacity() <= SHORT {
            self.free.push(list);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A reference model that counts pair by pair: each open loop has a list of all locals that it carries.
    #[derive(Default)]
    struct PairByPair {
        locals: [Local; 4],
        open: Vec<(Position, Vec<usize>)>,
        block_pairs: u64,
        loop_pairs: u64,
        block_params: u64,
    }

    impl PairByPair {
        fn get(&mut self, index: usize, at: Position, still_open: u64) {
            let local = self.locals[index];
            self.look_up(index, at);
            if local.set.is_some() {
                self.block_params += local.last.depth.saturating_sub(still_open);
            }
            for (began, carried) in &mut self.open {
                if began.frames > local.last.frames {
                    carried.push(index);
                    self.loop_pairs += 1;
                }
            }
        }

        fn end_loop(&mut self, at: Position) {
            let Some((began, carried)) = self.open.pop() else {
                return;
            };
            for index in carried {
                let set = self.locals[index].set;
                self.block_params += u64::from(set.is_some_and(|set| set >= began.loops));
                self.look_up(index, at);
            }
        }

        fn look_up(&mut self, index: usize, at: Position) {
            let local = &mut self.locals[index];
            self.block_pairs += at.blocks - local.last.blocks;
            self.loop_pairs += at.loops - local.last.loops;
            local.last = at;
        }
    }

    proptest! {
        #[test]
        fn pairs_are_counted_as_if_one_by_one(
            steps in proptest::collection::vec((0..5_usize, 0..4_u32, 0..3_u64), 0..200),
        ) {
            let (mut locals, mut model) = (Locals::new(u64::MAX), PairByPair::default());
            locals.clear();
            let mut at = Position::default();
            for (step, index, blocks) in steps {
                at.blocks += blocks;
                let still_open = at.depth / 2;
                match step {
                    0 => {
                        at.loops += 1;
                        at.frames += 1;
                        at.depth += 1;
                        locals.begin_loop(at);
                        model.open.push((at, Vec::new()));
                    }
                    1 => {
                        at.depth = at.depth.saturating_sub(1);
                        locals.end_loop(at);
                        model.end_loop(at);
                    }
                    2 => {
                        locals.set(index, at);
                        let local = &mut model.locals[index as usize];
                        (local.last, local.set) = (at, Some(at.loops));
                    }
                    _ => {
                        locals.get(index, at, |_| still_open);
                        model.get(index as usize, at, still_open);
                    }
                }
            }
            prop_assert_eq!(
                (locals.block_pairs, locals.loop_pairs, locals.block_params),
                (model.block_pairs, model.loop_pairs, model.block_params)
            );
        }
    }
}
