//! Tests of the harness: above all, that it detects errors.

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
mod fuzz_codec;
mod js_api;
mod pool;
mod report;
mod selection;
mod survey;
mod threads;
mod wasi;
mod wasm_types;
mod wast_json;

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
    run_with(file, &Features::of(Version::V3))
}

fn run_with(file: &ScriptFile, features: &Features) -> FileRun {
    run::run_file(file, features, &[], &|features| {
        Ok(Box::new(EngineHost::new(features)?))
    })
}

/// The line, directive and mismatch of each failure.
fn failures(run: &FileRun) -> Vec<(u32, &'static str, &Mismatch)> {
    let outcomes = run.outcomes.iter();
    outcomes
        .filter_map(|outcome| match &outcome.verdict {
            Verdict::Failed(mismatch) => Some((outcome.line, outcome.directive, mismatch)),
            _ => None,
        })
        .collect()
}

/// Compares a text with a snapshot in the folder `snapshots/` of the repository.
fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(format!("conformance_{name}"), text.trim_end()));
}
