//! The command `cargo conformance`.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use anyhow::{Context as _, ensure};
use clap::Parser;

use crate::expectations::Expectations;
use crate::features::SuiteFeatures;
use crate::judge::Finding;
use crate::lane::Lane;
use crate::pool::{Job, run_all};
use crate::report::Report;
use crate::suite::{self, ScriptFile};
use crate::{progress, table};

/// Runs WebAssembly test suites in one or several lanes and says what is not as expected.
///
/// Exit status: 0 when everything is as expected, 1 when something is not, 2 when nothing could be run.
#[derive(Debug, Parser)]
#[command(name = "cargo conformance")]
struct Args {
    /// Scripts (.wast), fixtures (.wat) or folders of them to run, instead of the suites.
    paths: Vec<PathBuf>,
    /// A suite to run; may be given several times. `--list` shows those that run by default.
    #[arg(long = "suite", value_name = "NAME")]
    suites: Vec<String>,
    /// A lane to run in; may be given several times. By default all.
    #[arg(long = "lane", value_name = "LANE")]
    lanes: Vec<Lane>,
    /// Only files whose `suite/file` contains this.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// How many files run at a time. By default as many as there are processors.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Write the report to this file as well.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Show the files that would run, and run nothing.
    #[arg(long)]
    list: bool,
    /// Show what is known to fail in what would run, and why, and run nothing.
    #[arg(long)]
    list_expected: bool,
}

/// Runs the command on the arguments of this process.
pub fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // With stderr gone there is nobody to tell.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether everything was as expected.
fn run(args: &Args) -> anyhow::Result<bool> {
    let names = suite::names();
    let folder = suite::spec_tests();
    let expectations = Expectations::parse(&read(&folder.join("expectations.toml"))?, &names)?;
    let features = SuiteFeatures::parse(&read(&folder.join("suites.toml"))?, &names)?;

    let found = find_files(args)?;
    let mut files = found.clone();
    if let Some(filter) = &args.filter {
        files.retain(|file| file.label().contains(filter));
        ensure!(!files.is_empty(), "no file matches `{filter}`");
    }
    if args.list || args.list_expected {
        print(&if args.list {
            list(&files)
        } else {
            list_expected(&files, &expectations)
        })?;
        return Ok(true);
    }

    let lanes = match args.lanes.as_slice() {
        [] => Lane::available().collect(),
        lanes => lanes.to_vec(),
    };
    let mut jobs = Vec::new();
    for lane in &lanes {
        jobs.extend(files.iter().map(|file| Job {
            file: file.clone(),
            lane: *lane,
        }));
    }
    let threads = match args.jobs {
        Some(threads) => threads,
        None => thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
    };
    let bar = progress::bar(jobs.len());
    let results = run_all(&jobs, threads, &features, &expectations, |job| {
        bar.set_message(job.file.label());
        bar.inc(1);
    })?;
    bar.finish_and_clear();

    let mut report = Report::default();
    for (job, judged) in jobs.iter().zip(results) {
        report.add_file(&job.file.suite, &job.file.label(), job.lane, judged);
    }
    for lane in lanes {
        add_stale(&mut report, &expectations, &found, lane);
    }
    if let Some(path) = &args.json {
        fs::write(path, serde_json::to_string_pretty(&report)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    print(&table::render(&report))?;
    Ok(report.is_success())
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn find_files(args: &Args) -> anyhow::Result<Vec<ScriptFile>> {
    let mut files = Vec::new();
    for path in &args.paths {
        files.extend(suite::at_path(path)?);
    }
    for name in &args.suites {
        files.extend(suite::find(name)?);
    }
    if args.paths.is_empty() && args.suites.is_empty() {
        for name in suite::DEFAULT {
            files.extend(suite::find(name)?);
        }
    }
    Ok(files)
}

/// Entries for files that a suite no longer has. Looks at all files that were found, whatever the filter.
fn add_stale(report: &mut Report, expectations: &Expectations, found: &[ScriptFile], lane: Lane) {
    for entry in &expectations.entries {
        let in_suite = |file: &&ScriptFile| file.suite == entry.suite;
        if entry.applies_to(lane)
            && found.iter().any(|file| in_suite(&file))
            && !found
                .iter()
                .filter(in_suite)
                .any(|file| file.name == entry.file)
        {
            let label = format!("{}/{}", entry.suite, entry.file);
            let finding = Finding::wrong_entry(entry, "no such file: remove it from expectations");
            report.add_failure(&entry.suite, &label, lane, finding);
        }
    }
}

fn list(files: &[ScriptFile]) -> String {
    files.iter().map(|file| file.label() + "\n").collect()
}

fn list_expected(files: &[ScriptFile], expectations: &Expectations) -> String {
    let mut text = String::new();
    for file in files {
        for entry in &expectations.entries {
            if entry.suite == file.suite && entry.file == file.name {
                let line = entry
                    .line
                    .map(|line| format!(":{line}"))
                    .unwrap_or_default();
                text += &format!("{}{line}  {}\n", file.label(), entry.reason);
            }
        }
    }
    text
}

fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever reads this, `head` for one, has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to stdout"),
    }
}
