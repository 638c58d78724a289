//! The lanes, the options and the reports.

use std::fs;

use super::expectations::{BAD, expecting};
use super::{folder, js_api, run_one, write};

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
