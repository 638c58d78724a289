//! The report.

use conformance::judge::{Finding, Judged};
use conformance::lane::Lane;
use conformance::report::Report;
use conformance::walk::Mismatch;
use serde_json::json;

#[test]
fn the_shape_of_the_json() {
    let mut report = Report::default();
    let judged = |failed| Judged {
        passed: 10,
        failed,
        skipped: 1,
        seconds: 0.5,
    };
    report.add_file("wasm-1.0", "wasm-1.0/a.wast", Lane::Engine, judged(vec![]));
    assert!(report.is_success());
    let finding = Finding {
        line: 7,
        directive: "assert_return",
        mismatch: Mismatch::new("i32 1", "trap:\n  out of\tbounds"),
    };
    report.add_file(
        "wasm-1.0",
        "wasm-1.0/b.wast",
        Lane::Engine,
        judged(vec![finding]),
    );
    assert!(!report.is_success());

    let actual = serde_json::to_value(&report).unwrap();
    let expected = json!({
        "totals": { "engine": { "passed": 20, "failed": 1, "skipped": 2, "seconds": 1.0 } },
        "suites": [{
            "suite": "wasm-1.0", "lane": "engine", "files": 2,
            "passed": 20, "failed": 1, "skipped": 2, "seconds": 1.0,
        }],
        "failures": [{
            "file": "wasm-1.0/b.wast", "line": 7, "lane": "engine", "directive": "assert_return",
            "expected": "i32 1", "got": "trap: out of bounds",
        }],
    });
    assert_eq!(actual, expected);
}
