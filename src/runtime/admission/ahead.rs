//! What is ahead in a body.
//!
//! Where control flow joins, a local that has different values on the ways there gets a new one (a φ), and all of them
//! are needed at the end of each way. The compiler knows which locals are concerned before it computes anything: those
//! that are set in the frame and read after the join, before they are set again.
//!
//! So a body is gone through once forwards, where its frames and the accesses to locals are noted, and twice backwards,
//! for which locals are still read: the first time, for what loops need that begin again. There may be
//! some too many, but none is missing.

mod liveness;
mod set;

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
    /// How many locals the function has, and how many frames of it are open at a time, at most.
    local_count: u32,
    deepest: usize,
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
        self.deepest = 0;
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
                    handlers.sort_unstable();
                    handlers.dedup();
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
        self.deepest = self.deepest.max(open.len());
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
}

/// Empties a list, and gives back its memory where that is much.
fn clear<T>(list: &mut Vec<T>) {
    list.clear();
    if list.capacity() > SHORT {
        *list = Vec::new();
    }
}
