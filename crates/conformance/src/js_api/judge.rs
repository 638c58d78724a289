//! Compares the subtests of a file with the expected results.

use std::ops::ControlFlow;

use super::event::Event;
use super::expected::{Entry, Size};
use crate::judge::{Finding, Judged, Skip};
use crate::outcome::Mismatch;
use crate::process::ProcessError;
use crate::run::FILE;

/// What happened while a file ran.
#[derive(Debug, Default)]
pub struct FileRun {
    pub subtests: Vec<Subtest>,
    /// Errors that are not of a subtest.
    errors: Vec<Finding>,
    /// Whether it ran to its end.
    pub is_done: bool,
    seconds: f64,
}

/// A subtest of a file.
#[derive(Debug)]
pub struct Subtest {
    name: String,
    line: u32,
    state: State,
}

#[derive(Debug)]
enum State {
    Waits,
    Runs,
    /// With the reason why it failed, or an empty text.
    Ended(String),
}

impl FileRun {
    /// Adds an event. Breaks at the last one.
    pub fn add(&mut self, event: Event) -> ControlFlow<()> {
        match event {
            Event::Subtest { name, line } => self.subtests.push(Subtest {
                name,
                line: line.max(1),
                state: State::Waits,
            }),
            Event::Began { subtest } => self.set(subtest, State::Runs),
            Event::Ended { subtest, message } => self.set(subtest, State::Ended(message)),
            Event::Error { line, message } => {
                let expected = "no error outside of a subtest";
                self.errors.push(Finding {
                    line: line.max(1),
                    ..Finding::of_file(expected, message)
                });
            }
            Event::End { done, seconds } => {
                self.seconds = seconds;
                self.is_done = done;
                if !done {
                    self.errors.push(Finding::of_file(
                        "to end",
                        "there was nothing left to run, and it waited still",
                    ));
                }
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// Adds the loss of the process that ran the file.
    pub fn lose(&mut self, lost: &ProcessError) {
        let mut got = lost.to_string();
        let running = self.subtests.iter();
        let mut running = running.filter(|subtest| matches!(subtest.state, State::Runs));
        if let Some(subtest) = running.next_back() {
            got += &format!(", while `{}` ran", subtest.name);
        }
        self.errors.push(Finding::of_file(lost.expected(), got));
    }

    /// Whether it shows how many subtests the file has.
    pub fn is_whole(&self) -> bool {
        self.is_done && self.errors.is_empty() && !self.subtests.is_empty()
    }

    fn set(&mut self, subtest: u32, state: State) {
        if let Some(subtest) = self.subtests.get_mut(subtest as usize) {
            subtest.state = state;
        }
    }
}

/// Compares a run with the entries for its file and lane.
///
/// An error outside of a subtest, and a subtest that did not come to be or to an end, are failures whatever the entries
/// say.
pub fn judge(run: FileRun, entries: &[&Entry], size: Size) -> Judged {
    let is_whole = run.is_whole();
    let mut judged = Judged {
        seconds: run.seconds,
        failed: run.errors,
        ..Judged::default()
    };
    judged.failed.extend(wrong_size(run.subtests.len(), size));
    let mut unused = entries.to_vec();
    for subtest in run.subtests {
        let Subtest { name, line, state } = subtest;
        let entry = entries
            .iter()
            .find(|entry| entry.subtest.as_deref() == Some(name.as_str()));
        unused.retain(|entry| entry.subtest.as_deref() != Some(name.as_str()));
        let mismatch = match (state, entry) {
            (State::Ended(message), None) if message.is_empty() => {
                judged.passed += 1;
                continue;
            }
            (State::Ended(message), Some(entry)) if message.is_empty() => Mismatch::new(
                format!("to fail, because: {}", entry.reason),
                "passed: remove it from the expectations",
            ),
            (State::Ended(message), Some(entry)) => {
                judged.skipped.push(Skip {
                    line,
                    directive: name.into(),
                    reason: entry.reason.clone(),
                    mismatch: Some(Mismatch::new("to pass", message)),
                });
                continue;
            }
            (State::Ended(message), None) => Mismatch::new("to pass", message),
            (State::Runs, _) => Mismatch::new("to end", "never ended"),
            (State::Waits, _) => Mismatch::new("to run", "never ran"),
        };
        judged.failed.push(Finding {
            line,
            directive: name.into(),
            mismatch,
        });
    }
    if is_whole {
        judged
            .failed
            .extend(unused.into_iter().map(unknown_subtest));
    }
    judged
}

/// The result of a file that is not run, with the reason.
pub fn skipped(reason: &str) -> Judged {
    Judged {
        skipped: vec![Skip {
            line: 1,
            directive: FILE.into(),
            reason: reason.to_owned(),
            mismatch: None,
        }],
        ..Judged::default()
    }
}

/// An entry for a subtest that does not exist.
fn unknown_subtest(entry: &Entry) -> Finding {
    let name = entry.subtest.as_deref().unwrap_or_default();
    Finding {
        line: 1,
        directive: "expectation".into(),
        mismatch: Mismatch::new(
            format!("a subtest `{name}`"),
            "none: remove it from the expectations",
        ),
    }
}

/// A file with another number of subtests than is known, or with none.
fn wrong_size(got: usize, size: Size) -> Option<Finding> {
    let expected = match size {
        Size::Known(known) if known != got => format!("{known} subtests, as was recorded"),
        Size::Unknown => "to be recorded with --record, as the other files are".to_owned(),
        Size::Known(_) | Size::Any if got > 0 => return None,
        Size::Known(_) | Size::Any => "a subtest".to_owned(),
    };
    Some(Finding::of_file(expected, format!("{got} subtests")))
}
