//! The selection of files, and checks of a suite as a whole.

use std::collections::BTreeSet;

use conformance::config::{Config, Suites};
use conformance::expectations::Expectations;
use conformance::judge::Judged;
use conformance::lane::Lane;
use conformance::report::Report;
use conformance::selection::{Files, Selection, Shard};
use conformance::suite;

fn find(suites: &[&str], shard: Option<&str>) -> Files {
    let selection = Selection {
        suites: suites.iter().map(|suite| (*suite).to_owned()).collect(),
        shard: shard.map(|shard| shard.parse().unwrap()),
        ..Selection::default()
    };
    selection.find().unwrap()
}

fn labels(files: &Files) -> Vec<String> {
    files.selected.iter().map(|file| file.label()).collect()
}

#[test]
fn by_default_every_file_runs() {
    let all = Selection::default().find().unwrap();
    let suites: BTreeSet<&str> = all.suites().into_iter().collect();
    assert_eq!(suites, BTreeSet::from_iter(suite::names()));
    assert!(all.is_whole());
}

#[test]
fn shards_are_disjoint_complete_and_of_similar_size() {
    let suites = ["wasm-1.0", "memory64"];
    let whole = labels(&find(&suites, None));
    let shards = ["1/3", "2/3", "3/3"].map(|shard| labels(&find(&suites, Some(shard))));
    let sizes = shards.each_ref().map(Vec::len);
    assert!(
        sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1,
        "{sizes:?}"
    );
    let mut together: Vec<String> = shards.concat();
    together.sort();
    let mut sorted = whole.clone();
    sorted.sort();
    assert_eq!(together, sorted);
    assert_eq!(labels(&find(&suites, Some("1/1"))), whole);
    assert!(!find(&suites, Some("1/3")).is_whole());
}

#[test]
fn invalid_shards_are_refused() {
    for text in ["", "1", "0/2", "3/2", "1/0", "a/b", "1/2/3", "-1/2"] {
        assert!(text.parse::<Shard>().is_err(), "{text}");
    }
}

/// The failures that are reported about a suite of two files, each of which passed one directive, in a run of a shard.
fn complaints(suites: &str, expectations: &str, shard: Option<&str>) -> Vec<String> {
    let names = suite::names();
    let config = Config {
        suites: Suites::parse(suites, &names).unwrap(),
        expectations: Expectations::parse(expectations, &names).unwrap(),
    };
    let files = find(&["sign-extension-ops"], shard);
    let mut report = Report::default();
    for file in &files.selected {
        let judged = Judged {
            passed: 1,
            ..Judged::default()
        };
        report.add_file(file, Lane::Script, judged);
    }
    files.check(&config, Lane::Script, &mut report);
    report.failures.iter().map(ToString::to_string).collect()
}

#[test]
fn a_suite_that_shrank() {
    let size = |files, directives| {
        format!("[sign-extension-ops]\nsize = {{ files = {files}, directives = {directives} }}")
    };
    assert_eq!(complaints(&size(2, 2), "", None), Vec::<String>::new());
    assert_eq!(
        complaints(&size(3, 2), "", None),
        ["sign-extension-ops:1  script  suite  expected 3 files, as suites.toml says, got 2"]
    );
    assert_eq!(
        complaints(&size(2, 3), "", None),
        ["sign-extension-ops:1  script  suite  expected 3 directives, as suites.toml says, got 2"]
    );
    // A shard cannot check the number of directives, but the number of files.
    assert_eq!(
        complaints(&size(2, 3), "", Some("1/2")),
        Vec::<String>::new()
    );
    assert_eq!(complaints(&size(3, 3), "", Some("1/2")).len(), 1);
}

#[test]
fn an_expectation_for_a_file_that_is_gone() {
    let stale = r#"[[expect]]
        suite = "sign-extension-ops"
        file = "gone.wast"
        lane = "engine"
        outcome = "fail"
        reason = "wasmtime cannot""#;
    for shard in [None, Some("1/2")] {
        assert_eq!(
            complaints("", stale, shard),
            [
                "sign-extension-ops/gone.wast:1  script  expectation  expected to fail, because: \
              wasmtime cannot, got no such file: remove it from expectations"
            ]
        );
    }
}
