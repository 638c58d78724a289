//! Runs many files in several processes.

use std::num::NonZeroUsize;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;

use crate::judge::Judged;
use crate::worker::{Job, Worker};

/// How many jobs of one suite a worker takes at a time. Enough for most suites to be run by one worker, which starts
/// the JavaScript runtime that they need once.
const BATCH: usize = 32;

/// How jobs are run.
pub struct Pool<'a> {
    /// How many processes run at a time.
    pub workers: NonZeroUsize,
    /// How long one file may take.
    pub timeout: Duration,
    /// Whether the first failure ends it all.
    pub fail_fast: bool,
    /// How a worker is started.
    pub command: &'a (dyn Fn() -> Command + Sync),
}

/// How many processes run at a time: so many, or as there are processors.
pub fn workers(asked: Option<NonZeroUsize>) -> NonZeroUsize {
    asked.unwrap_or_else(|| thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
}

impl Pool<'_> {
    /// Runs the jobs. The results are in the order in which they came, of all jobs unless a failure ended it before.
    ///
    /// `done` is told of each job that has ended.
    ///
    /// # Errors
    ///
    /// When no worker can be started.
    pub fn run<'j>(
        &self,
        jobs: &'j [Job],
        done: impl FnMut(&Job),
    ) -> anyhow::Result<Vec<(&'j Job, Judged)>> {
        let suites = jobs.chunk_by(|a, b| (a.lane, &a.file.suite) == (b.lane, &b.file.suite));
        let batches: Vec<&[Job]> = suites.flat_map(|jobs| jobs.chunks(BATCH)).collect();
        let start = || {
            let mut worker = Worker::new(self.command, self.timeout);
            move |job: &Job| worker.run(job)
        };
        let ends_it = |judged: &Judged| self.fail_fast && !judged.failed.is_empty();
        run_in_threads(&batches, self.workers, start, ends_it, done)
    }
}

/// Runs batches of jobs on so many threads, each with what `start` makes for it.
///
/// The results are in the order in which they came, of all jobs unless one of them `ends_it` before. `done` is told of
/// each job that has ended.
///
/// # Errors
///
/// When there can be no thread, or a job fails.
pub fn run_in_threads<'j, J: Sync, R: Send, W: FnMut(&'j J) -> anyhow::Result<R>>(
    batches: &[&'j [J]],
    threads: NonZeroUsize,
    start: impl Fn() -> W + Sync,
    ends_it: impl Fn(&R) -> bool + Sync,
    mut done: impl FnMut(&J),
) -> anyhow::Result<Vec<(&'j J, R)>> {
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let (sender, results) = mpsc::channel();
    let work = |sender: mpsc::Sender<anyhow::Result<(&'j J, R)>>| {
        let mut run = start();
        while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
            for job in *batch {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let result = run(job);
                if result.as_ref().map_or(true, &ends_it) {
                    stop.store(true, Ordering::Relaxed);
                }
                if sender.send(result.map(|result| (job, result))).is_err() {
                    return;
                }
            }
        }
    };
    let mut all = Vec::new();
    thread::scope(|scope| -> anyhow::Result<()> {
        for _ in 0..threads.get().min(batches.len()) {
            let sender = sender.clone();
            thread::Builder::new()
                .spawn_scoped(scope, || work(sender))
                .context("cannot start a thread")?;
        }
        drop(sender);
        for result in results {
            let result = result?;
            done(result.0);
            all.push(result);
        }
        Ok(())
    })?;
    Ok(all)
}
