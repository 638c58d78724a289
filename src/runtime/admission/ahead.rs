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

/// More frames than a function can have open at a time: one that has more is not looked through.
pub(super) const MAX_NESTING: usize = 1 << 16;

/// Lists of up to so many entries are kept to be used again.
const SHORT: usize = 1 << 16;

/// Sets of locals of one body have up to so many words in all, at one time.
const MAX_WORDS: usize = 1 << 22;

/// So many words of sets are looked at in one module: some tenths of a second.
const MAX_WORDS_LOOKED_AT: u64 = 1 << 30;

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
    /// What is set in it; in a loop, only where control may come back to its beginning from there.
    set: Locals,
    /// What is set in it and in the frames in it.
    set_anywhere: Locals,
    /// Of a condition with another arm: what is read when that begins.
    other: Option<Locals>,
    /// What the handlers around it read.
    handlers: Option<Locals>,
    /// The innermost loop around it that begins again, by its place among the open frames.
    around: Option<usize>,
    /// Of a loop that begins again, the number after those of locals that stands for that it does, in what is read.
    again: Option<u32>,
}

/// The frames of one body, and for which locals control joins at each.
#[derive(Default)]
pub(super) struct Ahead {
    events: Vec<Event>,
    /// How many functions were looked through, and for each local the last that has it, and its number there: they are
    /// numbered in the order of their first access.
    function: u64,
    numbers: Vec<(u64, u32)>,
    locals: Vec<u32>,
    spans: Vec<Span>,
    joined: Vec<u32>,
    /// The handlers of each `try_table`, by its number.
    handlers: HashMap<u32, Vec<u32>>,
    /// How many locals the function has.
    local_count: u32,
    /// How many more pairs of a frame and a local are listed in this module: each costs something to compile.
    pairs_left: u64,
    /// How many more words of sets are looked at in this module.
    words_left: u64,
}

/// What is known of a frame.
#[derive(Clone, Copy, Default)]
struct Span {
    is_branched_to: bool,
    /// Which part of [`Ahead::joined`] is its.
    joined: (u32, u32),
    /// The number of the last instruction that branches to it, counted from 1.
    last_branch: u32,
}

/// More was to be done than for any module that is not refused.
pub(super) struct TooMuch;

impl Ahead {
    /// For a module in which so many pairs of a frame and a local are listed.
    pub fn new(pairs: u64) -> Self {
        Self {
            pairs_left: pairs,
            words_left: MAX_WORDS_LOOKED_AT,
            ..Self::default()
        }
    }

    /// Looks through another body, of a function with so many locals. What follows something that is not valid is not
    /// looked at.
    ///
    /// # Errors
    ///
    /// Where there is more to do than for any module that is not refused.
    pub fn look(&mut self, body: &FunctionBody<'_>, local_count: u64) -> Result<(), TooMuch> {
        clear(&mut self.events);
        clear(&mut self.locals);
        clear(&mut self.spans);
        clear(&mut self.joined);
        self.local_count = u32::try_from(local_count).unwrap_or(u32::MAX);
        self.function += 1;
        self.handlers = HashMap::new();
        let _ = self.read(body);
        if self.locals.is_empty() {
            return Ok(());
        }
        let loops = self.events.iter().any(|event| match event {
            Event::Begin(frame, Kind::Loop) => self.is_branched_to(u64::from(*frame)),
            _ => false,
        });
        let mut starts = HashMap::new();
        let events = std::mem::take(&mut self.events);
        let mut done = Ok(());
        if loops {
            done = self.go_back(&events, &mut starts, false);
        }
        if done.is_ok() {
            done = self.go_back(&events, &mut starts, true);
        }
        self.events = events;
        done
    }

    /// Whether something branches to this frame. Frames are numbered in the order in which they begin, the function
    /// itself is 0.
    pub fn is_branched_to(&self, frame: u64) -> bool {
        self.span(frame).is_some_and(|span| span.is_branched_to)
    }

    /// The locals of which control may bring different values to where this frame is branched to, or to another arm of
    /// it, in ascending order.
    pub fn joined(&self, frame: u64) -> &[u32] {
        let list = self.span(frame).and_then(|span| {
            let (from, to) = span.joined;
            self.joined.get(from as usize..to as usize)
        });
        list.unwrap_or_default()
    }

    /// Whether the local is one of those.
    pub fn joins(&self, local: u32, frame: u64) -> bool {
        self.joined(frame).binary_search(&local).is_ok()
    }

    fn span(&self, frame: u64) -> Option<&Span> {
        self.spans.get(usize::try_from(frame).ok()?)
    }

