//! What is ahead in a body.
//!
//! Where control flow joins, a local that has different values on the ways there gets a new one (a φ), and all of them
//! are needed at the end of each way. The compiler knows which locals are concerned before it computes anything: those
//! that are set in the frame and read after the join, before they are set again.
//!
//! So a body is gone through once forwards, where its frames and the accesses to locals are noted, and twice backwards,
//! for which locals are still read: the first time, for what loops need that begin again. What control does not reach
//! counts as if it did. There may be some too many, but none is missing.

use std::collections::HashMap;

use wasmparser::{Catch, FunctionBody, Operator};

/// Lists of up to so many entries are kept to be used again.
const SHORT: usize = 1 << 16;

/// Sets of locals of one body have up to so many words in all, at one time.
const MAX_WORDS: usize = 1 << 22;

/// What matters of an instruction.
#[derive(Clone, Copy)]
enum Event {
    Get(u32),
    Set(u32),
    /// A frame begins, with this number.
    Begin(u32, Kind),
    Else,
    End(u32, Kind),
    /// Control may go to where this frame can be branched to.
    Branch(u32),
    /// Control goes nowhere else.
    Stop,
    /// Control may go to a handler of exceptions.
    Call,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Block,
    Loop,
    If,
    Try,
}

/// A set of locals, by their numbers.
#[derive(Clone, Default)]
struct Locals(Vec<u64>);

/// A frame while it is gone through backwards.
struct Frame {
    number: u32,
    /// What is read after the branch to it.
    label: Locals,
    /// What is set in it.
    set: Locals,
    /// Of a condition with another arm: what is read when that begins.
    other: Option<Locals>,
    /// What the handlers around it read.
    handlers: Option<Locals>,
}

/// The frames of one body, and for which locals control joins at each.
#[derive(Default)]
pub(super) struct Ahead {
    events: Vec<Event>,
    /// Locals are numbered in the order of their first access.
    numbers: HashMap<u32, u32>,
    locals: Vec<u32>,
    /// Of each frame: whether it is branched to, and which part of `joined` is its.
    frames: Vec<(bool, u32, u32)>,
    joined: Vec<u32>,
    /// The handlers of each `try_table`, by its number.
    handlers: HashMap<u32, Vec<u32>>,
    /// How many more pairs of a frame and a local are listed in this module: each costs something to compile.
    pairs_left: u64,
}

impl Ahead {
    /// For a module in which so many pairs of a frame and a local are listed.
    pub fn new(pairs: u64) -> Self {
        Self {
            pairs_left: pairs,
            ..Self::default()
        }
    }

    /// Looks through another body. What follows something that is not valid is not looked at. Returns how many pairs of
    /// a frame and a local there may be which are not listed.
    pub fn look(&mut self, body: &FunctionBody<'_>) -> u64 {
        clear(&mut self.events);
        clear(&mut self.locals);
        clear(&mut self.frames);
        clear(&mut self.joined);
        self.numbers = HashMap::new();
        self.handlers = HashMap::new();
        let _ = self.read(body);
        if self.locals.is_empty() {
            return 0;
        }
        let loops = self.events.iter().any(|event| match event {
            Event::Begin(frame, Kind::Loop) => self.is_branched_to(u64::from(*frame)),
            _ => false,
        });
        let mut starts = HashMap::new();
        if loops && let Err(words) = self.go_back(&mut starts, false) {
            return words;
        }
        match self.go_back(&mut starts, true) {
            Ok(missing) | Err(missing) => missing,
        }
    }

    /// Whether something branches to this frame. Frames are numbered in the order in which they begin, the function
    /// itself is 0.
    pub fn is_branched_to(&self, frame: u64) -> bool {
        self.frame(frame).is_some_and(|(is, ..)| is)
    }

    /// The locals of which control may bring different values to where this frame is branched to, or to another arm of
    /// it, in ascending order.
    pub fn joined(&self, frame: u64) -> &[u32] {
        let list = self.frame(frame).and_then(|(_, from, to)| {
            let (from, to) = (from as usize, to as usize);
            self.joined.get(from..to)
        });
        list.unwrap_or_default()
    }

    /// Whether the local is one of those.
    pub fn joins(&self, local: u32, frame: u64) -> bool {
        self.joined(frame).binary_search(&local).is_ok()
    }

