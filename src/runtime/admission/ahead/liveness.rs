//! Which locals are read later, found out by going through a body backwards.

use std::collections::HashMap;

use super::set::LocalSet;
use super::{Ahead, Event, Kind, MAX_WORDS, TooMuch};

/// A frame while it is gone through backwards.
struct Frame {
    number: u32,
    /// What is read after the branch to it.
    label: LocalSet,
    /// What is set in it; in a loop, only where control may come back to its beginning from there.
    set: LocalSet,
    /// What is set in it and in the frames in it.
    set_anywhere: LocalSet,
    /// Of a condition with another arm: what is read when that begins.
    other: Option<LocalSet>,
    /// What the handlers around it read.
    handlers: Option<LocalSet>,
    /// The innermost loop around it that begins again, by its place among the open frames.
    around: Option<usize>,
    /// Of a loop that begins again, the number after those of locals that stands for that it does, in what is read.
    again: Option<u32>,
}

impl Ahead {
    /// Goes through the events backwards. `starts` holds what is read from the beginning of each loop: the first time,
    /// it is filled, the last time, what joins is listed.
    pub(super) fn go_back(
        &mut self,
        events: &[Event],
        starts: &mut HashMap<u32, LocalSet>,
        is_last: bool,
    ) -> Result<(), TooMuch> {
        // Beside locals, loops are in the sets that begin again, each by its depth.
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
                        frame.set_anywhere.insert(local);
                    }
                    while let Some(index) = place {
                        self.spend(1)?;
                        let frame = &mut frames[index];
                        if frame.again.is_some_and(|again| live.contains(again)) {
                            frame.set.insert(local);
                        }
                        place = frame.around;
                    }
                }
                Event::Stop => live.clear(),
                Event::Branch(target) => {
                    self.spend(words)?;
                    if let Some(target) = find(&frames, target) {
                        live.add(&frames[target].label);
                        if let Some(again) = frames[target].again {
                            live.insert(again);
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
                        frame.other = Some(std::mem::replace(&mut live, frame.label.clone()));
                    }
                }
                Event::End(number, kind) => {
                    // Each frame has up to five sets.
                    if (5 * frames.len() + starts.len()) * words > MAX_WORDS {
                        return Err(TooMuch);
                    }
                    let handlers = self.handlers.get(&number).map_or(0, Vec::len);
                    self.spend((3 + handlers) * words)?;
                    let frame = self.end(&frames, number, kind, &live, starts);
                    frames.push(frame);
                }
                Event::Begin(number, kind) => {
                    self.spend(3 * words)?;
                    let Some(mut frame) = frames.pop() else {
                        continue;
                    };
                    let joins = kind == Kind::If || self.is_branched_to(u64::from(number));
                    if kind == Kind::If {
                        live.add(frame.other.as_ref().unwrap_or(&frame.label));
                        if let Some(other) = &frame.other {
                            frame.label.add(other);
                        }
                    }
                    if let Some(again) = frame.again {
                        live.remove(again);
                    } else {
                        frame.set = frame.set_anywhere.clone();
                    }
                    if kind == Kind::Loop && joins {
                        if !is_last {
                            starts.insert(number, live.clone());
                        }
                        live.add(&frame.label);
                        frame.label = live.clone();
                    }
                    if is_last && joins {
                        self.list(&frame)?;
                    }
                    if let Some(outer) = frames.last_mut() {
                        outer.set_anywhere.add(&frame.set_anywhere);
                    }
                }
            }
        }
        Ok(())
    }

    /// A frame that ends where these locals are read later, while going backwards.
    fn end(
        &self,
        frames: &[Frame],
        number: u32,
        kind: Kind,
        live: &LocalSet,
        starts: &HashMap<u32, LocalSet>,
    ) -> Frame {
        let outer = frames.last();
        let mut handlers = outer.and_then(|frame| frame.handlers.clone());
        if kind == Kind::Try {
            let handlers = handlers.get_or_insert_default();
            for target in self.handlers.get(&number).into_iter().flatten() {
                if let Some(target) = find(frames, *target) {
                    handlers.add(&frames[target].label);
                    if let Some(again) = frames[target].again {
                        handlers.insert(again);
                    }
                }
            }
        }
        let mut around = outer.and_then(|frame| frame.around);
        if outer.is_some_and(|frame| frame.again.is_some()) {
            around = frames.len().checked_sub(1);
        }
        let label = match kind {
            Kind::Loop => {
                // A loop that begins again may end later, and one around it begin again.
                let mut label = starts.get(&number).cloned().unwrap_or_default();
                if let Some(around) = around {
                    label.add(&frames[around].label);
                }
                label
            }
            _ => live.clone(),
        };
        let begins_again = kind == Kind::Loop && self.is_branched_to(u64::from(number));
        let again = begins_again.then(|| {
            let before = around.and_then(|around| frames[around].again);
            before.map_or(self.locals.len() as u32, |before| before + 1)
        });
        Frame {
            number,
            label,
            set: LocalSet::default(),
            set_anywhere: LocalSet::default(),
            again,
            other: None,
            handlers,
            around,
        }
    }

    /// Sets of so many words are gone through.
    fn spend(&mut self, words: usize) -> Result<(), TooMuch> {
        let left = self.words_left.checked_sub(words as u64);
        self.words_left = left.ok_or(TooMuch)?;
        Ok(())
    }

    /// Lists what is set in the frame and read after a branch to it, or in its other arm.
    fn list(&mut self, frame: &Frame) -> Result<(), TooMuch> {
        let from = self.joined.len();
        // The last word may have bits that stand for loops, which are never set.
        for (word, mut both) in frame.set.words_of_both(&frame.label).enumerate() {
            let left = self.pairs_left.checked_sub(u64::from(both.count_ones()));
            self.pairs_left = left.ok_or(TooMuch)?;
            while both != 0 {
                let local = word * 64 + both.trailing_zeros() as usize;
                self.joined.push(self.locals[local]);
                both &= both - 1;
            }
        }
        self.joined[from..].sort_unstable();
        self.spans[frame.number as usize].joined = (from as u32, self.joined.len() as u32);
        Ok(())
    }
}

/// The open frame with this number, by its place among them.
fn find(frames: &[Frame], number: u32) -> Option<usize> {
    let found = frames.binary_search_by_key(&number, |frame| frame.number);
    found.ok()
}
