// The assertions of subtests.

class AssertionError extends Error {}
AssertionError.prototype.name = "AssertionError";

function assert(holds, description, message) {
    if (holds) return;
    throw new AssertionError(description === undefined ? message : `${description}: ${message}`);
}

function assert_true(actual, description) {
    assert(actual === true, description, `expected true, got ${formatValue(actual)}`);
}

function assert_false(actual, description) {
    assert(actual === false, description, `expected false, got ${formatValue(actual)}`);
}

function assert_equals(actual, expected, description) {
    if (Object.is(actual, expected)) return;
    const isSameType = typeof actual === typeof expected;
    const show = (value) => (isSameType ? "" : `(${typeof value}) `) + formatValue(value);
    assert(false, description, `expected ${show(expected)}, got ${show(actual)}`);
}

function assert_not_equals(actual, expected, description) {
    assert(!Object.is(actual, expected), description, `got the disallowed value ${formatValue(actual)}`);
}

function assert_in_array(actual, expected, description) {
    const message = `${formatValue(actual)} is not in ${formatValue(expected)}`;
    assert(expected.includes(actual), description, message);
}

function assert_array_equals(actual, expected, description) {
    const isArray = typeof actual === "object" && actual !== null && "length" in actual;
    assert(isArray, description, `expected an array, got ${formatValue(actual)}`);
    const [want, got] = [expected.length, actual.length];
    assert(got === want, description, `expected ${want} elements, got ${got}`);
    for (let index = 0; index < want; index++) {
        const isSame = Object.hasOwn(actual, index) === Object.hasOwn(expected, index)
            && Object.is(actual[index], expected[index]);
        const message = `expected ${formatValue(expected[index])} at ${index}, got ${formatValue(actual[index])}`;
        assert(isSame, description, message);
    }
}

function assert_class_string(object, name, description) {
    const actual = Object.prototype.toString.call(object);
    assert(actual === `[object ${name}]`, description, `expected the class ${name}, got ${actual}`);
}

function assert_own_property(object, name, description) {
    assert(Object.hasOwn(object, name), description, `the property ${formatValue(name)} is missing`);
}

function assert_not_own_property(object, name, description) {
    assert(!Object.hasOwn(object, name), description, `there is a property ${formatValue(name)}`);
}

function assert_regexp_match(actual, expected, description) {
    assert(expected.test(actual), description, `expected ${expected}, got ${formatValue(actual)}`);
}

function assert_unreached(description) {
    assert(false, description, "reached code that must not run");
}

/// Lets an error pass that `constructor` made.
function checkErrorOf(constructor, error, description) {
    assert(typeof constructor === "function", description, `${formatValue(constructor)} makes no errors`);
    const isObject = typeof error === "object" && error !== null;
    const isIt = isObject && error.constructor === constructor && error.name === constructor.name;
    assert(isIt, description, `expected ${constructor.name}, got ${formatThrown(error)}`);
}

/// Lets an error pass that has the name of this one.
function checkErrorLike(expected, error, description) {
    const isIt = typeof error === "object" && error?.name === expected.name;
    assert(isIt, description, `expected ${expected.name}, got ${formatThrown(error)}`);
}

function checkSame(expected, error, description) {
    assert(Object.is(error, expected), description, `expected ${formatValue(expected)}, got ${formatThrown(error)}`);
}

/// An assertion that a function throws what `check` lets pass.
function throwing(check) {
    return (expected, body, description) => {
        let value;
        try {
            value = body.call(undefined);
        } catch (error) {
            check(expected, error, description);
            return;
        }
        assert(false, description, `expected an exception, got ${formatValue(value)}`);
    };
}

/// An assertion that a promise is rejected with what `check` lets pass.
function rejecting(check) {
    return (_subtest, expected, promise, description) => {
        const fulfilled = (value) => assert(false, description, `expected a rejection, got ${formatValue(value)}`);
        return Promise.resolve(promise).then(fulfilled, (error) => check(expected, error, description));
    };
}

const assert_throws_js = throwing(checkErrorOf);
const assert_throws_exactly = throwing(checkSame);
const promise_rejects_js = rejecting(checkErrorOf);
const promise_rejects_exactly = rejecting(checkSame);
