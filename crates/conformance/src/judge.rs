//! Compares the outcomes of a file with the expectations.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::expectations::{Expectation, ExpectedOutcome};
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

/// A failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub line: u32,
    /// The directive that failed, or `file`, `parse`, `expectation`, `suite` if the failure is not of one directive.
    pub directive: Cow<'static, str>,
    pub mismatch: Mismatch,
}

/// A directive that is known not to pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    pub line: u32,
    pub directive: Cow<'static, str>,
    /// The reason, from the entry in the expectations.
    pub reason: String,
    /// How it failed, if it was run.
    pub mismatch: Option<Mismatch>,
}

impl Finding {
    /// A failure of a file as a whole.
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
            ExpectedOutcome::Fail => "to fail",
            ExpectedOutcome::Skip => "to be skipped",
        };
        Self {
            line: entry.line.unwrap_or(1),
            directive: "expectation".into(),
            mismatch: Mismatch::new(format!("{outcome}, because: {}", entry.reason), got),
        }
    }

    /// A suite of another size than `suites.toml` says.
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
    /// The result of a file that did not run.
    fn from(finding: Finding) -> Self {
        Self {
            failed: vec![finding],
            ..Self::default()
        }
    }
}

/// Whether an entry of the expectations is right.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum EntryUse {
    /// No directive is on its lines.
    Unseen,
    /// Directives are on its lines, and none ended as it says.
    Contradicted,
    /// A directive ended as it says.
    Used,
}

/// Compares `run` with the `entries` for its file and lane.
///
/// A panic, or a file that cannot be run at all, is a failure whatever the entries say.
pub fn judge(run: FileRun, entries: &[&Expectation]) -> Judged {
    let mut judged = Judged {
        seconds: run.seconds,
        ..Judged::default()
    };
    let mut entry_uses = vec![EntryUse::Unseen; entries.len()];
    for outcome in run.outcomes {
        let mut reason = None;
        for (entry, entry_use) in entries.iter().zip(&mut entry_uses) {
            if !entry.covers(outcome.line) {
                continue;
            }
            let holds = match outcome.verdict {
                Verdict::Failed(_) => {
                    entry.outcome == ExpectedOutcome::Fail && outcome.directive != FILE
                }
                Verdict::Skipped => entry.outcome == ExpectedOutcome::Skip,
                Verdict::Passed | Verdict::Running => false,
            };
            *entry_use = (*entry_use).max(if holds {
                EntryUse::Used
            } else {
                EntryUse::Contradicted
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
        // Not every line was reached, so that the other entries may be right.
        return judged;
    }
    for (entry, entry_use) in entries.iter().zip(entry_uses) {
        let got = match entry_use {
            EntryUse::Used => continue,
            EntryUse::Contradicted => "expected to fail, but passed: remove it from expectations",
            EntryUse::Unseen => "no directive there: remove it from expectations",
        };
        judged.failed.push(Finding::wrong_entry(entry, got));
    }
    judged
}
