//! The backward walk, which finds the locals that are read later.

use std::collections::HashMap;

use super::set::LocalSet;
use super::{BudgetExceeded, Event, Kind, Liveness, MAX_WORDS};

/// An open frame of the backward walk.
struct Frame {
    number: u32,
    /// The locals that are live at the frame's label.
    live_at_label: LocalSet,
    /// The locals whose assignment in the frame may reach its label. For a loop, only assignments before a branch
    /// back count.
    reaching: LocalSet,
    /// The locals that are assigned in the frame and its inner frames.
    assigned: LocalSet,
    /// For an `if` with an `else` arm: the locals that are live at the start of that arm.
    else_arm: Option<LocalSet>,
    /// The locals that are live at the handlers around the frame.
    handlers: Option<LocalSet>,
    /// The index in the open frames of the innermost loop around it that has a branch back.
    outer_loop: Option<usize>,
    /// For a loop with a branch back: a number above those of locals. It is in the set of live locals where control
    /// may branch back to the loop.
    repeat_bit: Option<u32>,
}

impl Liveness {
    /// Walks over the events backwards. `live_at_loops` holds the live locals at the start of each loop. The first
    /// walk fills it; the last walk (`lists_merges`) lists the merged locals.
    pub(super) fn walk_backwards(
        &mut self,
        events: &[Event],
        live_at_loops: &mut HashMap<u32, LocalSet>,
        lists_merges: bool,
    ) -> Result<(), BudgetExceeded> {
        // Besides locals, the sets contain a number for each open loop with a branch back.
        let words = (self.locals.len() + self.deepest).div_ceil(64);
        let mut live = LocalSet::default();
        let mut frames: Vec<Frame> = Vec::new();
        for event in events.iter().rev() {
            match *event {
                Event::Get(local) => live.insert(local),
                Event::Set(local) => {
                    live.remove(local);
                    let mut place = frames.len().checked_sub(1);
                    if let Some(frame) = frames.last_mut() {
                        frame.assigned.insert(local);
                    }
                    while let Some(index) = place {
                        self.spend(1)?;
                        let frame = &mut frames[index];
                        if frame
                            .repeat_bit
                            .is_some_and(|repeat_bit| live.contains(repeat_bit))
                        {
                            frame.reaching.insert(local);
                        }
                        place = frame.outer_loop;
                    }
                }
                Event::Stop => live.clear(),
                Event::Branch(target) => {
                    self.spend(words)?;
                    if let Some(target) = find(&frames, target) {
                        live.add(&frames[target].live_at_label);
                        if let Some(repeat_bit) = frames[target].repeat_bit {
                            live.insert(repeat_bit);
                        }
                    }
                }
                Event::Call => {
                    self.spend(words)?;
                    if let Some(handlers) = frames.last().and_then(|it| it.handlers.as_ref()) {
                        live.add(handlers);
                    }
                }
                Event::Else => {
                    self.spend(words)?;
                    if let Some(frame) = frames.last_mut() {
                        frame.else_arm =
                            Some(std::mem::replace(&mut live, frame.live_at_label.clone()));
                    }
                }
                Event::End(number, kind) => {
                    // Each frame has up to five sets.
                    if (5 * frames.len() + live_at_loops.len()) * words > MAX_WORDS {
                        return Err(BudgetExceeded);
                    }
                    let handlers = self.handlers.get(&number).map_or(0, Vec::len);
                    self.spend((3 + handlers) * words)?;
                    let frame = self.end(&frames, number, kind, &live, live_at_loops);
                    frames.push(frame);
                }
                Event::Begin(number, kind) => {
                    self.spend(3 * words)?;
                    let Some(mut frame) = frames.pop() else {
                        continue;
                    };
                    let is_merge = kind == Kind::If || self.is_branched_to(u64::from(number));
                    if kind == Kind::If {
                        live.add(frame.else_arm.as_ref().unwrap_or(&frame.live_at_label));
                        if let Some(else_arm) = &frame.else_arm {
                            frame.live_at_label.add(else_arm);
                        }
                    }
                    if let Some(repeat_bit) = frame.repeat_bit {
                        live.remove(repeat_bit);
                    } else {
                        frame.reaching = frame.assigned.clone();
                    }
                    if kind == Kind::Loop && is_merge {
                        if !lists_merges {
                            live_at_loops.insert(number, live.clone());
                        }
                        live.add(&frame.live_at_label);
                        frame.live_at_label = live.clone();
                    }
                    if lists_merges && is_merge {
                        self.list(&frame)?;
                    }
                    if let Some(outer) = frames.last_mut() {
                        outer.assigned.add(&frame.assigned);
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns the state of a frame whose end has these live locals. The walk reaches the end first.
    fn end(
        &self,
        frames: &[Frame],
        number: u32,
        kind: Kind,
        live: &LocalSet,
        live_at_loops: &HashMap<u32, LocalSet>,
    ) -> Frame {
        let outer = frames.last();
        let mut handlers = outer.and_then(|frame| frame.handlers.clone());
        if kind == Kind::Try {
            let handlers = handlers.get_or_insert_default();
            for target in self.handlers.get(&number).into_iter().flatten() {
                if let Some(target) = find(frames, *target) {
                    handlers.add(&frames[target].live_at_label);
                    if let Some(repeat_bit) = frames[target].repeat_bit {
                        handlers.insert(repeat_bit);
                    }
                }
            }
        }
        let mut outer_loop = outer.and_then(|frame| frame.outer_loop);
        if outer.is_some_and(|frame| frame.repeat_bit.is_some()) {
            outer_loop = frames.len().checked_sub(1);
        }
        let live_at_label = match kind {
            Kind::Loop => {
                // After a branch back, control may leave the loop later and branch back to the loop around it.
                let mut live_at_label = live_at_loops.get(&number).cloned().unwrap_or_default();
                if let Some(outer_loop) = outer_loop {
                    live_at_label.add(&frames[outer_loop].live_at_label);
                }
                live_at_label
            }
            _ => live.clone(),
        };
        let begins_again = kind == Kind::Loop && self.is_branched_to(u64::from(number));
        let repeat_bit = begins_again.then(|| {
            let before = outer_loop.and_then(|outer_loop| frames[outer_loop].repeat_bit);
            before.map_or(self.locals.len() as u32, |before| before + 1)
        });
        Frame {
            number,
            live_at_label,
            reaching: LocalSet::default(),
            assigned: LocalSet::default(),
            repeat_bit,
            else_arm: None,
            handlers,
            outer_loop,
        }
    }

    /// Takes `words` processed set words from the budget.
    fn spend(&mut self, words: usize) -> Result<(), BudgetExceeded> {
        let left = self.word_steps_left.checked_sub(words as u64);
        self.word_steps_left = left.ok_or(BudgetExceeded)?;
        Ok(())
    }

    /// Lists the locals that are assigned in the frame and live at its label or its `else` arm.
    fn list(&mut self, frame: &Frame) -> Result<(), BudgetExceeded> {
        let from = self.merged_locals.len();
        // The last word may have bits of loops too. They are never assigned, so they are not in both sets.
        for (word, mut both) in frame
            .reaching
            .words_of_both(&frame.live_at_label)
            .enumerate()
        {
            let left = self.pairs_left.checked_sub(u64::from(both.count_ones()));
            self.pairs_left = left.ok_or(BudgetExceeded)?;
            while both != 0 {
                let local = word * 64 + both.trailing_zeros() as usize;
                self.merged_locals.push(self.locals[local]);
                both &= both - 1;
            }
        }
        self.merged_locals[from..].sort_unstable();
        self.spans[frame.number as usize].merged_range =
            (from as u32, self.merged_locals.len() as u32);
        Ok(())
    }
}

/// Returns the index of the open frame with this number.
fn find(frames: &[Frame], number: u32) -> Option<usize> {
    let found = frames.binary_search_by_key(&number, |frame| frame.number);
    found.ok()
}
