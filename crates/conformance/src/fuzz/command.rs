//! `cargo conformance fuzz`.

use std::fs;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use clap::Args;

use super::compare::{Difference, Tally};
use super::minimise::minimise;
use super::worker::Worker;
use super::{Case, features, wast};
use crate::hosts::wasmi::WasmiHost;
use crate::progress;
use crate::suite;

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
    #[arg(long = &super::worker::ARGUMENT[2..], hide = true)]
    pub worker: bool,
}

/// After how many differences it ends: more are rarely others.
const ENOUGH: usize = 10;

/// The folder of the suite `spec-tests` that differences are kept in.
fn regressions() -> PathBuf {
    suite::spec_tests().join("regressions")
}

/// A seed that showed a difference.
struct Found {
    seed: u64,
    difference: Difference,
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
        let first = self.seed.unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            now.map_or(0, |now| now.as_secs())
        });
        let started = Instant::now();
        let is_over = || {
            let limit = self.seconds.map(|limit| Duration::from_secs(limit.get()));
            limit.is_some_and(|limit| started.elapsed() >= limit)
        };
        let timeout = Duration::from_secs(self.timeout.get());
        let next = AtomicU64::new(0);
        let differences = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        let work = |results: mpsc::Sender<anyhow::Result<Result<Tally, Found>>>| {
            let mut worker = Worker::new(command, timeout);
            while !stop.load(Ordering::Relaxed) && !is_over() {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if self.count.is_some_and(|count| index >= count.get()) {
                    return;
                }
                let seed = first.wrapping_add(index);
                let ran = worker.run_seed(seed);
                let ran = ran.map(|result| result.map_err(|difference| Found { seed, difference }));
                // Here, since to make one smaller takes long.
                let is_found = matches!(ran, Ok(Err(_)));
                if is_found && differences.fetch_add(1, Ordering::Relaxed) + 1 >= ENOUGH {
                    stop.store(true, Ordering::Relaxed);
                }
                let is_end = ran.is_err();
                if results.send(ran).is_err() || is_end {
                    return;
                }
            }
        };
        let mut tally = Tally::default();
        let mut found = Vec::new();
        let mut progress = progress::modules(first);
        let jobs = self
            .jobs
            .unwrap_or_else(|| thread::available_parallelism().unwrap_or(NonZeroUsize::MIN));
        let ended = thread::scope(|scope| -> anyhow::Result<()> {
            let (sender, results) = mpsc::channel();
            for _ in 0..jobs.get() {
                let sender = sender.clone();
                thread::Builder::new()
                    .spawn_scoped(scope, || work(sender))
                    .context("cannot start a thread")?;
            }
            drop(sender);
            let mut worker = Worker::new(command, timeout);
            for result in results {
                match result.inspect_err(|_| stop.store(true, Ordering::Relaxed))? {
                    Ok(one) => tally += one,
                    Err(difference) => {
                        tally.modules += 1;
                        progress.println(format!("{}: {}", difference.seed, difference.difference));
                        found.push(self.keep(difference, &mut worker)?);
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
            seconds: started.elapsed().as_secs_f64(),
            found,
        })
    }

    /// Makes a case smaller and writes it to a file.
    fn keep(&self, found: Found, worker: &mut Worker<'_>) -> anyhow::Result<(PathBuf, String)> {
        let case = Case::new(found.seed)?;
        let (case, difference) = minimise(&case, found.difference, worker)?;
        let features = features();
        let mut reference = WasmiHost::new(&features);
        let script = wast::script(&case, &difference, &features, &mut reference);
        let folder = self.out.clone().unwrap_or_else(regressions);
        let path = folder.join(format!("fuzz-{}.wast", case.seed));
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
