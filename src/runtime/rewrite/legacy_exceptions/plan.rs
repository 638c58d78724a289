//! What has to be known of a body before it is written: which catch clauses a `try` has, which of them are rethrown, and
//! where each `delegate` leads.

use wasmparser::{FunctionBody, Operator};

/// The `try` and `try_table` instructions of one body, numbered in the order in which they begin.
#[derive(Default)]
pub(super) struct Plan {
    tries: Vec<Try>,
    clauses: Vec<Clause>,
    /// The open blocks, while the body is read.
    open: Vec<Open>,
    /// Whether a `delegate` inside of a `try` leads to the caller of the function.
    pub delegates_to_caller: bool,
    /// The maximum number of open handlers whose exception is rethrown. Each keeps it in a local of its own.
    pub kept: u32,
}

/// A `try` or `try_table`.
struct Try {
    kind: TryKind,
    /// The handler around it.
    around: Handler,
    /// The handler that an exception gets to which is thrown in its body.
    reaches: Handler,
    /// The catch clause around it.
    inside: Option<u32>,
    /// Whether a `delegate` leads to it.
    is_delegated_to: bool,
}

#[derive(Clone, Copy)]
enum TryKind {
    /// A `try` without catch clauses, which is a block.
    Block,
    /// A `try` with catch clauses. They are a list: this is the first of them.
    Catches(u32),
    /// A `try` that ends with `delegate`, and the handler that it names.
    Delegates(Handler),
    /// A `try_table` with catch clauses.
    Table,
}

/// A catch clause of a `try`.
#[derive(Clone, Copy)]
pub(super) struct Clause {
    /// `None` for `catch_all`.
    pub tag: Option<u32>,
    pub is_rethrown: bool,
    /// The number of handlers around it whose exception is rethrown.
    pub kept: u32,
    /// The next clause of the same `try`.
    pub next: Option<u32>,
}

/// The place that exceptions get to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Handler {
    /// The `try` or `try_table` with this number.
    Try(u32),
    Caller,
}

/// How a `try` is written.
#[derive(Clone, Copy)]
pub(super) enum Writing {
    /// As a block: it catches nothing, or delegates where exceptions get to without it.
    Block,
    /// As a `try_table` that passes all exceptions on to this handler.
    Delegate(Handler),
    /// As a `try_table` in blocks, with this first catch clause.
    Catches(u32),
}

/// An open block.
struct Open {
    /// The handler of exceptions that are thrown at this place of the block.
    handler: Handler,
    /// The number of the `try`, if it is one.
    number: Option<u32>,
    /// The catch clause that was begun last.
    clause: Option<u32>,
    /// The innermost catch clause that this place is in.
    inside: Option<u32>,
}

impl Plan {
    /// Reads a body. Returns whether it has legacy instructions, or `None` if it is not valid.
    pub(super) fn read(&mut self, body: &FunctionBody<'_>) -> Option<bool> {
        self.tries.clear();
        self.clauses.clear();
        self.open.clear();
        self.delegates_to_caller = false;
        self.kept = 0;
        let mut is_legacy = false;
        self.open(Handler::Caller, None);
        let mut operators = body.get_operators_reader().ok()?;
        while !operators.eof() {
            let operator = operators.read().ok()?;
            is_legacy |= matches!(operator, Operator::Try { .. });
            self.operator(&operator)?;
        }
        if is_legacy {
            self.resolve()?;
        }
        Some(is_legacy)
    }

