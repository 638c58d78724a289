//! What a run found, in the shape of its JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::judge::{Finding, Judged};
use crate::lane::Lane;

/// The result of a run.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub totals: BTreeMap<Lane, Totals>,
    pub suites: Vec<SuiteReport>,
    pub failures: Vec<FailureReport>,
}

/// The directives of a lane.
#[derive(Debug, Default, Serialize)]
pub struct Totals {
    pub passed: usize,
    pub failed: usize,
    /// Skipped, or failed as expected.
    pub skipped: usize,
    /// The time its files took, added up over threads.
    pub seconds: f64,
}

/// The directives of a suite in a lane.
#[derive(Debug, Serialize)]
pub struct SuiteReport {
    pub suite: String,
    pub lane: Lane,
    pub files: usize,
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
    pub seconds: f64,
}

/// A directive that did not do what is expected.
#[derive(Debug, Serialize)]
pub struct FailureReport {
    /// As `suite/file`.
    pub file: String,
    pub line: u32,
    pub lane: Lane,
    pub directive: &'static str,
    pub expected: String,
    pub got: String,
}

impl Report {
    /// Counts a file that was run.
    pub fn add_file(&mut self, suite: &str, label: &str, lane: Lane, judged: Judged) {
        let row = self.row(suite, lane);
        row.files += 1;
        row.passed += judged.passed;
        row.skipped += judged.skipped;
        row.seconds += judged.seconds;
        let totals = self.totals.entry(lane).or_default();
        totals.passed += judged.passed;
        totals.skipped += judged.skipped;
        totals.seconds += judged.seconds;
        for finding in judged.failed {
            self.add_failure(suite, label, lane, finding);
        }
    }

    /// Counts a failure.
    pub fn add_failure(&mut self, suite: &str, label: &str, lane: Lane, finding: Finding) {
        self.row(suite, lane).failed += 1;
        self.totals.entry(lane).or_default().failed += 1;
        self.failures.push(FailureReport {
            file: label.to_owned(),
            line: finding.line,
            lane,
            directive: finding.directive,
            expected: one_line(&finding.mismatch.expected),
            got: one_line(&finding.mismatch.got),
        });
    }

    /// Whether everything was as expected.
    pub fn is_success(&self) -> bool {
        self.failures.is_empty()
    }

    fn row(&mut self, suite: &str, lane: Lane) -> &mut SuiteReport {
        let found = self
            .suites
            .iter()
            .position(|row| row.suite == suite && row.lane == lane);
        let index = found.unwrap_or_else(|| {
            self.suites.push(SuiteReport {
                suite: suite.to_owned(),
                lane,
                files: 0,
                passed: 0,
                failed: 0,
                skipped: 0,
                seconds: 0.0,
            });
            self.suites.len() - 1
        });
        &mut self.suites[index]
    }
}

/// Errors of wasmtime and of the text parser come with a picture of the place, over several lines.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
