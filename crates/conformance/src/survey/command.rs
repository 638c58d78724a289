//! `cargo conformance survey`.

use std::env;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use super::report::{Fence, ModuleReport, Report};
use super::sources::{self, Found};
use super::text::show;
use super::worker::{self, Worker};
use super::{html, markdown, table};
use crate::{files, progress};

/// Says what modules need, and whether `host:wasm` takes them: those in files (.wasm, .wat), in packages (.tgz), and in
/// folders of these.
///
/// Each module is compiled by wasmtime alone and by `host:wasm`, instantiated with stand-ins for its imports, and run
/// under a fence, in processes of its own. A cap that it exceeds is raised for it, and shown. Exit status: 0 when all
/// modules are taken, 1 when one is not, 2 when there is none.
#[derive(Debug, Args)]
pub struct Survey {
    /// Modules, packages, and folders of them.
    #[arg(required_unless_present = "worker")]
    paths: Vec<PathBuf>,
    /// Only the N largest modules at each path.
    #[arg(long, value_name = "N")]
    largest: Option<NonZeroUsize>,
    /// How many modules are surveyed at a time. Each is compiled on all processors, so that more than one makes the
    /// times longer.
    #[arg(long, value_name = "N", default_value = "1")]
    jobs: NonZeroUsize,
    /// How long reading, compiling or running a module may each take before its process is killed.
    #[arg(long, value_name = "SECONDS", default_value = "600")]
    timeout: NonZeroU64,
    /// The fuel of a module's instance.
    #[arg(long, value_name = "N", default_value = "100000000")]
    fuel: u64,
    /// The deadline of a start function and of a call.
    #[arg(long, value_name = "MILLISECONDS", default_value = "10000")]
    deadline: u64,
    /// Write the report to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report to this file as a page.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the report to this file as Markdown.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Show the runs in the report of an earlier `--json` too, in the page and in Markdown: those of the other JavaScript
    /// engine. May be given several times.
    #[arg(long, value_name = "FILE")]
    beside: Vec<PathBuf>,
    /// Run what is asked for on standard input.
    #[arg(long = &crate::worker::ARGUMENT[2..], hide = true)]
    pub worker: bool,
}

impl Survey {
    /// Does what the process was started for, which is to take the steps that it reads.
    ///
    /// # Errors
    ///
    /// When a request is not understood.
    pub fn serve(&self) -> anyhow::Result<()> {
        worker::serve()
    }

    /// Surveys the modules in processes that `start` starts. Returns the report as text, and whether all are taken.
    ///
    /// # Errors
    ///
    /// When there are no modules, no process can be started, or a report cannot be read or written.
    pub fn run(&self, start: &(dyn Fn() -> Command + Sync)) -> anyhow::Result<(String, bool)> {
        // Before the long part, in case that a file cannot be read or written.
        let beside = self.beside.iter().map(|path| files::read_json(path));
        let beside = beside.collect::<anyhow::Result<Vec<Report>>>()?;
        let sources = sources::find(&self.paths, self.largest)?;
        for path in [&self.json, &self.html, &self.markdown]
            .into_iter()
            .flatten()
        {
            files::check_writable(path)?;
        }
        let fence = Fence {
            fuel: self.fuel,
            timeout_ms: self.deadline,
        };
        let mut report = Report::new(fence);
        report.unreadable = sources.unreadable;
        let worker = Worker {
            start,
            timeout: Duration::from_secs(self.timeout.get()),
            fence,
        };
        // After each module, in case that the run is ended before the last.
        let save = |report: &Report| match &self.json {
            Some(path) => files::write(path, &serde_json::to_string_pretty(report)?),
            None => Ok(()),
        };
        survey(&sources.modules, &worker, self.jobs, &mut report, save)?;
        let reports: Vec<&Report> = std::iter::once(&report).chain(&beside).collect();
        if let Some(path) = &self.html {
            files::write(path, &html::render(&reports))?;
        }
        if let Some(path) = &self.markdown {
            files::write(path, &markdown::render(&reports, &command_line()))?;
        }
        Ok((table::render(&report), report.is_success()))
    }
}

/// Returns the command that this process was started with.
fn command_line() -> String {
    let args = env::args_os().skip(1);
    let args = args.map(|arg| show(&arg.to_string_lossy()));
    std::iter::once("cargo conformance".to_owned())
        .chain(args)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Surveys modules, so many at a time, and adds their reports, in the order of the modules. `save` gets the whole report
/// after each of them.
fn survey(
    modules: &[Found],
    worker: &Worker<'_>,
    jobs: NonZeroUsize,
    report: &mut Report,
    save: impl Fn(&Report) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    let progress = progress::bar(modules.len());
    let (sender, surveyed) = mpsc::channel();
    let work = |sender: mpsc::Sender<anyhow::Result<(usize, ModuleReport)>>| {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(module) = modules.get(number) else {
                return;
            };
            progress.set_message(module.name.clone());
            let surveyed = worker.survey(module);
            let is_broken = surveyed.is_err();
            let sent = sender.send(surveyed.map(|module| (number, module)));
            if sent.is_err() || is_broken {
                return;
            }
        }
    };
    let mut numbers: Vec<usize> = Vec::new();
    thread::scope(|scope| -> anyhow::Result<()> {
        for _ in 0..jobs.get().min(modules.len()) {
            let sender = sender.clone();
            thread::Builder::new()
                .spawn_scoped(scope, || work(sender))
                .context("cannot start a thread")?;
        }
        drop(sender);
        for surveyed in surveyed {
            let (number, module) = surveyed?;
            progress.inc(1);
            let count = numbers.len() + 1;
            let line = format!(
                "{count}/{}  {}  {}",
                modules.len(),
                module.name,
                module.verdict()
            );
            progress::line_without_terminal(&progress, &line);
            let at = numbers.partition_point(|before| *before < number);
            numbers.insert(at, number);
            report.modules.insert(at, module);
            save(report)?;
        }
        Ok(())
    })?;
    progress.finish_and_clear();
    Ok(())
}
