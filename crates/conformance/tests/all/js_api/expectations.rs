//! Subtests that are expected to fail, and the recorded numbers of subtests.

use std::fs;
use std::path::PathBuf;

use conformance::js_api::expected::Expected;
use conformance::lane::Lane;

use super::{folder, js_api, report, write};

/// A folder of tests with two files, and a folder with these expectations.
pub(super) fn expecting(name: &str, expectations: &str, subtests: &str) -> (PathBuf, PathBuf) {
    let tests = folder(
        name,
        &[
            (
                "a.any.js",
                "test(() => {}, \"good\"); test(() => { throw 1; }, \"bad\");",
            ),
            ("part/b.any.js", "test(() => {}, \"good\");"),
        ],
    );
    write(&tests, "expected/expectations.toml", expectations);
    if !subtests.is_empty() {
        write(&tests, "expected/subtests.toml", subtests);
    }
    let expected = tests.join("expected");
    (tests, expected)
}

/// The result of such folders: the exit status, and the failures.
fn run_expecting(name: &str, expectations: &str, subtests: &str) -> (Option<i32>, Vec<String>) {
    let (tests, expected) = expecting(name, expectations, subtests);
    let (status, report) = report(&tests, &["--expected", expected.to_str().unwrap()]);
    (
        status,
        report.failures.iter().map(ToString::to_string).collect(),
    )
}

pub(super) const BAD: &str =
    "[[expect]]\nfile = \"a.any.js\"\nsubtest = \"bad\"\nreason = \"it throws\"\n";

#[test]
fn a_subtest_that_is_expected_to_fail() {
    let (tests, expected) = expecting("expected_to_fail", BAD, "");
    let expected = ["--expected", expected.to_str().unwrap()];
    let (status, report) = report(&tests, &expected);
    assert_eq!(status, Some(0));
    let totals = report.totals[&Lane::Standard];
    assert_eq!((totals.passed, totals.failed, totals.skipped), (2, 0, 1));
    assert_eq!(report.skips[0].reason, "it throws");
    assert_eq!(report.skips[0].got.as_deref(), Some("1"));
    let listed = js_api(&tests, &[&expected[..], &["--list-expected"]].concat());
    assert_eq!(
        String::from_utf8(listed.stdout).unwrap(),
        "expected_to_fail/a.any.js  standard  bad  it throws\n"
    );
}

#[test]
fn a_file_that_is_not_run() {
    let skip = "[[expect]]\nfile = \"a.any.js\"\nskip = true\nreason = \"it throws\"\n";
    let (tests, expected) = expecting("not_run", skip, "[not_run]\n\"part/b.any.js\" = 1\n");
    let (status, report) = report(&tests, &["--expected", expected.to_str().unwrap()]);
    assert_eq!(status, Some(0));
    let totals = report.totals[&Lane::Standard];
    assert_eq!((totals.passed, totals.failed, totals.skipped), (1, 0, 1));
}

#[test]
fn entries_that_are_wrong() {
    let other = format!(
        "{BAD}{}{}",
        "[[expect]]\nfile = [\"a.any.js\", \"c.any.js\"]\nsubtest = \"missing\"\nreason = \"gone\"\n",
        "[[expect]]\nfile = \"part/b.any.js\"\nsubtest = \"good\"\nreason = \"no more\"\n",
    );
    let (status, failures) = run_expecting("wrong_entries", &other, "");
    assert_eq!(status, Some(1));
    assert_eq!(
        failures,
        [
            "wrong_entries/a.any.js:1  standard  expectation  expected a subtest `missing`, \
             got none: remove it from the expectations",
            "wrong_entries/c.any.js:1  standard  expectation  expected a file of this name, got none",
            "wrong_entries/part/b.any.js:1  standard  good  expected to fail, because: no more, \
             got passed: remove it from the expectations",
        ]
    );
}

