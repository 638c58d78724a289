//! Measures what a file did against what is expected of it.

use crate::expectations::{Expectation, Known};
use crate::run::{FILE, FileRun};
use crate::walk::{Mismatch, Verdict};

/// The result of a file.
#[derive(Debug, Default)]
pub struct Judged {
    pub passed: usize,
    pub failed: Vec<Finding>,
    /// Directives that were skipped or failed as expected.
    pub skipped: usize,
    pub seconds: f64,
}

/// Something that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub line: u32,
    pub directive: &'static str,
    pub mismatch: Mismatch,
}

impl Finding {
    /// An entry of the expectations that is wrong.
    pub fn wrong_entry(entry: &Expectation, got: &str) -> Self {
        let outcome = match entry.outcome {
            Known::Fail => "to fail",
            Known::Skip => "to be skipped",
        };
        Self {
            line: entry.line.unwrap_or(1),
            directive: "expectation",
            mismatch: Mismatch::new(format!("{outcome}, because: {}", entry.reason), got),
        }
    }
}

/// What became of an entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Entry {
    /// It covers no directive.
    Unseen,
    /// It covers directives, and none did as it says.
    Contradicted,
    /// It made a difference.
    Used,
}

/// Measures `run` against the `entries` that speak of its file and lane.
///
/// A panic, or a file that cannot be run at all, is a failure whatever the entries say.
pub fn judge(run: FileRun, entries: &[&Expectation]) -> Judged {
    let mut judged = Judged {
        seconds: run.seconds,
        ..Judged::default()
    };
    let mut became = vec![Entry::Unseen; entries.len()];
    for outcome in run.outcomes {
        let mut expected = false;
        for (entry, became) in entries.iter().zip(&mut became) {
            if !entry.covers(outcome.line) {
                continue;
            }
            let holds = match outcome.verdict {
                Verdict::Failed(_) => entry.outcome == Known::Fail && outcome.directive != FILE,
                Verdict::Skipped => entry.outcome == Known::Skip,
                Verdict::Passed | Verdict::Running => false,
            };
            expected |= holds;
            *became = (*became).max(if holds {
                Entry::Used
            } else {
                Entry::Contradicted
            });
        }
        let mismatch = match outcome.verdict {
            Verdict::Passed => {
                judged.passed += 1;
                continue;
            }
            _ if expected => {
                judged.skipped += 1;
                continue;
            }
            Verdict::Failed(mismatch) => mismatch,
            Verdict::Skipped => Mismatch::new("to run", "skipped, and nothing says why"),
            Verdict::Running => Mismatch::new("to end", "never ended"),
        };
        judged.failed.push(Finding {
            line: outcome.line,
            directive: outcome.directive,
            mismatch,
        });
    }
    if !run.complete {
        // It did not reach every line, so what the other entries say is not refuted.
        return judged;
    }
    for (entry, became) in entries.iter().zip(became) {
        let got = match became {
            Entry::Used => continue,
            Entry::Contradicted => "expected to fail, but passed: remove it from expectations",
            Entry::Unseen => "no directive there: remove it from expectations",
        };
        judged.failed.push(Finding::wrong_entry(entry, got));
    }
    judged
}
