//! What the harness gives the files: kinds of subtests, assertions and names.

use super::run_one;

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
