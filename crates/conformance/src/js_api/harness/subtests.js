// Subtests: how they are registered and run, and when the file is at its end.

const {
    op_js_api_began,
    op_js_api_done,
    op_js_api_ended,
    op_js_api_error,
    op_js_api_subtest,
} = core.ops;

/// How many subtests have each name.
const names = new Map();

/// The number of subtests and setups that have not ended.
let pending = 0;

/// Whether all scripts have run.
let isLoaded = false;

/// Whether the file says by itself when it is at its end.
let isDoneExplicit = false;
let isDoneCalled = false;
let isReported = false;
let allowsUncaught = false;

/// Settled when the last `promise_test` has ended. They run one after another.
let promiseTests = Promise.resolve();

/// Reports an error that is not of a subtest.
function reportOutside(thrown, kind) {
    op_js_api_error(lineOf(thrown), `${kind}: ${describe(thrown)}`);
}

/// Reports an error that nobody has caught, unless the file expects such errors.
function reportUncaught(thrown, kind) {
    if (!allowsUncaught) reportOutside(thrown, kind);
}

/// Reports the end of the file if there is nothing left to wait for.
function checkDone() {
    const isDone = isLoaded && pending === 0 && (!isDoneExplicit || isDoneCalled);
    if (isDone && !isReported) {
        isReported = true;
        op_js_api_done();
    }
}

/// A name that no other subtest of the file has.
function unique(name) {
    const text = name === undefined ? "(untitled)" : String(name);
    const count = (names.get(text) ?? 0) + 1;
    names.set(text, count);
    return count === 1 ? text : `${text} #${count}`;
}

class Test {
    #number;
    #hasEnded = false;
    #cleanups = [];
    #whenEnded = () => {};

    constructor(name) {
        this.name = unique(name);
        this.#number = op_js_api_subtest(this.name, lineOf(new Error()));
        pending += 1;
    }

    begin(whenEnded = () => {}) {
        this.#whenEnded = whenEnded;
        op_js_api_began(this.#number);
    }

    get hasEnded() {
        return this.#hasEnded;
    }

    /// Ends the subtest. `message` says why it failed, and is empty if it passed.
    #end(message) {
        if (this.#hasEnded) return;
        this.#hasEnded = true;
        for (const cleanup of this.#cleanups) {
            try {
                cleanup();
            } catch (error) {
                reportOutside(error, "cleanup");
            }
        }
        op_js_api_ended(this.#number, message);
        pending -= 1;
        this.#whenEnded();
        checkDone();
    }

    fail(message) {
        this.#end(message || "failed");
    }

    done() {
        this.#end("");
    }

    step(body, receiver = this, ...args) {
        if (this.#hasEnded) return undefined;
        try {
            return body.apply(receiver, args);
        } catch (error) {
            this.fail(describe(error));
            return undefined;
        }
    }

    step_func(body, receiver = this) {
        return (...args) => this.step(body, receiver, ...args);
    }

    step_func_done(body, receiver = this) {
        return (...args) => {
            if (body) this.step(body, receiver, ...args);
            this.done();
        };
    }

    step_timeout(body, milliseconds, ...args) {
        return setTimeout(() => this.step(body, this, ...args), milliseconds);
    }

    unreached_func(description) {
        return this.step_func(() => assert_unreached(description));
    }

    add_cleanup(cleanup) {
        this.#cleanups.push(cleanup);
    }
}

function test(body, name) {
    const subtest = new Test(name);
    subtest.begin();
    const value = subtest.step(body, subtest, subtest);
    // It could be a promise, whose outcome nobody would look at.
    if (value !== undefined) subtest.fail("the function of a `test` returned a value");
    subtest.done();
}

function async_test(bodyOrName, name) {
    const hasBody = typeof bodyOrName === "function";
    const subtest = new Test(hasBody ? name : bodyOrName);
    subtest.begin();
    if (hasBody) subtest.step(bodyOrName, subtest, subtest);
    return subtest;
}

function promise_test(body, name) {
    const subtest = new Test(name);
    const run = (resolve) => {
        subtest.begin(resolve);
        const promise = subtest.step(body, subtest, subtest);
        if (subtest.hasEnded) return;
        if (typeof promise?.then !== "function") {
            subtest.fail("the function of a `promise_test` returned no promise");
            return;
        }
        Promise.resolve(promise).then(() => subtest.done(), (error) => subtest.fail(describe(error)));
    };
    promiseTests = promiseTests.then(() => new Promise(run));
}

function setup(bodyOrProperties, properties) {
    const hasBody = typeof bodyOrProperties === "function";
    const { explicit_done, allow_uncaught_exception } = (hasBody ? properties : bodyOrProperties) ?? {};
    isDoneExplicit ||= Boolean(explicit_done);
    allowsUncaught ||= Boolean(allow_uncaught_exception);
    if (!hasBody) return;
    try {
        bodyOrProperties();
    } catch (error) {
        reportOutside(error, "setup");
    }
}

function promise_setup(body, properties) {
    setup(properties);
    pending += 1;
    const report = (error) => reportOutside(error, "promise_setup");
    promiseTests = promiseTests.then(body).catch(report).then(() => {
        pending -= 1;
        checkDone();
    });
}

function done() {
    isDoneCalled = true;
    checkDone();
}

/// Begins to wait for the end of the file: all scripts have run.
function load() {
    isLoaded = true;
    checkDone();
}

core.setReportExceptionCallback((error) => reportUncaught(error, "uncaught"));
core.setUnhandledPromiseRejectionHandler((_promise, reason) => {
    reportUncaught(reason, "unhandled rejection");
    return true;
});
