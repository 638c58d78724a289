//! The command `cargo conformance`.

use std::env;
use std::io::{self, ErrorKind, Write as _};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;

use crate::config::{self, Config};
use crate::expectations::Expectations;
use crate::features::{Feature, Features, Version};
use crate::fuzz::command::Fuzz;
use crate::js_api::command::JsApi;
use crate::lane::{self, Lane};
use crate::pool::{self, Pool};
use crate::report::Report;
use crate::report_files::ReportFiles;
use crate::selection::{Files, Selection, Shard};
use crate::suite::ScriptFile;
use crate::survey::command::Survey;
use crate::wasi::command::Wasi;
use crate::wasi::guest;
use crate::worker::{self, Job};
use crate::{progress, table};

/// Runs WebAssembly test suites in one or several lanes and says what is not as expected.
///
/// Exit status: 0 when everything is as expected, 1 when something is not, 2 when nothing could be run.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo conformance", args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    command: Option<Subcommand>,
    #[command(flatten)]
    suites: Suites,
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    Fuzz(Fuzz),
    Survey(Survey),
    JsApi(JsApi),
    Wasi(Wasi),
}

#[derive(Debug, clap::Args)]
struct Suites {
    /// Scripts (.wast, or .json as wast2json writes it), fixtures (.wat) or folders of them to run, instead of the suites.
    paths: Vec<PathBuf>,
    /// The version of WebAssembly that scripts and folders given as PATHS run with. By default a checkout of an official
    /// repository runs with the features of its suite, and any other script with those of `host:wasm`.
    #[arg(long, value_name = "VERSION", requires = "paths")]
    version: Option<Version>,
    /// Features that they run with as well, separated by commas. Without --version, those of `host:wasm` are on too.
    #[arg(
        long,
        value_name = "FEATURES",
        requires = "paths",
        value_delimiter = ','
    )]
    with: Vec<Feature>,
    /// A suite to run; may be given several times. By default all, which `--list` shows.
    #[arg(long = "suite", value_name = "NAME")]
    suites: Vec<String>,
    /// A lane to run in; may be given several times. By default all.
    #[arg(
        long = "lane",
        value_name = "LANE",
        value_parser = |name: &str| lane::parse(name, &Lane::SCRIPTS)
    )]
    lanes: Vec<Lane>,
    /// Only files whose `suite/file` contains this.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Only the K-th of N equal parts of the files.
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    /// How many files run at a time. By default as many as there are processors.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// How long one file may take in one lane before its process is killed.
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
    /// Run what is asked for on standard input.
    #[arg(long = &worker::ARGUMENT[2..], hide = true)]
    worker: bool,
}

impl Suites {
    /// The features that are on for a file: those that were asked for, if it was given by its path.
    fn features(&self, file: &ScriptFile, suites: &config::Suites) -> Features {
        let is_asked = self.version.is_some() || !self.with.is_empty();
        if file.given_path().is_none() || !is_asked {
            return suites.features(file);
        }
        let features = match self.version {
            Some(version) => Features::of(version),
            None => suites.host_wasm(),
        };
        features.with(self.with.iter().copied())
    }
}

/// Runs the command on the arguments of this process.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.command {
        Some(Subcommand::Fuzz(args)) if args.worker => args.serve().map(|()| true),
        Some(Subcommand::Fuzz(args)) => run_fuzz(args),
        Some(Subcommand::Survey(args)) if args.worker => args.serve().map(|()| true),
        Some(Subcommand::Survey(args)) => run_survey(args),
        Some(Subcommand::JsApi(args)) if args.worker => args.serve().map(|()| true),
        Some(Subcommand::JsApi(args)) => run_js_api(args),
        Some(Subcommand::Wasi(args)) if let Some(guest) = &args.guest => return guest::run(guest),
        Some(Subcommand::Wasi(args)) => run_wasi(args),
        None if args.suites.worker => worker::serve().map(|()| true),
        None => run(&args.suites),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // If standard error is closed, there is no other place to report it.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Returns whether it found nothing.