    fn frame(&self, frame: u64) -> Option<(bool, u32, u32)> {
        self.frames.get(usize::try_from(frame).ok()?).copied()
    }

    fn read(&mut self, body: &FunctionBody<'_>) -> Option<()> {
        let mut open = Vec::new();
        self.begin(&mut open, Kind::Block);
        for operator in body.get_operators_reader().ok()? {
            match operator.ok()? {
                Operator::Block { .. } | Operator::Try { .. } => {
                    self.begin(&mut open, Kind::Block);
                }
                Operator::Loop { .. } => self.begin(&mut open, Kind::Loop),
                Operator::If { .. } => self.begin(&mut open, Kind::If),
                Operator::TryTable { try_table } => {
                    let mut handlers = Vec::new();
                    for catch in try_table.catches {
                        let (Catch::One { label, .. }
                        | Catch::OneRef { label, .. }
                        | Catch::All { label }
                        | Catch::AllRef { label }) = catch;
                        handlers.extend(self.branch(&open, label));
                    }
                    self.handlers.insert(self.frames.len() as u32, handlers);
                    self.begin(&mut open, Kind::Try);
                }
                Operator::Else => self.events.push(Event::Else),
                Operator::End | Operator::Delegate { .. } => {
                    let (frame, kind) = open.pop()?;
                    self.events.push(Event::End(frame, kind));
                }
                Operator::Br { relative_depth } => {
                    self.branch(&open, relative_depth);
                    self.events.push(Event::Stop);
                }
                Operator::BrIf { relative_depth }
                | Operator::BrOnNull { relative_depth }
                | Operator::BrOnNonNull { relative_depth }
                | Operator::BrOnCast { relative_depth, .. }
                | Operator::BrOnCastFail { relative_depth, .. } => {
                    self.branch(&open, relative_depth);
                }
                Operator::BrTable { targets } => {
                    self.branch(&open, targets.default());
                    let mut before = targets.default();
                    for target in targets.targets() {
                        let target = target.ok()?;
                        if target != before {
                            self.branch(&open, target);
                        }
                        before = target;
                    }
                    self.events.push(Event::Stop);
                }
                Operator::Return | Operator::Unreachable => self.events.push(Event::Stop),
                Operator::Throw { .. } | Operator::ThrowRef => {
                    self.events.push(Event::Call);
                    self.events.push(Event::Stop);
                }
                Operator::Call { .. }
                | Operator::CallIndirect { .. }
                | Operator::CallRef { .. }
                    if !self.handlers.is_empty() =>
                {
                    self.events.push(Event::Call);
                }
                Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                    let local = self.number(local_index);
                    self.events.push(Event::Set(local));
                }
                Operator::LocalGet { local_index } => {
                    let local = self.number(local_index);
                    self.events.push(Event::Get(local));
                }
                _ => {}
            }
        }
        Some(())
    }

    fn begin(&mut self, open: &mut Vec<(u32, Kind)>, kind: Kind) {
        // A body has fewer frames than there are numbers.
        let frame = self.frames.len() as u32;
        open.push((frame, kind));
        self.frames.push((false, 0, 0));
        self.events.push(Event::Begin(frame, kind));
    }

    fn branch(&mut self, open: &[(u32, Kind)], depth: u32) -> Option<u32> {
        let (frame, _) = open[open.len().checked_sub(1 + depth as usize)?];
        self.frames[frame as usize].0 = true;
        self.events.push(Event::Branch(frame));
        Some(frame)
    }

    fn number(&mut self, local: u32) -> u32 {
        *self.numbers.entry(local).or_insert_with(|| {
            self.locals.push(local);
            self.locals.len() as u32 - 1
        })
    }

    /// Goes through the events backwards. `starts` holds what is read from the beginning of each loop: the first time,
    /// it is filled. Returns how many pairs could not be listed; as an error, how many words the sets would have had.
    fn go_back(&mut self, starts: &mut HashMap<u32, Locals>, is_last: bool) -> Result<u64, u64> {
        let words = self.locals.len().div_ceil(64);
        let mut missing = 0;
        let mut live = Locals::default();
        // The loops around, the outermost first, in the first walk without what they need.
        let mut frames: Vec<Frame> = Vec::new();
        let events = std::mem::take(&mut self.events);
        for event in events.iter().rev() {
            match *event {
                Event::Get(local) => live.insert(local),
                Event::Set(local) => {
                    live.remove(local);
                    if let Some(frame) = frames.last_mut() {
                        frame.set.insert(local);
                    }
                }
                Event::Stop => live = Locals::default(),
                Event::Branch(target) => {
                    let target = frames.binary_search_by_key(&target, |frame| frame.number);
                    if let Ok(target) = target {
                        live.add(&frames[target].label);
                    }
                }
                Event::Call => {
                    if let Some(handlers) = frames.last().and_then(|it| it.handlers.as_ref()) {
                        live.add(handlers);
                    }
                }
                Event::Else => {
                    if let Some(frame) = frames.last_mut() {
                        frame.other = Some(std::mem::replace(&mut live, frame.label.clone()));
                    }
                }
                Event::End(number, kind) => {
                    if (frames.len() + starts.len()) * words > MAX_WORDS {
                        self.events = events;
                        return Err((MAX_WORDS * 64) as u64);
                    }
                    let outer = frames.last();
                    let mut handlers = outer.and_then(|frame| frame.handlers.clone());
                    if kind == Kind::Try {
                        let handlers = handlers.get_or_insert_default();
                        for target in self.handlers.get(&number).into_iter().flatten() {
                            let target = frames.binary_search_by_key(target, |frame| frame.number);
                            if let Ok(target) = target {
                                handlers.add(&frames[target].label);
                            }
                        }
                    }
                    let label = match kind {
                        Kind::Loop => {
                            // A loop that begins again may end later, and one around it begin again.
                            let mut label = starts.get(&number).cloned().unwrap_or_default();
                            let mut around = frames.iter().rev();
                            if let Some(around) =
                                around.find(|frame| starts.contains_key(&frame.number))
                            {
                                label.add(&around.label);
                            }
                            label
                        }
                        _ => live.clone(),
                    };
                    frames.push(Frame {
                        number,
                        label,
                        set: Locals::default(),
                        other: None,
                        handlers,
                    });
                }
                Event::Begin(number, kind) => {
                    let Some(mut frame) = frames.pop() else {
                        continue;
                    };
                    let joins = kind == Kind::If || self.frames[number as usize].0;
                    if kind == Kind::If {
                        live.add(frame.other.as_ref().unwrap_or(&frame.label));
                        if let Some(other) = &frame.other {
                            frame.label.add(other);
                        }
                    }
                    if kind == Kind::Loop && joins {
                        if !is_last {
                            starts.insert(number, live.clone());
                        }
                        live.add(&frame.label);
                    }
                    if is_last && joins {
                        let from = self.joined.len() as u32;
                        missing += self.list(&frame);
                        let to = self.joined.len() as u32;
                        self.joined[from as usize..].sort_unstable();
                        (
                            self.frames[number as usize].1,
                            self.frames[number as usize].2,
                        ) = (from, to);
                    }
                    if let Some(outer) = frames.last_mut() {
                        outer.set.add(&frame.set);
                    }
                }
            }
        }
        self.events = events;
        Ok(missing)
    }

    /// Lists what is set in the frame and read after a branch to it, or in its other arm. Returns how many are not
    /// listed.
    fn list(&mut self, frame: &Frame) -> u64 {
        let mut missing = 0;
        for (word, (set, read)) in frame.set.0.iter().zip(&frame.label.0).enumerate() {
            let mut both = set & read;
            if self.pairs_left < u64::from(both.count_ones()) {
                missing += u64::from(both.count_ones());
                continue;
            }
            self.pairs_left -= u64::from(both.count_ones());
            while both != 0 {
                let local = word * 64 + both.trailing_zeros() as usize;
                self.joined.push(self.locals[local]);
                both &= both - 1;
            }
        }
        missing
    }
}

impl Locals {
    fn insert(&mut self, local: u32) {
        let word = local as usize / 64;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (local % 64);
    }

    fn remove(&mut self, local: u32) {
        if let Some(word) = self.0.get_mut(local as usize / 64) {
            *word &= !(1 << (local % 64));
        }
    }

    fn add(&mut self, others: &Self) {
        if others.0.len() > self.0.len() {
            self.0.resize(others.0.len(), 0);
        }
        for (word, other) in self.0.iter_mut().zip(&others.0) {
            *word |= other;
        }
    }
}

/// Empties a list, and gives back its memory where that is much.
fn clear<T>(list: &mut Vec<T>) {
    list.clear();
    if list.capacity() > SHORT {
        *list = Vec::new();
    }
}
