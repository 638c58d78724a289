//! Each way for a file to fail, and the scripts that a file needs.

use std::process::Command;
use std::time::Duration;

use conformance::js_api::expected::Size;
use conformance::js_api::folder::{Folder, Metadata};
use conformance::js_api::judge::judge;
use conformance::js_api::worker;
use conformance::lane::Lane;

use super::{folder, js_api, report, run_one, write};

/// Files that fail as a whole, with the number of their subtests that pass, and what the report says.
const FAILING: &[(&str, &str, usize, &str, &str)] = &[
    ("empty", "", 0, "a subtest", "0 subtests"),
    (
        "syntax",
        "test(() => {}, \"a\");\n)",
        0,
        "no error outside of a subtest",
        "SyntaxError",
    ),
    (
        "throws",
        "test(() => {}, \"a\");\nthrow new Error(\"in the middle\");\ntest(() => {}, \"b\");",
        1,
        "no error outside of a subtest",
        "in the middle",
    ),
    (
        "setup_throws",
        "setup(() => { throw new Error(\"no setup\"); }); test(() => {}, \"a\");",
        1,
        "no error outside of a subtest",
        "setup: Error: no setup (line 1)",
    ),
    (
        "promise_setup_throws",
        "promise_setup(async () => { throw 7; }); promise_test(async () => {}, \"a\");",
        1,
        "no error outside of a subtest",
        "promise_setup: 7",
    ),
    (
        "cleanup_throws",
        "test((t) => t.add_cleanup(() => { throw 8; }), \"a\");",
        1,
        "no error outside of a subtest",
        "cleanup: 8",
    ),
    (
        "rejection",
        "promise_test(async () => { Promise.reject(new Error(\"lost\")); }, \"a\");",
        1,
        "no error outside of a subtest",
        "unhandled rejection: Error: lost (line 1)",
    ),
    (
        "timer_throws",
        "setTimeout(() => { throw new Error(\"late\"); }, 0);\n\
         promise_test((t) => new Promise((resolve) => t.step_timeout(resolve, 5)), \"a\");",
        1,
        "no error outside of a subtest",
        "uncaught: Error: late (line 1)",
    ),
    (
        "waits",
        "promise_test(() => new Promise(() => {}), \"a\");",
        0,
        "to end",
        "there was nothing left to run",
    ),
    (
        "never_done",
        "setup({ explicit_done: true }); test(() => {}, \"a\");",
        1,
        "to end",
        "there was nothing left to run",
    ),
    (
        "no_script",
        "// META: script=missing.js\ntest(() => {}, \"a\");",
        0,
        "no error outside of a subtest",
        "cannot read",
    ),
];

#[test]
fn every_way_for_a_file_to_fail() {
    let files: Vec<(String, &str)> = FAILING
        .iter()
        .map(|(name, text, ..)| (format!("{name}.any.js"), *text))
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (&**name, *text)).collect();
    let (status, report) = report(&folder("failing", &files), &[]);
    assert_eq!(status, Some(1));
    let wrong: Vec<&str> = FAILING
        .iter()
        .filter(|(name, _, passed, expected, got)| {
            let label = format!("failing/{name}.any.js");
            let file = report.files.iter().find(|file| file.file == label).unwrap();
            let mut failures = report.failures.iter().filter(|of| of.file == label);
            let is_told = failures.any(|failure| {
                failure.directive == "file"
                    && failure.expected == *expected
                    && failure.got.contains(got)
            });
            file.totals.passed != *passed || !is_told
        })
        .map(|(name, ..)| *name)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}: {:#?}", report.failures);
    let waiting = report.failures.iter().find(|of| of.directive == "a");
    assert_eq!(waiting.unwrap().got, "never ended");
}