fn run_fuzz(args: &Fuzz) -> anyhow::Result<bool> {
    let worker: &[&str] = match (args.api, args.codec) {
        (true, _) => &["fuzz", "--api", worker::ARGUMENT],
        (_, true) => &["fuzz", "--codec", worker::ARGUMENT],
        _ => &["fuzz", worker::ARGUMENT],
    };
    let command = this_program(worker)?;
    let (text, is_clean) = args.run(&command)?;
    print(&text)?;
    Ok(is_clean)
}

/// Returns whether all modules are taken.
fn run_survey(args: &Survey) -> anyhow::Result<bool> {
    let command = this_program(&["survey", worker::ARGUMENT])?;
    let (text, is_success) = args.run(&command)?;
    print(&text)?;
    Ok(is_success)
}

/// Returns whether everything was as expected.
fn run_js_api(args: &JsApi) -> anyhow::Result<bool> {
    let command = this_program(&["js-api", worker::ARGUMENT])?;
    let (text, is_success) = args.run(&command)?;
    print(&text)?;
    Ok(is_success)
}

/// Returns whether everything was as expected.
fn run_wasi(args: &Wasi) -> anyhow::Result<bool> {
    let command = this_program(&["wasi", "--guest"])?;
    let (text, is_success) = args.run(&command)?;
    print(&text)?;
    Ok(is_success)
}

/// How to start this program with these arguments.
fn this_program(args: &'static [&str]) -> anyhow::Result<impl Fn() -> Command + Sync> {
    let this = env::current_exe().context("cannot find this program")?;
    Ok(move || {
        let mut command = Command::new(&this);
        command.args(args);
        command
    })
}

/// Returns whether everything was as expected.
fn run(args: &Suites) -> anyhow::Result<bool> {
    let config = Config::load()?;
    let selection = Selection {
        paths: args.paths.clone(),
        suites: args.suites.clone(),
        filter: args.filter.clone(),
        shard: args.shard,
    };
    let files = selection.find()?;
    if args.list || args.list_expected {
        print(&if args.list {
            list(&files.selected)
        } else {
            list_expected(&files.selected, &config.expectations)
        })?;
        return Ok(true);
    }
    let earlier = args.reports.read()?;
    let (report, is_whole) = run_files(args, &files, &config)?;
    let changes = args.reports.write(&report, is_whole, &earlier)?;
    print(&(table::render(&report) + &changes))?;
    Ok(report.is_success())
}

/// Returns the report, and whether all files ran.
fn run_files(args: &Suites, files: &Files, config: &Config) -> anyhow::Result<(Report, bool)> {
    let lanes = match args.lanes.as_slice() {
        [] => Lane::SCRIPTS.to_vec(),
        lanes => lanes.to_vec(),
    };
    let mut jobs = Vec::new();
    for file in &files.selected {
        let features = args.features(file, &config.suites);
        jobs.extend(lanes.iter().map(|lane| Job {
            file: file.clone(),
            lane: *lane,
            features: features.clone(),
        }));
    }
    // Files with the same features one after another: a worker keeps its JavaScript runtime for them.
    jobs.sort_by_cached_key(|job| (job.lane, job.features.clone()));
    let command = this_program(&[worker::ARGUMENT])?;
    let pool = Pool {
        workers: pool::workers(args.jobs),
        timeout: Duration::from_secs(args.timeout.get() as u64),
        fail_fast: args.fail_fast,
        command: &command,
    };
    let bar = progress::bar(jobs.len());
    let results = pool.run(&jobs, |job| {
        bar.set_message(job.file.label());
        bar.inc(1);
    })?;
    bar.finish_and_clear();

    let mut report = Report::default();
    let not_run = jobs.len() - results.len();
    for (job, judged) in results {
        report.add_file(&job.file, job.lane, judged);
    }
    for lane in lanes {
        files.check(config, lane, &mut report);
    }
    report.sort(&files.suites());
    if not_run > 0 {
        print(&format!(
            "stopped at a failure: {not_run} files were not run\n"
        ))?;
    }
    Ok((report, files.is_whole() && not_run == 0))
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
        // The reader, `head` for one, has closed the pipe.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to stdout"),
    }
}