#[test]
fn entries_of_the_other_engine_and_lane() {
    let other = if cfg!(feature = "quickjs") {
        "v8"
    } else {
        "quickjs"
    };
    for (name, condition) in [
        ("other_engine", format!("engine = \"{other}\"\n")),
        ("other_lane", "lane = \"own\"\n".to_owned()),
    ] {
        let (status, failures) = run_expecting(name, &format!("{BAD}{condition}"), "");
        assert_eq!(status, Some(1));
        assert_eq!(failures.len(), 1, "{failures:?}");
        assert!(
            failures[0].contains("a.any.js:1  standard  bad"),
            "{failures:?}"
        );
    }
}

#[test]
fn expectations_that_cannot_be() {
    for text in [
        "[[expect]]\nfile = \"a\"\nsubtest = \"b\"\nreason = \" \"",
        "[[expect]]\nfile = \"a\"\nsubtest = \"b\"",
        "[[expect]]\nfile = \"a\"\nreason = \"c\"",
        "[[expect]]\nfile = \"a\"\nsubtest = \"b\"\nskip = true\nreason = \"c\"",
        "[[expect]]\nfile = []\nsubtest = \"b\"\nreason = \"c\"",
        "[[expect]]\nfile = \"a\"\nsubtest = []\nreason = \"c\"",
        "[[expect]]\nfile = \"a\"\nsubtest = \"b\"\nreason = \"c\"\nlane = \"script\"",
        "[[expect]]\nfile = \"a\"\nsubtest = \"b\"\nreason = \"c\"\nlane = []",
        "[[expect]]\nfile = \"a\"\nsubtest = \"b\"\nreason = \"c\"\nengine = \"other\"",
        "[[expect]]\nfile = \"a\"\nsubtest = \"b\"\nreason = \"c\"\nline = 1",
    ] {
        assert!(Expected::parse(text, "").is_err(), "{text}");
    }
    assert!(Expected::parse(BAD, "[a]\n\"a.any.js\" = 1").is_ok());
    assert!(Expected::parse("", "[a]\n\"a.any.js\" = -1").is_err());
}

#[test]
fn files_of_another_size_than_was_recorded() {
    let (status, failures) = run_expecting(
        "wrong_sizes",
        BAD,
        "[wrong_sizes]\n\"a.any.js\" = 3\n\"c.any.js\" = 1\n",
    );
    assert_eq!(status, Some(1));
    assert_eq!(
        failures,
        [
            "wrong_sizes/a.any.js:1  standard  file  expected 3 subtests, as was recorded, got 2 subtests",
            "wrong_sizes/c.any.js:1  standard  expectation  expected a file of this name, got none",
            "wrong_sizes/part/b.any.js:1  standard  file  expected to be recorded with --record, \
             as the other files are, got 1 subtests",
        ]
    );
    let (status, failures) = run_expecting("not_recorded", BAD, "[other]\n\"a.any.js\" = 3\n");
    assert_eq!(status, Some(0), "{failures:?}");
}

#[test]
fn sizes_are_recorded() {
    let (tests, expected) = expecting("recorded", BAD, "[recorded]\n\"gone.any.js\" = 4\n");
    let args = ["--expected", expected.to_str().unwrap()];
    let recording = js_api(
        &tests,
        &[&args[..], &["--record", "--filter", "a.any"]].concat(),
    );
    // The file that is gone was still expected.
    assert_eq!(recording.status.code(), Some(1));
    let read = || fs::read_to_string(expected.join("subtests.toml")).unwrap();
    assert!(
        read().ends_with("[recorded]\n\"a.any.js\" = 2\n"),
        "{}",
        read()
    );
    let recording = js_api(&tests, &[&args[..], &["--record"]].concat());
    assert_eq!(recording.status.code(), Some(0));
    assert!(
        read().ends_with("[recorded]\n\"a.any.js\" = 2\n\"part/b.any.js\" = 1\n"),
        "{}",
        read()
    );
    assert_eq!(js_api(&tests, &args).status.code(), Some(0));
    // A file that fails as a whole shows no size.
    write(
        &tests,
        "part/b.any.js",
        "test(() => {}, \"good\"); missing;",
    );
    let recording = js_api(&tests, &[&args[..], &["--record"]].concat());
    assert_eq!(recording.status.code(), Some(1));
    assert!(read().ends_with("\"part/b.any.js\" = 1\n"), "{}", read());
}
