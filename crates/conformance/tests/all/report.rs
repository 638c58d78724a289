//! The report in every format.

use conformance::baseline::compare;
use conformance::judge::{Finding, Judged, Skip};
use conformance::lane::Lane;
use conformance::outcome::Mismatch;
use conformance::report::Report;
use conformance::suite::ScriptFile;
use conformance::{html, junit, table};
use serde_json::json;

const SCRIPT: &str = "(module)\n;; <&>\n(assert_return (invoke \"f\"))\n(invoke \"g\")\n";

fn file(name: &str) -> ScriptFile {
    ScriptFile::embedded("wasm-1.0", name, SCRIPT)
}

fn failed(line: u32) -> Finding {
    Finding {
        line,
        directive: "assert_return".into(),
        mismatch: Mismatch::new("i32 <1>", "trap:\n  out of\tbounds"),
    }
}

fn skipped(line: u32) -> Skip {
    Skip {
        line,
        directive: "assert_trap".into(),
        reason: "wasmtime cannot".to_owned(),
        mismatch: Some(Mismatch::new("a trap", "no trap")),
    }
}

fn judged(failed: Vec<Finding>, skipped: Vec<Skip>) -> Judged {
    Judged {
        passed: 10,
        failed,
        skipped,
        seconds: 0.5,
    }
}

fn report(files: Vec<(&str, Judged)>) -> Report {
    let mut report = Report {
        engine: "quickjs".to_owned(),
        ..Report::default()
    };
    for (name, judged) in files {
        report.add_file(&file(name), Lane::Engine, judged);
    }
    report
}

fn example() -> Report {
    report(vec![
        ("a.wast", judged(vec![], vec![])),
        ("b.wast", judged(vec![failed(3)], vec![skipped(4)])),
    ])
}

#[test]
fn a_small_report_as_text_and_as_junit() {
    let mut report = example();
    let other = ScriptFile::embedded("a-longer-name", "c.wast", SCRIPT);
    report.add_file(&other, Lane::Script, judged(vec![], vec![]));
    report.add_file(&file("a.wast"), Lane::Script, judged(vec![], vec![]));
    report.sort(&["wasm-1.0", "a-longer-name"]);
    crate::snapshot("report_table", &table::render(&report));
    crate::snapshot("report_junit", &junit::render(&example()).unwrap());
}

#[test]
fn the_shape_of_the_json() {
    let report = example();
    assert!(!report.is_success());
    let actual = serde_json::to_value(&report).unwrap();
    let expected = json!({
        "engine": "quickjs",
        "totals": { "engine": { "passed": 20, "failed": 1, "skipped": 1, "seconds": 1.0 } },
        "suites": [{
            "suite": "wasm-1.0", "lane": "engine", "files": 2,
            "passed": 20, "failed": 1, "skipped": 1, "seconds": 1.0,
        }],
        "files": [{
            "suite": "wasm-1.0", "file": "wasm-1.0/a.wast", "lane": "engine",
            "passed": 10, "failed": 0, "skipped": 0, "seconds": 0.5,
        }, {
            "suite": "wasm-1.0", "file": "wasm-1.0/b.wast", "lane": "engine",
            "passed": 10, "failed": 1, "skipped": 1, "seconds": 0.5,
        }],
        "failures": [{
            "suite": "wasm-1.0", "file": "wasm-1.0/b.wast", "line": 3, "lane": "engine",
            "directive": "assert_return", "expected": "i32 <1>", "got": "trap: out of bounds",
            "source": [
                { "line": 1, "text": "(module)" },
                { "line": 2, "text": ";; <&>" },
                { "line": 3, "text": "(assert_return (invoke \"f\"))" },
                { "line": 4, "text": "(invoke \"g\")" },
            ],
        }],
        "skips": [{
            "suite": "wasm-1.0", "file": "wasm-1.0/b.wast", "line": 4, "lane": "engine",
            "directive": "assert_trap", "reason": "wasmtime cannot", "got": "no trap",
        }],
    });
    assert_eq!(actual, expected);
    let back: Report = serde_json::from_value(actual.clone()).unwrap();
    assert_eq!(serde_json::to_value(&back).unwrap(), actual);
}

