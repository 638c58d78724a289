//! Where the locals of a function live, for what the compiler pays to carry them from block to block.

use super::deferred::Spot;
use super::values::Value;

/// Lists of up to so many locals are kept to be used again.
const SHORT: usize = 1 << 10;

/// A place in a function.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    /// How many blocks the compiler has begun.
    pub blocks: u64,
    /// How many loops have begun.
    pub loops: u64,
    /// How many frames have begun, for loops, blocks and conditions.
    pub frames: u64,
    /// How deep frames are nested.
    pub depth: u64,
    /// How many values instructions with effects have left.
    pub results: u64,
    /// How many conditional branches lead out of a frame, and how many of them out of one that has not ended.
    pub exits: u64,
    pub open_exits: u64,
}

/// How a local was last accessed.
#[derive(Clone, Copy, Default)]
struct Local {
    /// In which function. What is left of earlier functions need not be cleared then.
    function: u64,
    last: Place,
    /// How many loops had begun when it was last set; `None` if it never was.
    set: Option<u64>,
    /// What it was last set to, and where.
    value: Value,
    spot: Spot,
    /// Whether it is in a list of the caller's.
    is_marked: bool,
}

/// What the compiler does for the locals of a function.
///
/// A compiler that makes static single assignments looks a value up in one block after another, from
/// where it is used back to where it was set, and wherever control flow joins it makes a parameter of
/// the block. It is counted how many pairs of a local and a block it looks at.
#[derive(Default)]
pub(super) struct Locals {
    locals: Vec<Local>,
    function: u64,
    /// Pairs of a local and a block that its value is carried through.
    pub block_pairs: u64,
    /// Pairs of a local and a loop that its value is carried through.
    pub loop_pairs: u64,
    /// Pairs of a local and a block where different values of it join.
    pub joins: u64,
    /// Pairs of a local and a value that is left while it is kept.
    pub kept_pairs: u64,
    /// Pairs of a local and a branch to where it is not kept, while it is.
    pub exit_pairs: u64,
    /// How many more pairs of a local and a loop are looked at in this module. Each takes a step, and
    /// there can be as many as the square of the module's size.
    pairs_left: u64,
    /// The locals that were accessed.
    accessed: Vec<u32>,
    /// The loops that have not ended, the outermost one first.
    open: Vec<OpenLoop>,
    /// Lists that are not used, to be used again.
    free: Vec<Vec<Carried>>,
}

/// A loop that has not ended.
struct OpenLoop {
    /// Where it began.
    began: Place,
    /// The locals that it carries round, except for those that are in the list of a loop inside of it.
    carried: Vec<Carried>,
}

/// A local that had its value before a loop, and is read in it.
#[derive(Clone, Copy)]
struct Carried {
    local: u32,
    /// How many frames had begun when it was accessed before. Every loop that began later carries it.
    since: u64,
}

impl Locals {
    /// For a module in which so many pairs of a local and a loop are looked at. Beyond that, locals are
    /// not looked at any more.
    pub fn new(pairs: u64) -> Self {
        Self {
            pairs_left: pairs,
            ..Self::default()
        }
    }

    /// Begins with another function.
    pub fn clear(&mut self) {
        self.function += 1;
        self.block_pairs = 0;
        self.loop_pairs = 0;
        self.joins = 0;
        self.kept_pairs = 0;
        self.exit_pairs = 0;
        self.accessed.clear();
        while let Some(open) = self.open.pop() {
            self.give_back(open.carried);
        }
    }

    /// What the local was last set to, and where.
    pub fn value(&mut self, index: u32) -> (Value, Spot) {
        let local = self.local(index);
        (local.value, local.spot)
    }

    /// From this spot on, this is known of the local's value.
    pub fn know(&mut self, index: u32, value: Value, spot: Spot) {
        let local = self.local(index);
        (local.value, local.spot) = (value, spot);
    }

