//! `cargo conformance fuzz`.

use std::fs;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use clap::Args;

use super::compare::{Difference, Tally};
use super::minimise::minimise;
use super::worker::{Worker, reference};
use super::{Case, features, wast};
use crate::run::with_deep_stack;
use crate::{pool, progress, suite, worker};

/// Runs random modules by `host:wasm` and by wasmi, and looks for what is not the same.
///
/// Goes on until it is stopped, has run as long or as much as it was asked to, or has found ten differences. Each is
/// made smaller and written to `spec-tests/regressions/`.
#[derive(Debug, Args)]
pub struct Fuzz {
    /// How long to go on.
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<NonZeroU64>,
    /// How many modules to run.
    #[arg(long, value_name = "N")]
    count: Option<NonZeroU64>,
    /// The seed of the first module; the next has the next. By default the time of day.
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// How many modules run at a time. By default as many as there are processors.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// How long one module may take before its process is killed.
    #[arg(long, value_name = "SECONDS", default_value = "20")]
    timeout: NonZeroU64,
    /// The folder that differences are written to. By default where the suite `spec-tests` has them.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Run what is asked for on standard input.
    #[arg(long = &worker::ARGUMENT[2..], hide = true)]
    pub worker: bool,
}

/// After how many differences it ends: more are rarely others.
const ENOUGH: usize = 10;

/// The folder of the suite `spec-tests` that differences are kept in.
fn regressions() -> PathBuf {
    suite::spec_tests().join("regressions")
}

/// What came of a seed.
type Ran = (u64, Result<Tally, Difference>);

/// The seeds of a run, of which each worker takes the next.
struct Seeds<'a> {
    asked: &'a Fuzz,
    first: u64,
    started: Instant,
    taken: AtomicU64,
    /// How many showed a difference. Counted where they ran, since to make one smaller takes long.
    differences: AtomicUsize,
}

impl Seeds<'_> {
    fn next(&self) -> Option<u64> {
        let limit = self.asked.seconds.map(NonZeroU64::get);
        let is_over = limit.is_some_and(|limit| self.started.elapsed().as_secs() >= limit);
        if is_over || self.differences.load(Ordering::Relaxed) >= ENOUGH {
            return None;
        }
        let index = self.taken.fetch_add(1, Ordering::Relaxed);
        let is_asked = self.asked.count.is_none_or(|count| index < count.get());
        is_asked.then(|| self.first.wrapping_add(index))
    }

    /// Runs seeds until there are no more, or nobody wants to know.
    fn run(&self, worker: &mut Worker<'_>, results: &mpsc::Sender<anyhow::Result<Ran>>) {
        while let Some(seed) = self.next() {
            let ran = worker.run_seed(seed);
            if matches!(ran, Ok(Err(_))) {
                self.differences.fetch_add(1, Ordering::Relaxed);
            }
            let is_broken = ran.is_err();
            let told = results.send(ran.map(|ran| (seed, ran)));
            if is_broken || told.is_err() {
                return;
            }
        }
    }
}

/// What came of a run.
pub struct Summary {
    pub tally: Tally,
    pub seconds: f64,
    /// The scripts that were written, and what they show.
    pub found: Vec<(PathBuf, String)>,
}

impl Fuzz {
    /// Runs modules in processes that `command` starts.
    ///
    /// # Errors
    ///
    /// When no process can be started, or a difference cannot be written.
    pub fn run(&self, command: &(dyn Fn() -> Command + Sync)) -> anyhow::Result<Summary> {
        let seeds = Seeds {
            asked: self,
            first: self.seed.unwrap_or_else(|| {
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                now.map_or(0, |now| now.as_secs())
            }),
            started: Instant::now(),
            taken: AtomicU64::new(0),
            differences: AtomicUsize::new(0),
        };
        let new_worker = || Worker::new(command, Duration::from_secs(self.timeout.get()));
        let mut tally = Tally::default();
        let mut found = Vec::new();
        let mut progress = progress::modules(seeds.first);
        let ended = thread::scope(|scope| -> anyhow::Result<()> {
            let (sender, results) = mpsc::channel();
            for _ in 0..pool::workers(self.jobs).get() {
                let (seeds, sender) = (&seeds, sender.clone());
                thread::Builder::new()
                    .spawn_scoped(scope, move || seeds.run(&mut new_worker(), &sender))
                    .context("cannot start a thread")?;
            }
            drop(sender);
            let mut worker = new_worker();
            for result in results {
                match result? {
                    (_, Ok(one)) => tally += one,
                    (seed, Err(difference)) => {
                        tally.modules += 1;
                        progress.println(format!("{seed}: {difference}"));
                        found.push(self.keep(seed, difference, &mut worker)?);
                    }
                }
                progress.tell(tally.modules, found.len());
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

    /// Makes a case smaller and writes it to a file.
    fn keep(
        &self,
        seed: u64,
        difference: Difference,
        worker: &mut Worker<'_>,
    ) -> anyhow::Result<(PathBuf, String)> {
        // Where it panics, that is what the worker died of.
        let case = with_deep_stack(|| Case::new(seed))??;
        let (case, difference) = minimise(&case, difference, worker)?;
        let features = features();
        let script = wast::script(&case, &difference, &features, &mut reference(&features)?);
        let folder = self.out.clone().unwrap_or_else(regressions);
        let path = folder.join(format!("fuzz-{seed}.wast"));
        write(&path, &script)?;
        Ok((path, difference.to_string()))
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

impl Summary {
    /// The summary as the command prints it.
    pub fn render(&self) -> String {
        let Tally {
            modules,
            invalid,
            alone,
            returned,
            trapped,
            cut_short,
            globals,
            memories,
        } = self.tally;
        let rate = modules as f64 / self.seconds;
        let mut text = format!(
            "{modules} modules in {:.1} s, {rate:.0} a second: {invalid} refused as invalid, {alone} damaged but valid, \
             {cut_short} cut short by fuel or stack\n\
             the same on both: {returned} results, {trapped} traps, {globals} globals, {memories} memories\n\
             {} differences\n",
            self.seconds,
            self.found.len()
        );
        for (path, difference) in &self.found {
            text += &format!("{}: {difference}\n", path.display());
        }
        text
    }
}
