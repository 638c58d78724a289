//! What a process that runs a file says of it.

use serde::{Deserialize, Serialize};

/// Something that happened while a file ran. Subtests are numbered from 0, in the order in which they came to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A subtest came to be. The line is that of the file, and 0 if it is elsewhere.
    Subtest { name: String, line: u32 },
    /// A subtest runs.
    Began { subtest: u32 },
    /// A subtest has ended. The message says why it failed, and is empty if it passed.
    Ended { subtest: u32, message: String },
    /// An error that is not of a subtest.
    Error { line: u32, message: String },
    /// The last event. Unless the file is `done`, it waited still when there was nothing left to run.
    End { done: bool, seconds: f64 },
}
