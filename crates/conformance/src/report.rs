//! The results of a run, in the shape of the JSON that `--json` writes.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::judge::{Finding, Judged};
use crate::lane::Lane;
use crate::suite::ScriptFile;

/// How many lines of a script are shown before and after the one that failed.
const CONTEXT: u32 = 3;

/// The JavaScript engine that this program is built with.
pub const ENGINE: &str = if cfg!(feature = "quickjs") {
    "quickjs"
} else {
    "v8"
};

/// The result of a run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// The JavaScript engine of the `script` lane.
    pub engine: String,
    pub totals: BTreeMap<Lane, Totals>,
    pub suites: Vec<SuiteReport>,
    pub files: Vec<FileReport>,
    pub failures: Vec<FailureReport>,
    pub skips: Vec<SkipReport>,
}

/// The directives of a lane, a suite or a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    pub passed: usize,
    pub failed: usize,
    /// Skipped, or failed as expected.
    pub skipped: usize,
    /// The time its files took, added up over workers.
    pub seconds: f64,
}

/// A suite in a lane.
#[derive(Debug, Serialize, Deserialize)]
pub struct SuiteReport {
    pub suite: String,
    pub lane: Lane,
    pub files: usize,
    #[serde(flatten)]
    pub totals: Totals,
}

/// A file in a lane.
#[derive(Debug, Serialize, Deserialize)]
pub struct FileReport {
    pub suite: String,
    /// As `suite/file`.
    pub file: String,
    pub lane: Lane,
    #[serde(flatten)]
    pub totals: Totals,
}

/// A directive that failed.
#[derive(Debug, Serialize, Deserialize)]
pub struct FailureReport {
    pub suite: String,
    /// As `suite/file`.
    pub file: String,
    pub line: u32,
    pub lane: Lane,
    pub directive: String,
    pub expected: String,
    pub got: String,
    /// The lines around it, if the file can be read.
    pub source: Vec<SourceLine>,
}

impl fmt::Display for FailureReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}  {}  {}  expected {}, got {}",
            self.file, self.line, self.lane, self.directive, self.expected, self.got
        )
    }
}

/// A line of a script.
#[derive(Debug, Serialize, Deserialize)]
pub struct SourceLine {
    pub line: u32,
    pub text: String,
}

/// A directive that is known not to pass.
#[derive(Debug, Serialize, Deserialize)]
pub struct SkipReport {
    pub suite: String,
    /// As `suite/file`.
    pub file: String,
    pub line: u32,
    pub lane: Lane,
    pub directive: String,
    pub reason: String,
    /// What happened, if it was run.
    pub got: Option<String>,
}

impl Totals {
    /// How many directives there were.
    pub fn directives(&self) -> usize {
        self.passed + self.failed + self.skipped
    }

    /// Adds other totals.
    pub fn add(&mut self, more: &Self) {
        self.passed += more.passed;
        self.failed += more.failed;
        self.skipped += more.skipped;
        self.seconds += more.seconds;
    }
}

impl Default for Report {
    fn default() -> Self {
        Self {
            engine: ENGINE.to_owned(),
            totals: BTreeMap::new(),
            suites: Vec::new(),
            files: Vec::new(),
            failures: Vec::new(),
            skips: Vec::new(),
        }
    }
}

impl Report {
    /// Counts a file that was run.
    pub fn add_file(&mut self, file: &ScriptFile, lane: Lane, judged: Judged) {
        let totals = Totals {
            passed: judged.passed,
            failed: judged.failed.len(),
            skipped: judged.skipped.len(),
            seconds: judged.seconds,
        };
        let label = file.label();
        let row = self.row(&file.suite, lane);
        row.files += 1;
        row.totals.add(&totals);
        self.totals.entry(lane).or_default().add(&totals);
        self.files.push(FileReport {
            suite: file.suite.clone(),
            file: label.clone(),
            lane,
            totals,
        });
        self.skips
            .extend(judged.skipped.into_iter().map(|skip| SkipReport {
                suite: file.suite.clone(),
                file: label.clone(),
                line: skip.line,
                lane,
                directive: skip.directive.into_owned(),
                reason: skip.reason,
                got: skip.mismatch.map(|mismatch| one_line(&mismatch.got)),
            }));
        if judged.failed.is_empty() {
            return;
        }
        let text = file.read().unwrap_or_default();
        for finding in judged.failed {
            self.push(&file.suite, &label, lane, finding, &text);
        }
    }

    /// Counts a failure that is not of a file that was run.
    pub fn add_failure(&mut self, suite: &str, label: &str, lane: Lane, finding: Finding) {
        let one = Totals {
            failed: 1,
            ..Totals::default()
        };
        self.row(suite, lane).totals.add(&one);
        self.totals.entry(lane).or_default().add(&one);
        self.push(suite, label, lane, finding, "");
    }

    /// Orders everything by lane, suite (as these names are ordered), file and line.
    pub fn sort(&mut self, suites: &[&str]) {
        let position = |suite: &str| suites.iter().position(|name| *name == suite);
        self.suites
            .sort_by_cached_key(|row| (row.lane, position(&row.suite)));
        self.files
            .sort_by_cached_key(|row| (row.lane, position(&row.suite), row.file.clone()));
        self.failures
            .sort_by_cached_key(|row| (row.lane, position(&row.suite), row.file.clone(), row.line));
        self.skips
            .sort_by_cached_key(|row| (row.lane, position(&row.suite), row.file.clone(), row.line));
    }

    /// Whether everything was as expected.
    pub fn is_success(&self) -> bool {
        self.failures.is_empty()
    }

    fn push(&mut self, suite: &str, label: &str, lane: Lane, finding: Finding, text: &str) {
        self.failures.push(FailureReport {
            suite: suite.to_owned(),
            file: label.to_owned(),
            line: finding.line,
            lane,
            directive: finding.directive.into_owned(),
            expected: one_line(&finding.mismatch.expected),
            got: one_line(&finding.mismatch.got),
            source: excerpt(text, finding.line),
        });
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
                totals: Totals::default(),
            });
            self.suites.len() - 1
        });
        &mut self.suites[index]
    }
}

fn excerpt(text: &str, line: u32) -> Vec<SourceLine> {
    let around = line.saturating_sub(CONTEXT)..=line.saturating_add(CONTEXT);
    let lines = (1..).zip(text.lines());
    lines
        .filter(|(line, _)| around.contains(line))
        .map(|(line, text)| SourceLine {
            line,
            text: text.to_owned(),
        })
        .collect()
}

/// Errors of wasmtime and of the text parser quote the source, over several lines.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
