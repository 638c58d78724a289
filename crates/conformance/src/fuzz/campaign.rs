//! Runs the inputs of many seeds in several processes, until the campaign is over or has enough findings.

use std::fmt;
use std::fs;
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::AddAssign;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::{files, pool, progress};

/// Makes the command that starts a worker process.
pub type StartWorker<'a> = &'a (dyn Fn() -> Command + Sync);

/// A kind of input that is made from seeds.
pub trait Target {
    /// The counts of outcomes.
    type Tally: Tally;
    /// A violation that an input showed.
    type Finding: fmt::Display + Send;
    /// A process that runs inputs.
    type Worker<'a>;

    /// The plural noun for inputs, as in "200 modules".
    const INPUTS: &'static str;
    /// The plural noun for findings, as in "2 differences".
    const FINDINGS: &'static str;

    /// A worker with a timeout for each input.
    fn worker(start: StartWorker<'_>, timeout: Duration) -> Self::Worker<'_>;

    /// Runs the input of a seed.
    ///
    /// # Errors
    ///
    /// When no process can be started.
    fn run(
        worker: &mut Self::Worker<'_>,
        seed: u64,
    ) -> anyhow::Result<Result<Self::Tally, Self::Finding>>;

    /// Makes an input with a finding smaller.
    ///
    /// # Errors
    ///
    /// When no process can be started.
    fn reduce(
        worker: &mut Self::Worker<'_>,
        seed: u64,
        finding: Self::Finding,
    ) -> anyhow::Result<Reduced>;
}

/// Counts of the outcomes of inputs.
pub trait Tally: Default + AddAssign + Send + fmt::Debug {
    /// The counts of one input with a finding.
    fn of_finding() -> Self;
    /// The number of inputs that were run.
    fn inputs(&self) -> u64;
    /// The counts as text, for a campaign of so many seconds.
    fn render(&self, seconds: f64) -> String;
}

/// An input that was made smaller, and its finding.
pub struct Reduced {
    /// The name of the file for it.
    pub file: String,
    pub text: String,
    pub finding: String,
}

/// The settings of a campaign.
pub struct Campaign {
    pub seconds: Option<NonZeroU64>,
    pub count: Option<NonZeroU64>,
    pub first_seed: u64,
    pub jobs: Option<NonZeroUsize>,
    pub timeout: Duration,
    /// The folder for files that show findings.
    pub out: PathBuf,
}

/// The number of findings after which a campaign ends: further ones rarely have new causes.
const ENOUGH: usize = 10;

/// A seed, and its outcome.
type Ran<T> = (u64, Result<<T as Target>::Tally, <T as Target>::Finding>);

/// The seeds of a campaign. Each worker takes the next one.
struct Seeds<'a> {
    campaign: &'a Campaign,
    started: Instant,
    taken: AtomicU64,
    /// Counted as soon as they are found, because making an input smaller takes long.
    findings: AtomicUsize,
}

impl Seeds<'_> {
    fn next(&self) -> Option<u64> {
        let limit = self.campaign.seconds.map(NonZeroU64::get);
        let is_over = limit.is_some_and(|limit| self.started.elapsed().as_secs() >= limit);
        if is_over || self.findings.load(Ordering::Relaxed) >= ENOUGH {
            return None;
        }
        let index = self.taken.fetch_add(1, Ordering::Relaxed);
        let is_asked = self.campaign.count.is_none_or(|count| index < count.get());
        is_asked.then(|| self.campaign.first_seed.wrapping_add(index))
    }

    /// Runs seeds until the campaign is over.
    fn run<T: Target>(
        &self,
        worker: &mut T::Worker<'_>,
        results: &mpsc::Sender<anyhow::Result<Ran<T>>>,
    ) {
        while let Some(seed) = self.next() {
            let ran = T::run(worker, seed);
            if matches!(ran, Ok(Err(_))) {
                self.findings.fetch_add(1, Ordering::Relaxed);
            }
            let is_broken = ran.is_err();
            let sent = results.send(ran.map(|ran| (seed, ran)));
            if is_broken || sent.is_err() {
                return;
            }
        }
    }
}

/// The outcome of a campaign.
pub struct Summary<T: Target> {
    pub tally: T::Tally,
    pub seconds: f64,
    /// The files that were written, and their findings.
    pub found: Vec<(PathBuf, String)>,
}

impl Campaign {
    /// Runs inputs in processes that `start` makes commands for.
    ///
    /// # Errors
    ///
    /// If no process can be started, or a finding cannot be written.
    pub fn run<T: Target>(&self, start: StartWorker<'_>) -> anyhow::Result<Summary<T>> {
        let seeds = Seeds {
            campaign: self,
            started: Instant::now(),
            taken: AtomicU64::new(0),
            findings: AtomicUsize::new(0),
        };
        let mut tally = T::Tally::default();
        let mut found = Vec::new();
        let mut progress = progress::inputs(T::INPUTS, T::FINDINGS, self.first_seed);
        let ended = thread::scope(|scope| -> anyhow::Result<()> {
            let (sender, results) = mpsc::channel();
            for _ in 0..pool::workers(self.jobs).get() {
                let (seeds, sender) = (&seeds, sender.clone());
                thread::Builder::new()
                    .spawn_scoped(scope, move || {
                        seeds.run::<T>(&mut T::worker(start, self.timeout), &sender);
                    })
                    .context("cannot start a thread")?;
            }
            drop(sender);
            let mut worker = T::worker(start, self.timeout);
            for result in results {
                match result? {
                    (_, Ok(one)) => tally += one,
                    (seed, Err(finding)) => {
                        tally += T::Tally::of_finding();
                        progress.println(format!("{seed}: {finding}"));
                        let reduced = T::reduce(&mut worker, seed, finding)?;
                        let out = &self.out;
                        fs::create_dir_all(out)
                            .with_context(|| format!("cannot make {}", out.display()))?;
                        let path = out.join(reduced.file);
                        files::write(&path, &reduced.text)?;
                        found.push((path, reduced.finding));
                    }
                }
                progress.update(tally.inputs(), found.len());
            }
            Ok(())
        });
        progress.end();
        ended?;
        Ok(Summary {
            tally,
            seconds: seeds.started.elapsed().as_secs_f64(),
            found,
        })
    }
}

impl<T: Target> Summary<T> {
    /// The summary as the command prints it.
    pub fn render(&self) -> String {
        let mut text = self.tally.render(self.seconds);
        text += &format!("{} {}\n", self.found.len(), T::FINDINGS);
        for (path, finding) in &self.found {
            text += &format!("{}: {finding}\n", path.display());
        }
        text
    }
}
