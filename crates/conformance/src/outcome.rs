//! The outcomes of the directives of a script.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The outcome of one directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub line: u32,
    pub directive: &'static str,
    pub verdict: Verdict,
}

/// How a directive ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed(Mismatch),
    /// Not run. The caller that asked to skip it knows the reason.
    Skipped,
    /// Begun and not ended: the last entry of a log that a panic cut short, and each thread that still runs.
    Running,
}

/// The expected result of a directive, and the result that it had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mismatch {
    pub expected: String,
    pub got: String,
}

impl Mismatch {
    pub fn new(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
            got: got.into(),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, got {}", self.expected, self.got)
    }
}
