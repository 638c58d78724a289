//! One test for every file of every suite: all lanes must pass it, except for known failures.

#[cfg(feature = "quickjs")]
extern crate no_wamr as _;

use std::process::ExitCode;
use std::sync::Arc;

use conformance::config::Config;
use conformance::lane::{Hosts, Lane};
use conformance::report::Report;
use conformance::run::with_deep_stack;
use conformance::selection::Selection;
use conformance::suite::ScriptFile;
use conformance::worker::Job;
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> anyhow::Result<ExitCode> {
    let args = Arguments::from_args();
    let config = Arc::new(Config::load()?);
    let files = Selection::default().find()?.selected;
    let trials = files.into_iter().map(|file| {
        let config = config.clone();
        Trial::test(file.label(), move || in_all_lanes(&file, &config))
    });
    Ok(libtest_mimic::run(&args, trials.collect()).exit_code())
}

fn in_all_lanes(file: &ScriptFile, config: &Config) -> Result<(), Failed> {
    let mut report = Report::default();
    for lane in Lane::SCRIPTS {
        let job = Job {
            file: file.clone(),
            lane,
            features: config.suites.features(file),
        };
        // A thread for each job: deno_core's QuickJS backend keeps data of every ended runtime per thread, and starts
        // no more runtimes after some hundred.
        let judged = with_deep_stack(|| job.run(&config.expectations, &Hosts::default()))?;
        report.add_file(file, lane, judged);
    }
    let failures: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    if failures.is_empty() {
        Ok(())
    } else {
        Err(failures.join("\n").into())
    }
}