    fn operator(&mut self, operator: &Operator<'_>) -> Option<()> {
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                self.open(self.open.last()?.handler, None);
            }
            Operator::TryTable { try_table } if try_table.catches.is_empty() => {
                self.open(self.open.last()?.handler, None);
            }
            Operator::TryTable { .. } => self.begin(TryKind::Table)?,
            Operator::Try { .. } => self.begin(TryKind::Block)?,
            Operator::Catch { tag_index } => self.begin_clause(Some(*tag_index))?,
            Operator::CatchAll => self.begin_clause(None)?,
            Operator::Delegate { relative_depth } => {
                let number = self.open.pop()?.number?;
                let target = self.at(*relative_depth)?.handler;
                self.tries[number as usize].kind = TryKind::Delegates(target);
            }
            Operator::Rethrow { relative_depth } => {
                let clause = self.at(*relative_depth)?.clause?;
                self.clauses[clause as usize].is_rethrown = true;
            }
            Operator::End => {
                self.open.pop()?;
            }
            _ => {}
        }
        Some(())
    }

    fn open(&mut self, handler: Handler, number: Option<u32>) {
        let inside = self.open.last().and_then(|around| around.inside);
        self.open.push(Open {
            handler,
            number,
            clause: None,
            inside,
        });
    }

    fn begin(&mut self, kind: TryKind) -> Option<()> {
        let number = u32::try_from(self.tries.len()).ok()?;
        let place = self.open.last()?;
        let this = Handler::Try(number);
        self.tries.push(Try {
            kind,
            around: place.handler,
            reaches: this,
            inside: place.inside,
            is_delegated_to: false,
        });
        self.open(this, Some(number));
        Some(())
    }

    fn begin_clause(&mut self, tag: Option<u32>) -> Option<()> {
        let clause = u32::try_from(self.clauses.len()).ok()?;
        self.clauses.push(Clause {
            tag,
            is_rethrown: false,
            kept: 0,
            next: None,
        });
        let open = self.open.last_mut()?;
        let before = open.clause.replace(clause);
        open.inside = Some(clause);
        let this = &mut self.tries[open.number? as usize];
        // Its handlers do not catch what they throw themselves.
        open.handler = this.around;
        match before {
            None => this.kind = TryKind::Catches(clause),
            Some(before) => self.clauses[before as usize].next = Some(clause),
        }
        Some(())
    }

    fn at(&self, depth: u32) -> Option<&Open> {
        let index = self.open.len().checked_sub(1 + depth as usize)?;
        self.open.get(index)
    }

    /// Follows the delegates, and counts the exceptions that are kept. What a `try` is in has a lower number than the
    /// `try`, and is resolved before it.
    fn resolve(&mut self) -> Option<()> {
        for number in 0..self.tries.len() {
            let this = &self.tries[number];
            let around = self.reached(this.around)?;
            match this.kind {
                TryKind::Table => {}
                TryKind::Catches(first) => {
                    let kept = this.inside.map_or(0, |clause| {
                        let clause = &self.clauses[clause as usize];
                        clause.kept + u32::from(clause.is_rethrown)
                    });
                    let mut next = Some(first);
                    while let Some(clause) = next {
                        let clause = &mut self.clauses[clause as usize];
                        clause.kept = kept;
                        self.kept = self.kept.max(kept + u32::from(clause.is_rethrown));
                        next = clause.next;
                    }
                }
                TryKind::Block => self.tries[number].reaches = around,
                TryKind::Delegates(target) => {
                    let target = self.reached(target)?;
                    self.tries[number].reaches = target;
                    if target == around {
                        self.tries[number].kind = TryKind::Block;
                        continue;
                    }
                    match target {
                        Handler::Caller => self.delegates_to_caller = true,
                        Handler::Try(target) => {
                            self.tries[target as usize].is_delegated_to = true;
                        }
                    }
                }
            }
        }
        Some(())
    }

    fn reached(&self, handler: Handler) -> Option<Handler> {
        match handler {
            Handler::Caller => Some(handler),
            Handler::Try(number) => Some(self.tries.get(number as usize)?.reaches),
        }
    }

    /// Returns how to write the `try` with this number.
    pub(super) fn writing(&self, number: u32) -> Option<Writing> {
        let this = self.tries.get(number as usize)?;
        match this.kind {
            TryKind::Block => Some(Writing::Block),
            TryKind::Delegates(_) => Some(Writing::Delegate(this.reaches)),
            TryKind::Catches(first) => Some(Writing::Catches(first)),
            TryKind::Table => None,
        }
    }

    /// Whether a `delegate` leads to the `try` or `try_table` with this number.
    pub(super) fn is_delegated_to(&self, number: u32) -> bool {
        let this = self.tries.get(number as usize);
        this.is_some_and(|this| this.is_delegated_to)
    }

    /// Returns the clause with this number.
    pub(super) fn clause(&self, clause: u32) -> Option<Clause> {
        self.clauses.get(clause as usize).copied()
    }
}
