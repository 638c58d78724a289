//! The differences between a run and an earlier one.

use std::collections::BTreeMap;
use std::fmt;

use crate::lane::Lane;
use crate::report::{Report, Totals};

/// A difference from an earlier report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A directive ends otherwise than it did.
    Directive {
        file: String,
        lane: Lane,
        directive: DirectiveId,
        before: State,
        now: State,
    },
    /// A file has more or fewer directives than it had.
    Size {
        file: String,
        lane: Lane,
        before: usize,
        now: usize,
    },
    /// A file was run that was not.
    New { file: String, lane: Lane },
    /// A file was not run that was.
    Gone { file: String, lane: Lane },
}

/// A directive in a file. Several of one kind on one line are numbered in their order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirectiveId {
    pub line: u32,
    pub directive: String,
    nth: usize,
}

/// How a directive ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Neither failed nor skipped: a report does not list the directives that passed.
    Passed,
    Failed,
    Skipped,
}

/// What is different in `now` from `before`, file by file.
///
/// Lanes that only one of them has are left out. Unless `now` is `whole`, files that it did not run are not missed.
pub fn compare(before: &Report, now: &Report, whole: bool) -> Vec<Change> {
    let (old, new) = (Index::of(before), Index::of(now));
    let mut changes = Vec::new();
    for (&(file, lane), totals) in &new.files {
        if !before.totals.contains_key(&lane) {
            continue;
        }
        let file = file.to_owned();
        let Some(then) = old.files.get(&(file.as_str(), lane)) else {
            changes.push(Change::New { file, lane });
            continue;
        };
        let (sizes, states) = (
            (then.directives(), totals.directives()),
            (old.states(&file, lane), new.states(&file, lane)),
        );
        if sizes.0 != sizes.1 {
            changes.push(Change::Size {
                file: file.clone(),
                lane,
                before: sizes.0,
                now: sizes.1,
            });
        }
        let mut directives: Vec<&DirectiveId> = states.0.keys().chain(states.1.keys()).collect();
        directives.sort();
        directives.dedup();
        for directive in directives {
            let state = |states: &States| states.get(directive).copied().unwrap_or(State::Passed);
            let (before, now) = (state(&states.0), state(&states.1));
            if before != now {
                changes.push(Change::Directive {
                    file: file.clone(),
                    lane,
                    directive: directive.clone(),
                    before,
                    now,
                });
            }
        }
    }
    let gone = old.files.keys().filter(|(file, lane)| {
        whole && now.totals.contains_key(lane) && !new.files.contains_key(&(*file, *lane))
    });
    changes.extend(gone.map(|&(file, lane)| Change::Gone {
        file: file.to_owned(),
        lane,
    }));
    changes
}

/// The states of the directives that did not pass.
type States = BTreeMap<DirectiveId, State>;

/// A report, to look things up in.
struct Index<'r> {
    files: BTreeMap<(&'r str, Lane), &'r Totals>,
    states: BTreeMap<(&'r str, Lane), States>,
}

impl<'r> Index<'r> {
    fn of(report: &'r Report) -> Self {
        let files = report.files.iter();
        let mut this = Self {
            files: files
                .map(|row| ((row.file.as_str(), row.lane), &row.totals))
                .collect(),
            states: BTreeMap::new(),
        };
        for failure in &report.failures {
            let file = (failure.file.as_str(), failure.lane);
            this.add(file, failure.line, &failure.directive, State::Failed);
        }
        for skip in &report.skips {
            let file = (skip.file.as_str(), skip.lane);
            this.add(file, skip.line, &skip.directive, State::Skipped);
        }
        this
    }

    fn add(&mut self, file: (&'r str, Lane), line: u32, directive: &str, state: State) {
        let states = self.states.entry(file).or_default();
        let mut id = DirectiveId {
            line,
            directive: directive.to_owned(),
            nth: 0,
        };
        while states.contains_key(&id) {
            id.nth += 1;
        }
        states.insert(id, state);
    }

    fn states(&self, file: &str, lane: Lane) -> States {
        let states = self.states.get(&(file, lane));
        states.cloned().unwrap_or_default()
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Passed => "passed",
            State::Failed => "failed",
            State::Skipped => "was skipped",
        })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Directive {
                file,
                lane,
                directive: DirectiveId {
                    line, directive, ..
                },
                before,
                now,
            } => write!(f, "{file}:{line}  {lane}  {directive}  {before}, now {now}"),
            Change::Size {
                file,
                lane,
                before,
                now,
            } => write!(f, "{file}  {lane}  had {before} directives, now {now}"),
            Change::New { file, lane } => write!(f, "{file}  {lane}  was not run, now it is"),
            Change::Gone { file, lane } => write!(f, "{file}  {lane}  was run, now it is not"),
        }
    }
}
