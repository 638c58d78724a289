// The web names that the tests use and a `JsRuntime` does not have.

const timers = new Map();
let lastTimer = 0;

function setTimeout(body, milliseconds, ...args) {
    lastTimer += 1;
    const id = lastTimer;
    const run = () => {
        timers.delete(id);
        body(...args);
    };
    timers.set(id, core.createTimer(run, milliseconds, undefined, false, true));
    return id;
}

function clearTimeout(id) {
    const timer = timers.get(id);
    timers.delete(id);
    if (timer) core.cancelTimer(timer);
}

function print(...values) {
    const text = (value) => typeof value === "string" ? value : formatValue(value);
    core.print(`${values.map(text).join(" ")}\n`, true);
}

/// Of standard error: the harness reads standard output.
const console = { debug: print, error: print, info: print, log: print, warn: print };

/// The kind of global object, which scripts for several kinds ask for.
const GLOBAL = { isWindow: () => false, isWorker: () => false, isShadowRealm: () => false };
