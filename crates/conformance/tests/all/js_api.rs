//! The tests of the JavaScript API: what their harness gives them, and each way for a file to fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use conformance::js_api::expected::{Expected, Size};
use conformance::js_api::folder::{Folder, Metadata};
use conformance::js_api::judge::judge;
use conformance::js_api::worker;
use conformance::lane::Lane;
use conformance::report::{FailureReport, Report};

/// A new folder with these files.
fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("js-api")
        .join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    for (name, text) in files {
        write(&path, name, text);
    }
    path
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn js_api(path: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
    command.arg("js-api").arg(path).args(args);
    command.output().unwrap()
}

/// Runs the command, and returns its exit status and its report.
fn report(path: &Path, args: &[&str]) -> (Option<i32>, Report) {
    let json = path.join("report.json");
    let output = js_api(path, &[args, &["--json", json.to_str().unwrap()]].concat());
    let text = fs::read_to_string(&json)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), serde_json::from_str(&text).unwrap())
}

/// The number of subtests that passed, and the failures, of a folder with this one file.
fn run_one(name: &str, text: &str) -> (usize, Vec<FailureReport>) {
    let folder = folder(name, &[("a.any.js", text)]);
    let (status, report) = report(&folder, &[]);
    let totals = report.totals[&Lane::Standard];
    assert_eq!(status, Some(i32::from(totals.failed > 0)));
    assert_eq!(totals.failed, report.failures.len());
    (totals.passed, report.failures)
}

#[test]
fn every_kind_of_subtest_can_pass() {
    let (passed, failures) = run_one(
        "passes",
        r#"
        const order = [];
        promise_test(async () => { order.push("a"); await null; order.push("b"); }, "first promise");
        promise_test(async () => { order.push("c"); }, "second promise");
        test(function (t) {
            assert_equals(this, t);
            assert_equals(t.name, "sync");
            order.push("sync");
            t.add_cleanup(() => order.push("cleanup"));
        }, "sync");
        async_test((t) => {
            t.step_timeout(t.step_func_done(() => order.push("timer")), 1);
        }, "async");
        const later = async_test("later");
        promise_setup(async () => order.push("setup"));
        promise_test(async (t) => {
            await new Promise((resolve) => t.step_timeout(resolve, 5));
            later.step(() => assert_array_equals(order, ["sync", "cleanup", "a", "b", "c", "setup", "timer"]));
            later.done();
        }, "last");
        "#,
    );
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(passed, 6);
}

#[test]
fn every_assertion_can_pass() {
    let (passed, failures) = run_one(
        "assertions_pass",
        r#"
        class Mine extends Error {}
        Mine.prototype.name = "Mine";
        const error = new Mine();
        const raise = (value) => () => { throw value; };
        test(() => {
            assert_true(true);
            assert_false(false);
            assert_equals(NaN, NaN);
            assert_equals(1n, 1n);
            assert_not_equals(0, -0);
            assert_not_equals(1, 1n);
            assert_in_array(2, [1, 2]);
            assert_array_equals([1, , NaN], [1, , NaN]);
            assert_array_equals(new Uint8Array(2), [0, 0]);
            assert_class_string([], "Array");
            assert_own_property({ a: 1 }, "a");
            assert_not_own_property({}, "toString");
            assert_regexp_match("abc", /b/);
            assert_throws_js(Mine, raise(error));
            assert_throws_exactly(7, raise(7));
            assert_throws(new Mine(), raise(error));
            assertEquals(1, 1);
        }, "sync");
        promise_test(async (t) => {
            await promise_rejects_js(t, Mine, Promise.reject(error));
            await promise_rejects_exactly(t, error, Promise.reject(error));
            await promise_rejects(t, new Mine(), Promise.reject(error));
        }, "async");
        "#,
    );
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(passed, 2);
}

