//! `cargo conformance js-api`.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;

use super::expected::{Entry, Expected, Size};
use super::folder::{Folder, TestFile};
use super::judge;
use super::{runtime, worker};
use crate::judge::{Finding, Judged};
use crate::lane::{self, Lane};
use crate::outcome::Mismatch;
use crate::report::{ENGINE, Report};
use crate::report_files::ReportFiles;
use crate::selection::Shard;
use crate::{pool, progress, table};

/// Runs the official tests of WebAssembly's JavaScript API on the `WebAssembly` of `host:wasm`, and says what is not as
/// expected.
///
/// Each file (.any.js) runs in a JavaScript runtime and a process of its own. A file fails if it crashes or hangs, has an
/// error outside of a subtest, or another number of subtests than spec-tests/js-api/subtests.toml says. Exit status: 0
/// when everything is as expected, 1 when something is not, 2 when nothing could be run.
#[derive(Debug, Args)]
pub struct JsApi {
    /// A checkout of WebAssembly/spec or of web-platform-tests; a folder in one (test/js-api, wasm/jsapi); a file in one;
    /// or another folder of such tests.
    #[arg(required_unless_present = "worker")]
    path: Option<PathBuf>,
    /// The object `WebAssembly` to run on: `standard`, that of `host:wasm`, or `own`, that of the JavaScript engine (V8
    /// has one), as a control. May be given several times.
    #[arg(
        long = "lane",
        value_name = "LANE",
        default_value = "standard",
        value_parser = |name: &str| lane::parse(name, &Lane::OBJECTS)
    )]
    lanes: Vec<Lane>,
    /// The folder with what is expected, in expectations.toml and subtests.toml. By default spec-tests/js-api for the
    /// official tests, and none for others.
    #[arg(long, value_name = "FOLDER")]
    expected: Option<PathBuf>,
    /// Write how many subtests each file has to subtests.toml, instead of comparing it.
    #[arg(long)]
    record: bool,
    /// Only files whose name, `js-api/folder/file.any.js`, contains this.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Only the K-th of N equal parts of the files.
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    /// How many files run at a time. By default as many as there are processors.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// How long one file may take in one lane before its process is killed; six times as long if it says that it takes
    /// long.
    #[arg(long, value_name = "SECONDS", default_value = "120")]
    timeout: NonZeroUsize,
    /// Stop at the first failure.
    #[arg(long)]
    fail_fast: bool,
    #[command(flatten)]
    reports: ReportFiles,
    /// Show the files that would run, and run nothing.
    #[arg(long)]
    list: bool,
    /// Show what is known to fail in what would run, and why, and run nothing.
    #[arg(long)]
    list_expected: bool,
    /// Run the file that is asked for on standard input.
    #[arg(long = &crate::worker::ARGUMENT[2..], hide = true)]
    pub worker: bool,
}

/// A file to run in a lane.
struct Job<'a> {
    file: &'a TestFile,
    lane: Lane,
}

/// The files of a command.
struct Files {
    folder: Folder,
    /// All of the folder.
    all: Vec<TestFile>,
    selected: Vec<TestFile>,
}

/// The result of a job.
struct Ran {
    judged: Judged,
    /// The number of subtests of the file, if the run shows it.
    subtests: Option<usize>,
}

impl JsApi {
    /// Does what the process was started for, which is to run one file.
    ///
    /// # Errors
    ///
    /// When JavaScript does not start.
    pub fn serve(&self) -> anyhow::Result<()> {
        worker::serve()
    }

    /// Runs the files in processes that `start` starts. Returns the report as text, and whether all is as expected.
    ///
    /// # Errors
    ///
    /// When there are no files, no process can be started, or a report cannot be read or written.
    pub fn run(&self, start: &(dyn Fn() -> Command + Sync)) -> anyhow::Result<(String, bool)> {
        let files = self.find()?;
        let expected = self.expected(&files.folder)?;
        if self.list {
            let labels = files.selected.iter().map(|file| file.script.label() + "\n");
            return Ok((labels.collect(), true));
        }
        if self.list_expected {
            return Ok((self.list_expected(&files.selected, &expected), true));
        }
        ensure!(
            !self.lanes.contains(&Lane::Own) || runtime::has_own_webassembly(),
            "{ENGINE} has no `WebAssembly` of its own: the lane `own` needs the feature `v8`"
        );
        ensure!(
            !self.record || self.expected.is_some() || files.folder.is_official,
            "--record needs --expected: these are not the official tests"
        );
        let earlier = self.reports.read()?;
        let jobs: Vec<Job<'_>> = self
            .lanes
            .iter()
            .flat_map(|lane| files.selected.iter().map(|file| Job { file, lane: *lane }))
            .collect();
        let results = self.run_jobs(&jobs, &files.folder, &expected, start)?;

        let mut report = Report::default();
        let mut subtests = BTreeMap::new();
        let not_run = jobs.len() - results.len();
        for (job, ran) in results {
            report.add_file(&job.file.script, job.lane, ran.judged);
            subtests.extend(ran.subtests.map(|number| (job.file.name.clone(), number)));
        }
        for lane in &self.lanes {
            check_names(&files, &expected, *lane, &mut report);
        }
        let suites: BTreeSet<&str> = files.all.iter().map(|file| &*file.script.suite).collect();
        report.sort(&Vec::from_iter(suites));
        let is_whole = not_run == 0 && files.selected.len() == files.all.len();
        let changes = self.reports.write(&report, is_whole, &earlier)?;
        let mut text = table::render(&report) + &changes;
        if not_run > 0 {
            text += &format!("stopped at a failure: {not_run} files were not run\n");
        }
        if self.record {
            let names = files.all.iter().map(|file| file.name.as_str());
            let path = expected.record(&files.folder.name, &names.collect(), subtests)?;
            text += &format!("recorded in {}\n", path.display());
        }
        Ok((text, report.is_success()))
    }