    /// Marks the local, or takes its mark away. Returns whether it had one.
    pub fn mark(&mut self, index: u32, is_marked: bool) -> bool {
        std::mem::replace(&mut self.local(index).is_marked, is_marked)
    }

    /// The local is set. `index` is below 51,000.
    pub fn set(&mut self, index: u32, at: Place) {
        if self.pairs_left == 0 {
            return;
        }
        let local = self.local(index);
        local.last = at;
        local.set = Some(at.loops);
    }

    /// Control joins other control that may bring another value of the local.
    pub fn join(&mut self, index: u32, at: Place) {
        self.look_up(index, at);
    }

    /// The local is read. `open_since` tells how many of the frames that are open had begun when there
    /// had been so many.
    pub fn get(&mut self, index: u32, at: Place, open_since: impl FnOnce(u64) -> u64) {
        if self.pairs_left == 0 {
            return;
        }
        let local = *self.local(index);
        self.look_up(index, at);
        if local.set.is_some() {
            let still_open = open_since(local.last.frames);
            self.joins += local.last.depth.saturating_sub(still_open);
        }
        // Every loop that began since has to carry it round. It is put into the list of the innermost one,
        // which hands it on when it ends: in a list for each, there would be far more entries than the
        // module has bytes.
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

    /// A loop begins.
    pub fn begin_loop(&mut self, began: Place) {
        let carried = self.free.pop().unwrap_or_default();
        self.open.push(OpenLoop { began, carried });
    }

    /// The innermost loop ends, where all that it carries round is needed.
    pub fn end_loop(&mut self, at: Place) {
        let Some(OpenLoop { began, mut carried }) = self.open.pop() else {
            return;
        };
        if self.pairs_left == 0 {
            return;
        }
        for &Carried { local, .. } in &carried {
            if self.local(local).set.is_some_and(|set| set >= began.loops) {
                self.joins += 1;
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
        self.give_back(carried);
    }

    /// The sum, over all locals, of how many blocks had begun when each was last accessed: the compiler
    /// keeps a table of so many entries.
    pub fn reach(&self) -> u64 {
        let last = |&index: &u32| self.locals[index as usize].last.blocks;
        self.accessed.iter().map(last).sum()
    }

    fn look_up(&mut self, index: u32, at: Place) {
        let local = self.local(index);
        let blocks = at.blocks.saturating_sub(local.last.blocks);
        let loops = at.loops.saturating_sub(local.last.loops);
        let results = at.results.saturating_sub(local.last.results);
        let exits = at.exits.saturating_sub(local.last.exits);
        local.last = at;
        self.exit_pairs += exits.min(at.open_exits);
        self.kept_pairs += results;
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

    fn give_back(&mut self, mut list: Vec<Carried>) {
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

    /// The same, pair by pair: each loop that is open has a list of all that it carries.
    #[derive(Default)]
    struct PairByPair {
        locals: [Local; 4],
        open: Vec<(Place, Vec<usize>)>,
        block_pairs: u64,
        loop_pairs: u64,
        joins: u64,
    }

    impl PairByPair {
        fn get(&mut self, index: usize, at: Place, still_open: u64) {
            let local = self.locals[index];
            self.look_up(index, at);
            if local.set.is_some() {
                self.joins += local.last.depth.saturating_sub(still_open);
            }
            for (began, carried) in &mut self.open {
                if began.frames > local.last.frames {
                    carried.push(index);
                    self.loop_pairs += 1;
                }
            }
        }

        fn end_loop(&mut self, at: Place) {
            let Some((began, carried)) = self.open.pop() else {
                return;
            };
            for index in carried {
                let set = self.locals[index].set;
                self.joins += u64::from(set.is_some_and(|set| set >= began.loops));
                self.look_up(index, at);
            }
        }

        fn look_up(&mut self, index: usize, at: Place) {
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
            let mut at = Place::default();
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
                (locals.block_pairs, locals.loop_pairs, locals.joins),
                (model.block_pairs, model.loop_pairs, model.joins)
            );
        }
    }
}
