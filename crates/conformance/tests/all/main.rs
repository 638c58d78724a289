//! The harness itself: that it notices what is wrong, above all.

#[cfg(feature = "quickjs")]
extern crate no_wamr as _;

mod cli;
mod compare;
mod config;
mod expectations;
mod fails_closed;
mod fixtures;
mod fuzz;
mod fuzz_api;
mod pool;
mod report;
mod selection;
mod survey;
mod threads;

use conformance::features::{Features, Version};
use conformance::hosts::engine::EngineHost;
use conformance::outcome::{Mismatch, Verdict};
use conformance::run::{self, FileRun};
use conformance::suite::ScriptFile;

/// Runs a script on wasmtime with all of Wasm 3.0.
fn run(text: &'static str) -> FileRun {
    run_file(&ScriptFile::embedded("test", "test.wast", text))
}

fn run_file(file: &ScriptFile) -> FileRun {
    let features = Features::of(Version::V3);
    run::run_file(file, &features, &[], &|features| {
        Ok(Box::new(EngineHost::new(features)?))
    })
}

/// The line and directive of what did not pass, with what it says.
fn failures(run: &FileRun) -> Vec<(u32, &'static str, &Mismatch)> {
    let outcomes = run.outcomes.iter();
    outcomes
        .filter_map(|outcome| match &outcome.verdict {
            Verdict::Failed(mismatch) => Some((outcome.line, outcome.directive, mismatch)),
            _ => None,
        })
        .collect()
}

/// Checks a snapshot, which is kept with those of `host:wasm`.
fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(format!("conformance_{name}"), text.trim_end()));
}
