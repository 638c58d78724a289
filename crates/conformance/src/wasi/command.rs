//! `cargo conformance wasi`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;

use super::folder::{self, Program, SUITES, Version};
use super::operations::{self, Ended};
use crate::expectations::Expectations;
use crate::judge::{Judged, Skip, judge};
use crate::lane::{self, Lane};
use crate::outcome::{Mismatch, Outcome, Verdict};
use crate::report::Report;
use crate::report_files::ReportFiles;
use crate::run::FileRun;
use crate::selection::Shard;
use crate::suite;
use crate::{files, pool, progress, table};

/// Runs the programs of wasi-testsuite in one or several lanes, and says what is not as expected.
///
/// Programs of preview 1 run as they are, and once more as components of WASI 0.2. Each call of a program has a process and a
/// copy of its folder of its own. A program fails if it does not do what the JSON file beside it says, if that file or the
/// manifest of its folder is not understood, or if it crashes or hangs. Exit status: 0 when everything is as expected, 1 when
/// something is not, 2 when nothing could be run.
#[derive(Debug, Args)]
pub struct Wasi {
    /// A checkout of WebAssembly/wasi-testsuite with its programs (the branch prod/testsuite-base), a folder in one, a
    /// program (.wasm), or another folder of such programs.
    #[arg(required_unless_present = "guest")]
    path: Option<PathBuf>,
    /// A lane to run in; may be given several times. By default all.
    #[arg(
        long = "lane",
        value_name = "LANE",
        value_parser = |name: &str| lane::parse(name, &Lane::SCRIPTS)
    )]
    lanes: Vec<Lane>,
    /// Only programs whose name, `suite/language/program`, contains this.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Only the K-th of N equal parts of the programs.
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    /// How many programs run at a time. By default as many as there are processors.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// How long one call of a program may take before its process is killed.
    #[arg(long, value_name = "SECONDS", default_value = "120")]
    timeout: NonZeroUsize,
    /// Stop at the first failure.
    #[arg(long)]
    fail_fast: bool,
    #[command(flatten)]
    reports: ReportFiles,
    /// Show the programs that would run, and run nothing.
    #[arg(long)]
    list: bool,
    /// Run this program.
    #[arg(long, hide = true)]
    pub guest: Option<String>,
}

/// A program to run in a lane.
struct Job<'a> {
    program: &'a Program,
    lane: Lane,
}

impl Wasi {
    /// Runs the programs in processes that `start` starts. Returns the report as text, and whether all is as expected.
    ///
    /// # Errors
    ///
    /// When there are no programs, no process can be started, or a report cannot be read or written.
    pub fn run(&self, start: &(dyn Fn() -> Command + Sync)) -> anyhow::Result<(String, bool)> {
        let path = self.path.as_deref().context("no path")?;
        let all = folder::find(path)?;
        let mut selected = all.clone();
        if let Some(filter) = &self.filter {
            selected.retain(|program| program.script.label().contains(filter));
            ensure!(!selected.is_empty(), "no program matches `{filter}`");
        }
        if let Some(shard) = self.shard {
            shard.retain(&mut selected);
        }
        if self.list {
            let labels = selected.iter().map(|program| program.script.label() + "\n");
            return Ok((labels.collect(), true));
        }
        let expectations = files::read(&suite::spec_tests().join("wasi/expectations.toml"))?;
        let expectations = Expectations::parse(&expectations, &SUITES)?;
        let earlier = self.reports.read()?;
        let lanes = match self.lanes.as_slice() {
            [] => Lane::SCRIPTS.to_vec(),
            lanes => lanes.to_vec(),
        };
        let jobs: Vec<Job<'_>> = lanes
            .iter()
            .flat_map(|lane| {
                selected.iter().map(|program| Job {
                    program,
                    lane: *lane,
                })
            })
            .collect();
        let results = self.run_jobs(&jobs, &expectations, start)?;
        let not_run = jobs.len() - results.len();
        let mut report = Report::default();
        for (job, judged) in results {
            report.add_file(&job.program.script, job.lane, judged);
        }
        report.sort(&SUITES);
        let is_whole = not_run == 0 && selected.len() == all.len();
        let changes = self.reports.write(&report, is_whole, &earlier)?;
        let mut text = table::render(&report) + &changes;
        if not_run > 0 {
            text += &format!("stopped at a failure: {not_run} programs were not run\n");
        }
        Ok((text, report.is_success()))
    }

    fn run_jobs<'j>(
        &self,
        jobs: &'j [Job<'j>],
        expectations: &Expectations,
        start: &(dyn Fn() -> Command + Sync),
    ) -> anyhow::Result<Vec<(&'j Job<'j>, Judged)>> {
        let batches: Vec<_> = jobs.chunks(1).collect();
        let bar = progress::bar(jobs.len());
        let results = pool::run_in_threads(
            &batches,
            pool::workers(self.jobs),
            || |job| self.run_job(job, expectations, start),
            |judged: &Judged| self.fail_fast && !judged.failed.is_empty(),
            |job| {
                bar.set_message(job.program.script.label());
                bar.inc(1);
            },
        )?;
        bar.finish_and_clear();
        Ok(results)
    }

    fn run_job(
        &self,
        job: &Job<'_>,
        expectations: &Expectations,
        start: &(dyn Fn() -> Command + Sync),
    ) -> anyhow::Result<Judged> {
        let Job { program, lane } = job;
        let calls = program.calls();
        // The other lanes have one way to call a function.
        let calls = match lane {
            Lane::Script => &calls[..],
            _ => &calls[..1],
        };
        let timeout = Duration::from_secs(self.timeout.get() as u64);
        let began = Instant::now();
        // Those of WASI 0.3 that need servers and requests of HTTP.
        let unsupported = program
            .unsupported()
            .filter(|_| program.version == Version::Preview3);
        if let Some(operation) = unsupported {
            let skip = |call: &&'static str| Skip {
                line: 1,
                directive: (*call).into(),
                reason: format!("this command does not do `{operation}`"),
                mismatch: None,
            };
            return Ok(Judged {
                skipped: calls.iter().map(skip).collect(),
                ..Judged::default()
            });
        }
        let mut outcomes = Vec::new();
        for call in calls {
            let ended = operations::run(program, *lane, call, timeout, start)?;
            let verdict = match ended {
                Ok(Ended::Passed) => Verdict::Passed,
                Ok(Ended::Refused(reason)) => {
                    Verdict::Failed(Mismatch::new("to run", format!("refused: {reason}")))
                }
                Err(mismatch) => Verdict::Failed(mismatch),
            };
            outcomes.push(Outcome {
                line: 1,
                directive: call,
                verdict,
            });
        }
        let run = FileRun {
            outcomes,
            complete: true,
            seconds: began.elapsed().as_secs_f64(),
        };
        let script = &program.script;
        let entries = expectations.of(&script.suite, &script.name, *lane);
        Ok(judge(run, &entries))
    }
}