#[test]
fn a_file_that_says_when_it_is_done() {
    let (passed, failures) = run_one(
        "explicit_done",
        "setup({ explicit_done: true });
        setTimeout(() => { test(() => {}, \"late\"); done(); }, 1);",
    );
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(passed, 1);
}

#[test]
fn a_file_that_expects_uncaught_errors() {
    let (passed, failures) = run_one(
        "allow_uncaught",
        "setup({ allow_uncaught_exception: true });
        setTimeout(() => { throw 1; }, 0);
        promise_test((t) => {
            Promise.reject(2);
            t.add_cleanup(() => { throw 3; });
            return new Promise((resolve) => t.step_timeout(resolve, 5));
        }, \"a\");",
    );
    let got: Vec<&str> = failures.iter().map(|failure| &*failure.got).collect();
    assert_eq!(got, ["cleanup: 3"]);
    assert_eq!(passed, 1);
}

#[test]
fn a_file_that_hangs_is_killed() {
    let folder = folder(
        "hangs",
        &[(
            "a.any.js",
            "test(() => {}, \"good\"); test(() => { for (;;); }, \"loop\");",
        )],
    );
    let (status, report) = report(&folder, &["--timeout", "10"]);
    assert_eq!(status, Some(1));
    assert_eq!(report.totals[&Lane::Standard].passed, 1);
    let shown: Vec<(&str, &str)> = report
        .failures
        .iter()
        .map(|failure| (failure.expected.as_str(), failure.got.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            (
                "to end within 10 s",
                "it ran on until its process was killed, while `loop` ran"
            ),
            ("to end", "never ended"),
        ]
    );
}

#[test]
fn a_file_that_says_that_it_takes_long() {
    let metadata = |text| Metadata::parse(text);
    assert!(metadata("// META: global=window\n// META: timeout=long\n").is_long);
    assert!(!metadata("// META: timeout=longer\n").is_long);
    assert!(!metadata("\n// META: timeout=long").is_long);
    let loops = "test(() => {}, \"good\"); for (;;);";
    let path = folder(
        "long",
        &[("a.any.js", &format!("// META: timeout=long\n{loops}"))],
    );
    let (_, report) = report(&path, &["--timeout", "1"]);
    assert_eq!(report.failures[0].expected, "to end within 6 s");
}

/// What is left of a file whose process is this shell script.
fn run_as(script: &str) -> Vec<String> {
    let path = folder("crashes", &[("a.any.js", "")]);
    let tests = Folder::of(&path).unwrap();
    let file = tests.files().unwrap().remove(0);
    let start = || {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    };
    let minute = Duration::from_secs(60);
    let run = worker::run(&file, &tests, Lane::Standard, minute, &start).unwrap();
    let judged = judge(run, &[], Size::Any);
    assert_eq!(judged.passed, usize::from(script.contains("ended")));
    let failed = judged.failed.iter();
    failed
        .map(|finding| format!("{}: {}", finding.directive, finding.mismatch))
        .collect()
}

/// A process that crashes, in a shell since no test file should be able to crash one.
#[test]
fn a_process_that_crashes_keeps_what_has_ended() {
    let script = r#"read request
        echo '{"subtest":{"name":"a","line":1}}'
        echo '{"began":{"subtest":0}}'
        echo '{"ended":{"subtest":0,"message":""}}'
        echo '{"subtest":{"name":"b","line":2}}'
        echo '{"began":{"subtest":1}}'
        echo '{"subtest":{"name":"c","line":3}}'
        echo 'out of luck' >&2
        kill -ABRT $$"#;
    let failed = run_as(script);
    let [file, b, c] = failed.as_slice() else {
        panic!("{failed:?}");
    };
    assert!(file.contains("signal: 6") && file.contains("out of luck"));
    assert!(file.ends_with(", while `b` ran"), "{file}");
    assert_eq!(b, "b: expected to end, got never ended");
    assert_eq!(c, "c: expected to run, got never ran");
}

#[test]
fn a_process_that_ends_or_says_something_else() {
    let early = run_as("read request; echo '{\"subtest\":{\"name\":\"a\",\"line\":1}}'; exit 3");
    assert!(early[0].contains("exit status: 3"), "{early:?}");
    assert_eq!(early.len(), 2, "{early:?}");
    let other = run_as("read request; echo hello; read more");
    assert!(other[0].contains("not understood: hello"), "{other:?}");
}

#[test]
fn scripts_that_a_file_needs() {
    let test =
        |scripts: &str| format!("{scripts}\ntest(() => assert_equals(value, \"all\"), \"a\");");
    let checkout = folder("checkout", &[]);
    let (spec, web) = (checkout.join("spec"), checkout.join("web"));
    let text = test(
        "// META: global=window\n\
         // META: script=/wasm/jsapi/first.js\n\
         // META: script=second.js",
    );
    let first = "const value = \"all\";";
    for root in ["spec/test/js-api", "web/wasm/jsapi"] {
        write(&checkout, &format!("{root}/first.js"), first);
        write(&checkout, &format!("{root}/part/second.js"), "value;");
        write(&checkout, &format!("{root}/part/a.any.js"), &text);
    }
    write(&web, "common/first.js", first);
    write(
        &web,
        "wasm/jsapi/b.any.js",
        &test("// META: script=/common/first.js"),
    );
    // Not at the start, and so no metadata.
    let late =
        "let value;\n// META: script=first.js\ntest(() => assert_equals(value, undefined), \"a\");";
    write(&web, "wasm/jsapi/c.any.js", late);
    let none = folder("nothing_expected", &[]);
    let none = ["--expected", none.to_str().unwrap()];
    for (path, labels) in [
        (spec.clone(), &["js-api/part/a.any.js"][..]),
        (spec.join("test"), &["test/js-api/part/a.any.js"]),
        (spec.join("test/js-api/part"), &["js-api/part/a.any.js"]),
        (
            web.clone(),
            &["jsapi/b.any.js", "jsapi/c.any.js", "jsapi/part/a.any.js"],
        ),
        (web.join("wasm/jsapi/b.any.js"), &["jsapi/b.any.js"]),
    ] {
        let output = js_api(&path, &[&none[..], &["--list"]].concat());
        let listed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(listed.lines().collect::<Vec<_>>(), labels);
        if path.ends_with("test") {
            // Not a folder of which the harness knows where the tests are.
            continue;
        }
        let output = js_api(&path, &none);
        let text = String::from_utf8(output.stdout).unwrap();
        let passed = format!("standard: {} passed, 0 failed", labels.len());
        assert!(text.contains(&passed), "{text}");
    }
}