    fn read(&mut self, body: &FunctionBody<'_>) -> Option<()> {
        let mut open = Vec::new();
        self.begin(&mut open, Kind::Block)?;
        let mut position = 0;
        for operator in body.get_operators_reader().ok()? {
            position += 1;
            match operator.ok()? {
                Operator::Block { .. } | Operator::Try { .. } => {
                    self.begin(&mut open, Kind::Block)?;
                }
                Operator::Loop { .. } => self.begin(&mut open, Kind::Loop)?,
                Operator::If { .. } => self.begin(&mut open, Kind::If)?,
                Operator::TryTable { try_table } => {
                    let mut handlers = Vec::new();
                    for catch in try_table.catches {
                        let (Catch::One { label, .. }
                        | Catch::OneRef { label, .. }
                        | Catch::All { label }
                        | Catch::AllRef { label }) = catch;
                        handlers.extend(self.branch(&open, label, position));
                    }
                    self.handlers.insert(self.spans.len() as u32, handlers);
                    self.begin(&mut open, Kind::Try)?;
                }
                Operator::Else => self.note(Event::Else),
                Operator::End | Operator::Delegate { .. } => {
                    let (frame, kind) = open.pop()?;
                    self.note(Event::End(frame, kind));
                }
                Operator::Br { relative_depth } => {
                    self.branch(&open, relative_depth, position);
                    self.note(Event::Stop);
                }
                Operator::BrIf { relative_depth }
                | Operator::BrOnNull { relative_depth }
                | Operator::BrOnNonNull { relative_depth }
                | Operator::BrOnCast { relative_depth, .. }
                | Operator::BrOnCastFail { relative_depth, .. } => {
                    self.branch(&open, relative_depth, position);
                }
                Operator::BrTable { targets } => {
                    self.branch(&open, targets.default(), position);
                    for target in targets.targets() {
                        self.branch(&open, target.ok()?, position);
                    }
                    self.note(Event::Stop);
                }
                Operator::Return
                | Operator::Unreachable
                | Operator::ReturnCall { .. }
                | Operator::ReturnCallIndirect { .. }
                | Operator::ReturnCallRef { .. } => self.note(Event::Stop),
                Operator::Throw { .. } | Operator::ThrowRef => {
                    self.note(Event::Call);
                    self.note(Event::Stop);
                }
                Operator::Call { .. }
                | Operator::CallIndirect { .. }
                | Operator::CallRef { .. }
                    if !self.handlers.is_empty() =>
                {
                    self.note(Event::Call);
                }
                Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                    let local = self.number(local_index)?;
                    self.note(Event::Set(local));
                }
                Operator::LocalGet { local_index } => {
                    let local = self.number(local_index)?;
                    self.note(Event::Get(local));
                }
                _ => {}
            }
        }
        Some(())
    }

    /// Notes what matters of an instruction, unless control does not come there.
    fn note(&mut self, event: Event) {
        let is_dead = matches!(self.events.last(), Some(Event::Stop));
        let begins_anew = matches!(event, Event::Begin(..) | Event::Else | Event::End(..));
        if !is_dead || begins_anew {
            self.events.push(event);
        }
    }

    fn begin(&mut self, open: &mut Vec<(u32, Kind)>, kind: Kind) -> Option<()> {
        if open.len() > MAX_NESTING {
            return None;
        }
        // A body has fewer frames than there are numbers.
        let frame = self.spans.len() as u32;
        open.push((frame, kind));
        self.spans.push(Span::default());
        self.note(Event::Begin(frame, kind));
        Some(())
    }

    /// A branch of the instruction at this position. Returns to which frame it leads.
    fn branch(&mut self, open: &[(u32, Kind)], depth: u32, position: u32) -> Option<u32> {
        let (frame, _) = *open.get(open.len().checked_sub(1 + depth as usize)?)?;
        let span = &mut self.spans[frame as usize];
        span.is_branched_to = true;
        if span.last_branch != position {
            span.last_branch = position;
            self.note(Event::Branch(frame));
        }
        Some(frame)
    }

    fn number(&mut self, local: u32) -> Option<u32> {
        if local >= self.local_count {
            return None;
        }
        let index = local as usize;
        if index >= self.numbers.len() {
            self.numbers.resize(index + 1, (0, 0));
        }
        let (function, number) = &mut self.numbers[index];
        if *function != self.function {
            (*function, *number) = (self.function, self.locals.len() as u32);
            self.locals.push(local);
        }
        Some(*number)
    }

    /// Goes through the events backwards. `starts` holds what is read from the beginning of each loop: the first time,
    /// it is filled, the last time, what joins is listed.
    fn go_back(
        &mut self,
        events: &[Event],
        starts: &mut HashMap<u32, Locals>,
        is_last: bool,
    ) -> Result<(), TooMuch> {
        let words = self.locals.len().div_ceil(64);
        let mut live = Locals::default();
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
                    self.spend(3 * words)?;
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
        live: &Locals,
        starts: &HashMap<u32, Locals>,
    ) -> Frame {
        let outer = frames.last();
        let mut handlers = outer.and_then(|frame| frame.handlers.clone());
        if kind == Kind::Try {
            let handlers = handlers.get_or_insert_default();
            for target in self.handlers.get(&number).into_iter().flatten() {
                if let Some(target) = find(frames, *target) {
                    handlers.add(&frames[target].label);
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
            set: Locals::default(),
            set_anywhere: Locals::default(),
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
        for (word, (set, read)) in frame.set.0.iter().zip(&frame.label.0).enumerate() {
            let mut both = set & read;
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

impl Locals {
    fn insert(&mut self, local: u32) {
        let word = local as usize / 64;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (local % 64);
    }

    fn contains(&self, local: u32) -> bool {
        let word = self.0.get(local as usize / 64);
        word.is_some_and(|word| word & 1 << (local % 64) != 0)
    }

    fn clear(&mut self) {
        self.0.clear();
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
