//! Processes that run test files, one each, so that a crash or a hang costs no more than its file.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::folder::{Folder, Metadata, TestFile};
use super::judge::FileRun;
use super::runtime;
use crate::lane::Lane;
use crate::process::{self, Process};
use crate::run::with_deep_stack;

/// The file that a process is to run.
#[derive(Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) folder: Folder,
    /// As reports name it.
    pub(super) label: String,
    pub(super) path: PathBuf,
    pub(super) lane: Lane,
}

/// Runs the file that is asked for on standard input, and writes events to standard output.
///
/// # Errors
///
/// When the request is not understood, or JavaScript does not start.
pub fn serve() -> anyhow::Result<()> {
    with_deep_stack(|| {
        let request: Request = process::receive()?;
        let start = Instant::now();
        let done = runtime::run(&request)?;
        process::send(&Event::End {
            done,
            seconds: start.elapsed().as_secs_f64(),
        })
    })?
}

/// How many times longer than others a file may take that says so, as in web-platform-tests.
const LONG: u32 = 6;

/// Runs a file in a process that `start` starts. It has this time, and longer if it says so itself.
///
/// # Errors
///
/// When no process can be started.
pub fn run(
    file: &TestFile,
    folder: &Folder,
    lane: Lane,
    timeout: Duration,
    start: &(dyn Fn() -> Command + Sync),
) -> anyhow::Result<FileRun> {
    let request = Request {
        folder: folder.clone(),
        label: file.script.label(),
        path: file.path().to_owned(),
        lane,
    };
    // A file that cannot be read fails in its process.
    let text = file.script.read().unwrap_or_default();
    let times = if Metadata::parse(&text).is_long {
        LONG
    } else {
        1
    };
    let mut run = FileRun::default();
    let mut process = Process::new(start, timeout.saturating_mul(times));
    if let Err(lost) = process.ask_for_all(&request, |event| run.add(event))? {
        run.lose(&lost);
    }
    Ok(run)
}
