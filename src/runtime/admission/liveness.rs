//! Live-variable analysis of a body: determines the locals that need block parameters.
//!
//! At a merge point, a local with different values at the end of different predecessors needs a block parameter
//! (φ), and each predecessor has to compute its value. The compiler determines these locals first: the locals that
//! are assigned in the frame and read after the merge point, before they are assigned again.
//!
//! The analysis walks over a body once forwards, which records the frames and the accesses to locals, and up to
//! twice backwards, which computes the live locals. The first backward walk finds the live locals at the start of
//! loops. The result may have too many locals, but none is missing.

mod backward;
mod set;

use std::collections::HashMap;

use wasmparser::{Catch, FunctionBody, Operator};

/// An upper bound on the nesting depth of frames. A function with deeper nesting is not analysed.
pub(super) const MAX_NESTING: usize = 1 << 16;

/// Lists with at most this capacity are kept for reuse.
const SHORT: usize = 1 << 16;

/// The maximum number of words of all sets of locals of one body at one time.
const MAX_WORDS: usize = 1 << 22;

/// The maximum number of set words that are processed for one module. They take some tenths of a second.
pub(super) const MAX_WORD_STEPS: u64 = 1 << 30;

/// The parts of an instruction that the analysis needs.
#[derive(Clone, Copy)]
enum Event {
    Get(u32),
    Set(u32),
    /// The frame with this number begins.
    Begin(u32, Kind),
    Else,
    End(u32, Kind),
    /// Control may branch to the label of this frame.
    Branch(u32),
    /// Control does not continue after this instruction.
    Stop,
    /// Control may continue in an exception handler.
    Call,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Block,
    Loop,
    If,
    Try,
}

/// The frames of one body, and the locals that are merged at each.
#[derive(Default)]
pub(super) struct Liveness {
    events: Vec<Event>,
    /// The serial number of the current function. `numbers` has, for each local, the last function that accesses it
    /// and the local's number there: locals are numbered in the order of their first access. `locals` is the
    /// inverse.
    function: u64,
    numbers: Vec<(u64, u32)>,
    locals: Vec<u32>,
    spans: Vec<Span>,
    merged_locals: Vec<u32>,
    /// The frames that the catch clauses of each `try_table` target, by the number of its frame.
    handlers: HashMap<u32, Vec<u32>>,
    /// The number of locals of the function, and the maximum nesting depth of its frames.
    local_count: u32,
    deepest: usize,
    /// The number of pairs of a frame and a merged local that may still be listed in this module. Each costs time
    /// to compile.
    pub pairs_left: u64,
    /// The number of set words that may still be processed in this module.
    pub word_steps_left: u64,
}

/// The analysis results of a frame.
#[derive(Clone, Copy, Default)]
struct Span {
    is_branched_to: bool,
    /// The range of [`Liveness::merged_locals`] with the locals of this frame.
    merged_range: (u32, u32),
    /// The number of the last instruction that branches to it, counted from 1.
    last_branch: u32,
}

/// The analysis exceeds a budget that every accepted module stays below.
pub(super) struct BudgetExceeded;

impl Liveness {
    /// Makes the state for a module in which at most `pairs` pairs of a frame and a local are listed, and `word_steps`
    /// set words are processed.
    pub(super) fn new(pairs: u64, word_steps: u64) -> Self {
        Self {
            pairs_left: pairs,
            word_steps_left: word_steps,
            ..Self::default()
        }
    }

    /// Analyses another body. If a part of the body is not valid, the rest is not analysed.
    ///
    /// # Errors
    ///
    /// `BudgetExceeded` if the analysis takes more work than for any module that is accepted.
    pub(super) fn analyze(
        &mut self,
        body: &FunctionBody<'_>,
        local_count: u64,
    ) -> Result<(), BudgetExceeded> {
        clear(&mut self.events);
        clear(&mut self.locals);
        clear(&mut self.spans);
        clear(&mut self.merged_locals);
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
        let mut live_at_loops = HashMap::new();
        let events = std::mem::take(&mut self.events);
        let mut done = Ok(());
        if loops {
            done = self.walk_backwards(&events, &mut live_at_loops, false);
        }
        if done.is_ok() {
            done = self.walk_backwards(&events, &mut live_at_loops, true);
        }
        self.events = events;
        done
    }

