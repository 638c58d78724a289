//! Runs many files on several threads.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use anyhow::Context as _;

use crate::expectations::Expectations;
use crate::features::SuiteFeatures;
use crate::judge::{Judged, judge};
use crate::lane::Lane;
use crate::run::run_file;
use crate::suite::ScriptFile;

/// Room for a script that exhausts the WebAssembly stack on top of a deep native one.
const STACK_SIZE: usize = 16 << 20;

/// A file to run in a lane.
#[derive(Clone, Debug)]
pub struct Job {
    pub file: ScriptFile,
    pub lane: Lane,
}

/// Runs all jobs on up to `threads` threads; the results are in the order of the jobs.
///
/// `done` is told of each job that has ended.
///
/// # Errors
///
/// When no thread can be started.
pub fn run_all(
    jobs: &[Job],
    threads: NonZeroUsize,
    features: &SuiteFeatures,
    expectations: &Expectations,
    mut done: impl FnMut(&Job),
) -> anyhow::Result<Vec<Judged>> {
    let next = AtomicUsize::new(0);
    let (sender, results) = mpsc::channel();
    let work = |sender: mpsc::Sender<(usize, Judged)>| {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(index) else {
                return;
            };
            // A thread for each: QuickJS's facade keeps something per thread of every runtime
            // that it ends, and starts no more after some hundred.
            let judged = thread::scope(|scope| {
                let thread = thread::Builder::new().stack_size(STACK_SIZE);
                let run = || run_job(job, features, expectations);
                thread.spawn_scoped(scope, run).ok()?.join().ok()
            });
            let Some(judged) = judged else { return };
            if sender.send((index, judged)).is_err() {
                return;
            }
        }
    };
    let mut judged: Vec<Option<Judged>> = jobs.iter().map(|_| None).collect();
    thread::scope(|scope| -> anyhow::Result<()> {
        for _ in 0..threads.get().min(jobs.len()) {
            let sender = sender.clone();
            thread::Builder::new()
                .spawn_scoped(scope, || work(sender))
                .context("cannot start a thread")?;
        }
        drop(sender);
        for (index, result) in results {
            done(&jobs[index]);
            judged[index] = Some(result);
        }
        Ok(())
    })?;
    judged
        .into_iter()
        .collect::<Option<Vec<Judged>>>()
        .context("a thread ended before its work was done")
}

fn run_job(job: &Job, features: &SuiteFeatures, expectations: &Expectations) -> Judged {
    let entries = expectations.of(&job.file.suite, &job.file.name, job.lane);
    let run = run_file(
        &job.file,
        &features.of(&job.file.suite),
        &entries,
        &|features| job.lane.host(features),
    );
    judge(run, &entries)
}