    fn find(&self) -> anyhow::Result<Files> {
        let path = self.path.as_deref().context("no path")?;
        let folder = Folder::of(path)?;
        let all = folder.files()?;
        let mut selected = folder.files_at(path)?;
        if let Some(filter) = &self.filter {
            selected.retain(|file| file.script.label().contains(filter));
            ensure!(!selected.is_empty(), "no file matches `{filter}`");
        }
        if let Some(shard) = self.shard {
            shard.retain(&mut selected);
        }
        Ok(Files {
            folder,
            all,
            selected,
        })
    }

    fn expected(&self, folder: &Folder) -> anyhow::Result<Expected> {
        match &self.expected {
            Some(folder) => Expected::read(folder),
            None if folder.is_official => Expected::read(&Expected::official_folder()),
            None => Ok(Expected::default()),
        }
    }

    fn list_expected(&self, files: &[TestFile], expected: &Expected) -> String {
        let mut text = String::new();
        for (lane, file) in self
            .lanes
            .iter()
            .flat_map(|lane| files.iter().map(move |file| (lane, file)))
        {
            for entry in entries(file, *lane, expected) {
                let name = entry.subtest.as_deref().unwrap_or("not run");
                let label = file.script.label();
                text += &format!("{label}  {lane}  {name}  {}\n", entry.reason);
            }
        }
        text
    }

    fn run_jobs<'j>(
        &self,
        jobs: &'j [Job<'j>],
        folder: &Folder,
        expected: &Expected,
        start: &(dyn Fn() -> Command + Sync),
    ) -> anyhow::Result<Vec<(&'j Job<'j>, Ran)>> {
        let batches: Vec<_> = jobs.chunks(1).collect();
        let bar = progress::bar(jobs.len());
        let results = pool::run_in_threads(
            &batches,
            pool::workers(self.jobs),
            || |job| self.run_job(job, folder, expected, start),
            |ran: &Ran| self.fail_fast && !ran.judged.failed.is_empty(),
            |job| {
                bar.set_message(job.file.script.label());
                bar.inc(1);
            },
        )?;
        bar.finish_and_clear();
        Ok(results)
    }

    fn run_job(
        &self,
        job: &Job<'_>,
        folder: &Folder,
        expected: &Expected,
        start: &(dyn Fn() -> Command + Sync),
    ) -> anyhow::Result<Ran> {
        let Job { file, lane } = job;
        let entries = entries(file, *lane, expected);
        if let Some(entry) = entries.iter().find(|entry| entry.subtest.is_none()) {
            return Ok(Ran {
                judged: judge::skipped(&entry.reason),
                subtests: None,
            });
        }
        let timeout = Duration::from_secs(self.timeout.get() as u64);
        let run = worker::run(file, folder, *lane, timeout, start)?;
        let size = match self.record {
            true => Size::Any,
            false => expected.size(&folder.name, &file.name),
        };
        Ok(Ran {
            subtests: run.is_whole().then_some(run.subtests.len()),
            judged: judge::judge(run, &entries, size),
        })
    }
}

/// The entries for a file in a lane, on the JavaScript engine of this program.
fn entries<'e>(file: &TestFile, lane: Lane, expected: &'e Expected) -> Vec<&'e Entry> {
    let of_lane = expected.of_lane(lane, ENGINE);
    of_lane.filter(|entry| entry.file == file.name).collect()
}

/// Adds a failure for each file that is expected and does not exist.
fn check_names(files: &Files, expected: &Expected, lane: Lane, report: &mut Report) {
    let folder = &files.folder.name;
    let is_gone = |name: &str| files.all.iter().all(|file| file.name != name);
    let named = expected
        .of_lane(lane, ENGINE)
        .map(|entry| entry.file.as_str());
    let names: BTreeSet<&str> = expected.recorded_files(folder).chain(named).collect();
    for name in names.into_iter().filter(|name| is_gone(name)) {
        let finding = Finding {
            line: 1,
            directive: "expectation".into(),
            mismatch: Mismatch::new("a file of this name", "none"),
        };
        report.add_failure(folder, &format!("{folder}/{name}"), lane, finding);
    }
}