#[test]
fn every_assertion_can_fail() {
    let (passed, failures) = run_one(
        "assertions_fail",
        r#"
        const raise = (value) => () => { throw value; };
        const sync = [
            () => assert_true(1),
            () => assert_false(0),
            () => assert_equals(0, -0),
            () => assert_equals(1, 1n),
            () => assert_equals("1", 1),
            () => assert_not_equals(NaN, NaN),
            () => assert_in_array(3, [1, 2]),
            () => assert_array_equals([1], [1, 2]),
            () => assert_array_equals([1, 2], [1]),
            () => assert_array_equals([undefined], [,]),
            () => assert_array_equals([0], [-0]),
            () => assert_array_equals("ab", ["a", "b"]),
            () => assert_array_equals(null, []),
            () => assert_class_string({}, "Array"),
            () => assert_own_property({}, "toString"),
            () => assert_not_own_property({ a: 1 }, "a"),
            () => assert_regexp_match("abc", /d/),
            () => assert_unreached(),
            () => assert_not_reached(),
            () => assert_throws_js(TypeError, () => {}),
            () => assert_throws_js(TypeError, raise(new RangeError())),
            () => assert_throws_js(Error, raise(new TypeError())),
            () => assert_throws_js(TypeError, raise(Object.create(TypeError.prototype, { name: { value: "X" } }))),
            () => assert_throws_js(TypeError, raise("TypeError")),
            () => assert_throws_js(undefined, raise(new TypeError())),
            () => assert_throws_exactly(1, () => {}),
            () => assert_throws_exactly(1, raise(2)),
            () => assert_throws(new TypeError(), () => {}),
            () => assert_throws(new TypeError(), raise(new RangeError())),
            () => assert_throws(new TypeError(), raise("TypeError")),
            () => assertEquals(1, 2),
            () => { throw undefined; },
            () => missing,
            () => 1,
            () => Promise.resolve(),
        ];
        sync.forEach((body) => test(body, String(body)));
        const async = [
            (t) => promise_rejects_js(t, TypeError, Promise.resolve(1)),
            (t) => promise_rejects_js(t, TypeError, Promise.reject(new RangeError())),
            (t) => promise_rejects_exactly(t, 1, Promise.resolve(1)),
            (t) => promise_rejects_exactly(t, 1, Promise.reject(2)),
            (t) => promise_rejects(t, new TypeError(), Promise.resolve(1)),
            (t) => promise_rejects(t, new TypeError(), Promise.reject(new RangeError())),
            () => Promise.reject(undefined),
            () => undefined,
            () => { throw new Error("at once"); },
            (t) => { t.unreached_func()(); return Promise.resolve(); },
        ];
        async.forEach((body) => promise_test(body, String(body)));
        async_test((t) => t.step_timeout(() => assert_true(false), 1), "async_test");
        "#,
    );
    assert_eq!(passed, 0);
    assert_eq!(failures.len(), 35 + 10 + 1, "{failures:#?}");
    assert!(failures.iter().all(|failure| failure.expected == "to pass"));
}

#[test]
fn a_failure_has_the_name_the_reason_and_the_lines() {
    let (_, failures) = run_one(
        "lines",
        "test(() => {}, \"good\");\n\
         const check = (value) => test(() => {\n\
         assert_equals(value, \"b\\n\", \"the letter\");\n\
         }, `letter ${format_value(value)}`);\n\
         check(\"a\");\n\
         promise_test(async () => {\n\
         throw new RangeError(\"too far\");\n\
         });\n",
    );
    let shown: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "lines/a.any.js:2  standard  letter \"a\"  expected to pass, \
             got AssertionError: the letter: expected \"b\\n\", got \"a\" (line 3)",
            "lines/a.any.js:6  standard  (untitled)  expected to pass, got RangeError: too far (line 7)",
        ]
    );
    assert_eq!(failures[0].source[1].line, 2);
}

