//! The official suites, in the script lane and in the engine lane.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::ensure;
use conformance::config::Config;
use conformance::lane::Lane;
use conformance::pool::Pool;
use conformance::selection::Selection;
use conformance::worker::{self, Job};

use crate::measure::{Bench, Subject};

pub fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    if !bench.wants("suite") {
        return Ok(());
    }
    let suites = Config::load()?.suites;
    let files = Selection::default().find()?.selected;
    let command = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
        command.arg(worker::ARGUMENT);
        command
    };
    let pool = Pool {
        workers: std::thread::available_parallelism()?,
        timeout: Duration::from_secs(120),
        fail_fast: false,
        command: &command,
    };
    let time = |lane: Lane| -> anyhow::Result<Duration> {
        let jobs = files.iter().map(|file| Job {
            file: file.clone(),
            lane,
            features: suites.features(file),
        });
        let jobs: Vec<Job> = jobs.collect();
        let start = Instant::now();
        let results = pool.run(&jobs, |_| {})?;
        let failed = results.iter().any(|(_, judged)| !judged.failed.is_empty());
        ensure!(!failed, "the {lane} lane does not pass");
        Ok(start.elapsed())
    };
    let subject = Subject {
        name: "suite",
        target: Some(2.0),
        against: "the engine lane",
        per_round: 1,
    };
    bench.compare(&subject, || time(Lane::Script), || time(Lane::Engine))
}
