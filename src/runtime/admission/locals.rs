//! Where the locals of a function live, for what the compiler pays to carry them from block to block.

use super::sums::Value;

/// The most lookups of locals that are counted for one function. No limit lets through half as many.
const ENOUGH: u64 = 1 << 32;

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
}

/// How a local was last accessed.
#[derive(Clone, Copy, Default)]
struct Local {
    /// In which function. What is left of earlier functions need not be cleared then.
    function: u64,
    last: Place,
    /// How many loops had begun when it was last set; `None` if it never was.
    set: Option<u64>,
    /// What it was last set to.
    value: Value,
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
    /// The locals that were accessed.
    accessed: Vec<u32>,
    /// The loops that have not ended: where each began, and the locals that had their values before it.
    open: Vec<(Place, Vec<u32>)>,
    /// Lists that are not used, to be used again.
    free: Vec<Vec<u32>>,
}

impl Locals {
    /// Begins with another function.
    pub fn clear(&mut self) {
        self.function += 1;
        self.block_pairs = 0;
        self.loop_pairs = 0;
        self.joins = 0;
        self.accessed.clear();
        while let Some((_, list)) = self.open.pop() {
            self.give_back(list);
        }
    }

    /// What the local was last set to.
    pub fn value(&mut self, index: u32) -> Value {
        self.local(index).value
    }

    /// The local is set. `index` is below 51,000.
    pub fn set(&mut self, index: u32, at: Place, value: Value) {
        let local = self.local(index);
        local.value = value;
        local.last = at;
        local.set = Some(at.loops);
    }

    /// The local is read. `open_since` tells how many of the frames that are open had begun when there
    /// had been so many.
    pub fn get(&mut self, index: u32, at: Place, open_since: impl FnOnce(u64) -> u64) {
        let local = *self.local(index);
        self.look_up(index, at);
        if local.set.is_some() {
            let still_open = open_since(local.last.frames);
            self.joins += local.last.depth.saturating_sub(still_open);
        }
        // Every loop that began since has to carry it round.
        for (began, carried) in self.open.iter_mut().rev() {
            if began.frames <= local.last.frames {
                break;
            }
            carried.push(index);
            self.loop_pairs += 1;
        }
    }

    /// A loop begins.
    pub fn begin_loop(&mut self, at: Place) {
        let list = self.free.pop().unwrap_or_default();
        self.open.push((at, list));
    }

    /// The innermost loop ends, where all that it carries round is needed.
    pub fn end_loop(&mut self, at: Place) {
        let Some((began, carried)) = self.open.pop() else {
            return;
        };
        for &index in &carried {
            if self.local(index).set.is_some_and(|set| set >= began.loops) {
                self.joins += 1;
            }
            self.look_up(index, at);
        }
        self.give_back(carried);
    }

    /// The sum, over all locals, of how many blocks had begun when each was last accessed: the compiler
    /// keeps a table of so many entries.
    pub fn reach(&self) -> u64 {
        let last = |&index: &u32| self.locals[index as usize].last.blocks;
        self.accessed.iter().map(last).sum()
    }

    /// Whether so much was counted that counting the rest makes no difference.
    pub fn are_enough(&self) -> bool {
        self.block_pairs + self.loop_pairs + self.joins > ENOUGH
    }

    fn look_up(&mut self, index: u32, at: Place) {
        let local = self.local(index);
        let blocks = at.blocks.saturating_sub(local.last.blocks);
        let loops = at.loops.saturating_sub(local.last.loops);
        local.last = at;
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

    fn give_back(&mut self, mut list: Vec<u32>) {
        list.clear();
        self.free.push(list);
    }
}
