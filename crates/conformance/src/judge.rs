//! Measures what a file did against what is expected of it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::expectations::{Expectation, Known};
use crate::outcome::{Mismatch, Verdict};
use crate::run::{FILE, FileRun};

/// The result of a file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Judged {
    pub passed: usize,
    pub failed: Vec<Finding>,
    /// Directives that were skipped or failed as expected.
    pub skipped: Vec<Skip>,
    pub seconds: f64,
}

/// Something that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub line: u32,
    /// The directive, or `file`, `parse`, `expectation`, `suite` where it is none that went wrong.
    pub directive: Cow<'static, str>,
    pub mismatch: Mismatch,
}

/// A directive that is known not to pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    pub line: u32,
    pub directive: Cow<'static, str>,
    /// The reason that its entry gives.
    pub reason: String,
    /// What happened, if it was run.
    pub mismatch: Option<Mismatch>,
}

impl Finding {
    /// A finding about a file as a whole.
    pub fn of_file(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self {
            line: 1,
            directive: FILE.into(),
            mismatch: Mismatch::new(expected, got),
        }
    }

    /// An entry of the expectations that is wrong.
    pub fn wrong_entry(entry: &Expectation, got: &str) -> Self {
        let outcome = match entry.outcome {
            Known::Fail => "to fail",
            Known::Skip => "to be skipped",
        };
        Self {
            line: entry.line.unwrap_or(1),
            directive: "expectation".into(),
            mismatch: Mismatch::new(format!("{outcome}, because: {}", entry.reason), got),
        }
    }

    /// A suite that does not hold what `suites.toml` says.
    pub fn wrong_size(expected: usize, got: usize, what: &str) -> Self {
        let expected = format!("{expected} {what}, as suites.toml says");
        Self {
            line: 1,
            directive: "suite".into(),
            mismatch: Mismatch::new(expected, got.to_string()),
        }
    }
}

impl From<Finding> for Judged {
    /// The result of a file of which nothing else is known.
    fn from(finding: Finding) -> Self {
        Self {
            failed: vec![finding],
            ..Self::default()
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
        let mut reason = None;
        for (entry, became) in entries.iter().zip(&mut became) {
            if !entry.covers(outcome.line) {
                continue;
            }
            let holds = match outcome.verdict {
                Verdict::Failed(_) => entry.outcome == Known::Fail && outcome.directive != FILE,
                Verdict::Skipped => entry.outcome == Known::Skip,
                Verdict::Passed | Verdict::Running => false,
            };
            *became = (*became).max(if holds {
                Entry::Used
            } else {
                Entry::Contradicted
            });
            if holds {
                reason.get_or_insert(&entry.reason);
            }
        }
        let mismatch = match (outcome.verdict, reason) {
            (Verdict::Passed, _) => {
                judged.passed += 1;
                continue;
            }
            (verdict, Some(reason)) => {
                judged.skipped.push(Skip {
                    line: outcome.line,
                    directive: outcome.directive.into(),
                    reason: reason.clone(),
                    mismatch: match verdict {
                        Verdict::Failed(mismatch) => Some(mismatch),
                        _ => None,
                    },
                });
                continue;
            }
            (Verdict::Failed(mismatch), None) => mismatch,
            (Verdict::Skipped, None) => Mismatch::new("to run", "skipped, and nothing says why"),
            (Verdict::Running, None) => Mismatch::new("to end", "never ended"),
        };
        judged.failed.push(Finding {
            line: outcome.line,
            directive: outcome.directive.into(),
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