#[test]
fn values_as_text() {
    let (passed, failures) = run_one(
        "values",
        r#"
        test(() => {
            const shown = [
                undefined, null, true, -0, 0.1, NaN, 12n, "a\"\\\n\x1f", Symbol("s"), {}, [1, ["a"]], () => 1,
            ].map(format_value);
            const expected = [
                "undefined", "null", "true", "-0", "0.1", "NaN", "12n", '"a\\"\\\\\\n\\x1f"', 'symbol "Symbol(s)"',
                'object "[object Object]"', '[1, ["a"]]', 'function "() => 1"',
            ];
            assert_array_equals(shown, expected);
            const round = [];
            round.push(round);
            assert_equals(format_value(round), "[[...]]");
            assert_regexp_match(format_value({ toString: null, valueOf: null }), /^object "no string/);
        }, "values");
        "#,
    );
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(passed, 1);
}

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

/// A folder of tests with two files, and a folder with these expectations.
fn expecting(name: &str, expectations: &str, subtests: &str) -> (PathBuf, PathBuf) {
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

const BAD: &str = "[[expect]]\nfile = \"a.any.js\"\nsubtest = \"bad\"\nreason = \"it throws\"\n";

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

#[test]
fn the_names_that_a_file_sees() {
    let (passed, failures) = run_one(
        "names",
        r#"
        const load = 1;
        test(() => {
            assert_equals(self, globalThis);
            assert_equals(GLOBAL.isWindow(), false);
            for (const name of ["Deno", "__bootstrap"]) assert_not_own_property(globalThis, name);
            console.log("to standard error,", 1, {});
            clearTimeout(setTimeout(() => { throw new Error("it was cleared"); }, 0));
            clearTimeout(undefined);
        }, "names");
        promise_test(() => new Promise((resolve) => setTimeout(resolve, 1, "argument"))
            .then((value) => assert_equals(value, "argument")), "setTimeout");
        "#,
    );
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(passed, 2);
}

#[test]
fn the_lane_of_the_standard_object() {
    let (passed, failures) = run_one(
        "standard",
        r#"
        test(() => {
            const { value, ...attributes } = Object.getOwnPropertyDescriptor(globalThis, "WebAssembly");
            assert_equals(JSON.stringify(attributes), '{"writable":true,"enumerable":false,"configurable":true}');
            assert_equals(WebAssembly, value);
            assert_class_string(value, "WebAssembly");
            try {
                new WebAssembly.Module(new Uint8Array(1));
                assert_unreached();
            } catch (error) {
                assert_equals(error.code, 5000);
            }
        }, "of host:wasm");
        promise_test(async () => {
            const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
            const { instance } = await WebAssembly.instantiate(bytes);
            assert_class_string(instance, "WebAssembly.Instance");
        }, "asynchronous");
        "#,
    );
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(passed, 2);
}

#[test]
fn the_lane_of_the_engines_own_object() {
    let test =
        "test(() => assert_true(String(WebAssembly.Module).includes(\"native\")), \"native\");";
    let folder = folder("own", &[("a.any.js", test)]);
    let output = js_api(&folder, &["--lane", "own"]);
    if cfg!(feature = "quickjs") {
        assert_eq!(output.status.code(), Some(2));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(
            stderr.contains("quickjs has no `WebAssembly` of its own"),
            "{stderr}"
        );
    } else {
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("own: 1 passed, 0 failed"), "{text}");
    }
}

#[test]
fn wrong_usage() {
    let tests = folder("usage", &[("a.any.js", "test(() => {}, \"a\");")]);
    assert_eq!(js_api(&tests, &[]).status.code(), Some(0));
    for args in [
        ["--lane", "script"],
        ["--expected", "/no such folder"],
        ["--filter", "no such file"],
        ["--jobs", "0"],
        ["--timeout", "0"],
        ["--jobs=1", "--record"],
        ["--shard", "2/1"],
        ["--baseline", "/no such file"],
    ] {
        let output = js_api(&tests, &args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
    let empty = folder("usage_empty", &[("a.js", "")]);
    assert_eq!(js_api(&empty, &[]).status.code(), Some(2));
    assert_eq!(js_api(&empty.join("none"), &[]).status.code(), Some(2));
}

#[test]
fn a_part_of_the_files() {
    let tests = folder(
        "parts",
        &[("a.any.js", ""), ("b.any.js", ""), ("c/d.any.js", "")],
    );
    for (path, args, listed) in [
        (
            "",
            &["--shard", "1/2"][..],
            "parts/a.any.js\nparts/c/d.any.js\n",
        ),
        ("", &["--shard", "2/2"], "parts/b.any.js\n"),
        ("", &["--filter", "c/"], "parts/c/d.any.js\n"),
        (
            "",
            &["--filter", ".any", "--shard", "2/2"],
            "parts/b.any.js\n",
        ),
        ("a.any.js", &[], "parts/a.any.js\n"),
    ] {
        let output = js_api(&tests.join(path), &[args, &["--list"]].concat());
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            listed,
            "{args:?}"
        );
    }
}

#[test]
fn the_first_failure_ends_a_run() {
    let folder = folder("fail_fast", &[("a.any.js", ""), ("b.any.js", "")]);
    let output = js_api(&folder, &["--fail-fast", "--jobs", "1"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("stopped at a failure: 1 files were not run"),
        "{text}"
    );
}

#[test]
fn the_report_in_every_form() {
    let (tests, expected) = expecting("forms", "", "");
    let [junit, html, json] =
        ["report.xml", "report.html", "first.json"].map(|name| tests.join(name));
    let args = [
        ("--expected", &expected),
        ("--junit", &junit),
        ("--html", &html),
        ("--json", &json),
    ];
    let args: Vec<&str> = args
        .iter()
        .flat_map(|(name, path)| [*name, path.to_str().unwrap()])
        .collect();
    let text = String::from_utf8(js_api(&tests, &args).stdout).unwrap();
    assert!(text.contains("forms/part"), "{text}");
    assert!(
        text.contains("standard: 2 passed, 1 failed, 0 skipped"),
        "{text}"
    );
    let xml = fs::read_to_string(junit).unwrap();
    assert!(xml.contains("1 of its subtests failed"), "{xml}");
    let page = fs::read_to_string(html).unwrap();
    assert!(page.contains("1 failed of 3 subtests."), "{page}");
    assert!(
        page.contains("the object WebAssembly that host:wasm makes"),
        "{page}"
    );
    write(&expected, "expectations.toml", BAD);
    let args = [
        "--expected",
        expected.to_str().unwrap(),
        "--baseline",
        json.to_str().unwrap(),
    ];
    let text = String::from_utf8(js_api(&tests, &args).stdout).unwrap();
    assert!(text.contains("1 changes since the baseline"), "{text}");
    assert!(text.contains("bad  failed, now was skipped"), "{text}");
}
