//! Known failures: the failures that they excuse, and errors for entries that no longer apply.

use conformance::expectations::{Expectations, skips};
use conformance::features::{Features, Version};
use conformance::hosts::engine::EngineHost;
use conformance::judge::{Judged, judge};
use conformance::lane::Lane;
use conformance::run;
use conformance::suite::ScriptFile;

const SCRIPT: &str = r#"(module (func (export "one") (result i32) (i32.const 1)))
(assert_return (invoke "one") (i32.const 1))
(assert_return (invoke "one") (i32.const 2))"#;

fn parse(text: &str) -> anyhow::Result<Expectations> {
    Expectations::parse(text, &["suite"])
}

fn entry(rest: &str) -> Expectations {
    let text = format!(
        "[[expect]]\nsuite = \"suite\"\nfile = \"a.wast\"\nlane = \"engine\"\nreason = \"known\"\n{rest}"
    );
    parse(&text).unwrap()
}

fn judged(script: &'static str, expectations: &Expectations) -> Judged {
    let file = ScriptFile::embedded("suite", "a.wast", script);
    let entries = expectations.of(&file.suite, &file.name, Lane::Engine);
    let run = run::run_file(&file, &Features::of(Version::V3), &entries, &|features| {
        Ok(Box::new(EngineHost::new(features)?))
    });
    judge(run, &entries)
}

fn lines(judged: &Judged) -> Vec<(u32, &str)> {
    let failed = judged.failed.iter();
    failed
        .map(|finding| (finding.line, finding.directive.as_ref()))
        .collect()
}

#[test]
fn without_entries_a_failure_is_a_failure() {
    let judged = judged(SCRIPT, &Expectations::default());
    assert_eq!((judged.passed, judged.skipped.len()), (2, 0));
    assert_eq!(lines(&judged), [(3, "assert_return")]);
}

#[test]
fn an_entry_for_the_engine_is_about_all_lanes_unless_it_says_only() {
    let lanes = |rest: &str| {
        let expectations = entry(&format!("outcome = \"fail\"\n{rest}"));
        Lane::SCRIPTS.map(|lane| expectations.of("suite", "a.wast", lane).len())
    };
    assert_eq!(lanes(""), [1, 1, 1]);
    assert_eq!(lanes("only = true"), [1, 0, 0]);
}

#[test]
fn a_known_failure_counts_as_skipped() {
    for outcome in ["line = 3\noutcome = \"fail\"", "outcome = \"fail\""] {
        let judged = judged(SCRIPT, &entry(outcome));
        assert_eq!((judged.passed, judged.skipped.len()), (2, 1));
        let skip = &judged.skipped[0];
        assert_eq!((skip.line, skip.reason.as_str()), (3, "known"));
        assert_eq!(skip.mismatch.as_ref().unwrap().got, "i32 1");
        assert_eq!(lines(&judged), []);
    }
}

#[test]
fn a_skip_is_not_run() {
    let judged = judged(SCRIPT, &entry("outcome = \"skip\""));
    assert_eq!((judged.passed, judged.skipped.len()), (0, 3));
    assert_eq!(lines(&judged), []);
    assert!(skips(
        &entry("line = 3\noutcome = \"skip\"").of("suite", "a.wast", Lane::Script),
        3
    ));
}

#[test]
fn a_known_failure_that_passes_is_a_failure() {
    let judged = judged(SCRIPT, &entry("line = [2, 3]\noutcome = \"fail\""));
    assert_eq!(lines(&judged), [(2, "expectation")]);
    assert!(
        judged.failed[0]
            .mismatch
            .got
            .contains("remove it from expectations")
    );

    let whole_file = entry("outcome = \"fail\"");
    assert_eq!(
        lines(&self::judged("(module)", &whole_file)),
        [(1, "expectation")]
    );
}

#[test]
fn an_entry_for_no_directive_is_a_failure() {
    for outcome in ["fail", "skip"] {
        let expectations = entry(&format!("line = [3, 99]\noutcome = \"{outcome}\""));
        assert_eq!(lines(&judged(SCRIPT, &expectations)), [(99, "expectation")]);
    }
}

#[test]
fn an_entry_does_not_excuse_a_file_that_cannot_run() {
    let expectations = entry("outcome = \"fail\"");
    let entries = expectations.of("suite", "a.wast", Lane::Engine);
    let file = ScriptFile::embedded("suite", "a.wast", SCRIPT);
    let run = run::run_file(&file, &Features::of(Version::V3), &entries, &|_| {
        panic!("a host with a bug")
    });
    assert_eq!(lines(&judge(run, &entries)), [(1, "file")]);
}

#[test]
fn an_entry_for_the_engine_holds_for_all_lanes() {
    let engine = entry("outcome = \"fail\"");
    assert_eq!(engine.of("suite", "a.wast", Lane::Script).len(), 1);
    assert_eq!(engine.of("suite", "b.wast", Lane::Script).len(), 0);
    let script = parse(
        "[[expect]]\nsuite = \"suite\"\nfile = \"a.wast\"\nlane = [\"script\"]\noutcome = \"fail\"\nreason = \"x\"",
    )
    .unwrap();
    assert_eq!(script.of("suite", "a.wast", Lane::Script).len(), 1);
    assert_eq!(script.of("suite", "a.wast", Lane::Engine).len(), 0);
}

#[test]
fn malformed_entries_are_refused() {
    let good =
        "suite = \"suite\"\nfile = \"a\"\nlane = \"engine\"\noutcome = \"skip\"\nreason = \"x\"";
    assert!(parse(&format!("[[expect]]\n{good}")).is_ok());
    for (from, to) in [
        ("reason = \"x\"", ""),
        ("reason = \"x\"", "reason = \" \""),
        ("\"suite\"\n", "\"no such suite\"\n"),
        ("\"engine\"", "\"engin\""),
        ("\"engine\"", "[]"),
        ("\"skip\"", "\"ignore\""),
        ("outcome", "outcom"),
    ] {
        let text = format!("[[expect]]\n{}", good.replace(from, to));
        assert!(parse(&text).is_err(), "{text}");
    }
    assert!(parse("[[expected]]").is_err());
}