    /// Whether there is a branch to this frame. Frames are numbered in the order in which they begin; the function
    /// body is 0.
    pub(super) fn is_branched_to(&self, frame: u64) -> bool {
        self.span(frame).is_some_and(|span| span.is_branched_to)
    }

    /// Returns the locals that may have different values at the label of this frame, or at its `else` arm, in
    /// ascending order.
    pub(super) fn merged_locals(&self, frame: u64) -> &[u32] {
        let list = self.span(frame).and_then(|span| {
            let (from, to) = span.merged_range;
            self.merged_locals.get(from as usize..to as usize)
        });
        list.unwrap_or_default()
    }

    /// Whether the local is in [`Liveness::merged_locals`] of the frame.
    pub(super) fn is_merged(&self, local: u32, frame: u64) -> bool {
        self.merged_locals(frame).binary_search(&local).is_ok()
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
                Operator::Else => self.record(Event::Else),
                Operator::End | Operator::Delegate { .. } => {
                    let (frame, kind) = open.pop()?;
                    self.record(Event::End(frame, kind));
                }
                Operator::Br { relative_depth } => {
                    self.branch(&open, relative_depth, position);
                    self.record(Event::Stop);
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
                    self.record(Event::Stop);
                }
                Operator::Return
                | Operator::Unreachable
                | Operator::ReturnCall { .. }
                | Operator::ReturnCallIndirect { .. }
                | Operator::ReturnCallRef { .. } => self.record(Event::Stop),
                Operator::Throw { .. } | Operator::ThrowRef => {
                    self.record(Event::Call);
                    self.record(Event::Stop);
                }
                Operator::Call { .. }
                | Operator::CallIndirect { .. }
                | Operator::CallRef { .. }
                    if !self.handlers.is_empty() =>
                {
                    self.record(Event::Call);
                }
                Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                    let local = self.number(local_index)?;
                    self.record(Event::Set(local));
                }
                Operator::LocalGet { local_index } => {
                    let local = self.number(local_index)?;
                    self.record(Event::Get(local));
                }
                _ => {}
            }
        }
        Some(())
    }

    /// Records an event, unless it is unreachable.
    fn record(&mut self, event: Event) {
        let is_dead = matches!(self.events.last(), Some(Event::Stop));
        let begins_block = matches!(event, Event::Begin(..) | Event::Else | Event::End(..));
        if !is_dead || begins_block {
            self.events.push(event);
        }
    }

    fn begin(&mut self, open: &mut Vec<(u32, Kind)>, kind: Kind) -> Option<()> {
        if open.len() > MAX_NESTING {
            return None;
        }
        // The number of frames is below the size of a body in bytes, which fits.
        let frame = self.spans.len() as u32;
        open.push((frame, kind));
        self.deepest = self.deepest.max(open.len());
        self.spans.push(Span::default());
        self.record(Event::Begin(frame, kind));
        Some(())
    }

    /// Records a branch of the instruction at `position`. Returns the number of the target frame.
    fn branch(&mut self, open: &[(u32, Kind)], depth: u32, position: u32) -> Option<u32> {
        let (frame, _) = *open.get(open.len().checked_sub(1 + depth as usize)?)?;
        let span = &mut self.spans[frame as usize];
        span.is_branched_to = true;
        if span.last_branch != position {
            span.last_branch = position;
            self.record(Event::Branch(frame));
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

/// Empties a list, and frees its memory if that is large.
fn clear<T>(list: &mut Vec<T>) {
    list.clear();
    if list.capacity() > SHORT {
        *list = Vec::new();
    }
}
