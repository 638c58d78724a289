// Gives the tests their global names, and returns the function that says that all scripts have run.

Object.assign(globalThis, {
    // Subtests.
    async_test,
    done,
    promise_setup,
    promise_test,
    setup,
    test,
    // Assertions.
    assert_array_equals,
    assert_class_string,
    assert_equals,
    assert_false,
    assert_in_array,
    assert_not_equals,
    assert_not_own_property,
    assert_own_property,
    assert_regexp_match,
    assert_throws_exactly,
    assert_throws_js,
    assert_true,
    assert_unreached,
    format_value: (value) => formatValue(value),
    promise_rejects_exactly,
    promise_rejects_js,
    // Older names, which some of the official tests still use.
    assert_not_reached: assert_unreached,
    assert_throws: throwing(checkErrorLike),
    promise_rejects: rejecting(checkErrorLike),
    // Of V8's own tests, from which some of the official ones come.
    assertEquals: (expected, actual, description) => assert_equals(actual, expected, description),
    // The web's.
    GLOBAL,
    clearTimeout,
    console,
    self: globalThis,
    setTimeout,
});

// Tests see no names of deno_core.
delete globalThis.Deno;
delete globalThis.__bootstrap;

return load;