#[test]
fn as_junit_xml() {
    insta::assert_snapshot!(junit::render(&example()).unwrap(), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="conformance, quickjs" tests="2" skipped="0" failures="1" errors="0">
        <testsuite name="engine wasm-1.0" tests="2" skipped="0" errors="0" failures="1" time="1.000">
            <testcase name="wasm-1.0/a.wast" classname="wasm-1.0" assertions="10" time="0.500"/>
            <testcase name="wasm-1.0/b.wast" classname="wasm-1.0" assertions="12" time="0.500">
                <failure message="1 of its directives failed">wasm-1.0/b.wast:3  engine  assert_return  expected i32 &lt;1&gt;, got trap: out of bounds</failure>
                <system-out>wasm-1.0/b.wast:4  skipped: wasmtime cannot
    </system-out>
            </testcase>
        </testsuite>
    </testsuites>
    "#);
}

#[test]
fn as_a_page() {
    let mut other = example();
    other.engine = "v8".to_owned();
    let page = html::render(&[&example(), &other]);
    for part in [
        "engine · quickjs",
        "engine · v8",
        "2 failed of 44 directives.",
        "expected</dt><dd><code>i32 &lt;1&gt;</code>",
        ";; &lt;&amp;&gt;",
        "data-name=\"wasm-1.0/b.wast:3 assert_return\"",
        "<span class=\"bad\">✗ 1</span>",
        "title=\"40 passed, 2 skipped, 2 failed\"",
        "wasmtime cannot",
    ] {
        assert!(page.contains(part), "no {part} in {page}");
    }
    for network in ["http:", "https:", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(network), "{network}");
    }
}

fn changes(before: &Report, now: &Report, whole: bool) -> Vec<String> {
    let changes = compare(before, now, whole);
    changes.iter().map(ToString::to_string).collect()
}

#[test]
fn a_baseline_of_the_same_run() {
    assert_eq!(changes(&example(), &example(), true), Vec::<String>::new());
}

#[test]
fn every_change_since_a_baseline_in_either_direction() {
    let before = report(vec![
        ("a.wast", judged(vec![], vec![])),
        ("b.wast", judged(vec![failed(3)], vec![skipped(4)])),
        ("c.wast", judged(vec![], vec![])),
        ("d.wast", judged(vec![failed(1), failed(1)], vec![])),
    ]);
    let now = report(vec![
        ("a.wast", judged(vec![failed(3)], vec![])),
        ("b.wast", judged(vec![], vec![])),
        ("d.wast", judged(vec![failed(1)], vec![skipped(1)])),
        ("e.wast", judged(vec![], vec![])),
    ]);
    assert_eq!(
        changes(&before, &now, true),
        [
            "wasm-1.0/a.wast  engine  had 10 directives, now 11",
            "wasm-1.0/a.wast:3  engine  assert_return  passed, now failed",
            "wasm-1.0/b.wast  engine  had 12 directives, now 10",
            "wasm-1.0/b.wast:3  engine  assert_return  failed, now passed",
            "wasm-1.0/b.wast:4  engine  assert_trap  was skipped, now passed",
            "wasm-1.0/d.wast:1  engine  assert_return  failed, now passed",
            "wasm-1.0/d.wast:1  engine  assert_trap  passed, now was skipped",
            "wasm-1.0/e.wast  engine  was not run, now it is",
            "wasm-1.0/c.wast  engine  was run, now it is not",
        ]
    );
    assert_eq!(
        changes(&before, &now, false).len(),
        8,
        "a file that was not selected is not reported"
    );
}

#[test]
fn a_lane_that_the_baseline_did_not_run() {
    let mut now = example();
    now.add_file(&file("a.wast"), Lane::Script, judged(vec![], vec![]));
    assert_eq!(changes(&example(), &now, true), Vec::<String>::new());
}
