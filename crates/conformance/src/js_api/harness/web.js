// The web names that the tests use and a `JsRuntime` does not have.

import { core } from "ext:core/mod.js";
import { formatValue } from "ext:js_api/format.js";

const timers = new Map();
let lastTimer = 0;

export function setTimeout(body, milliseconds, ...args) {
    lastTimer += 1;
    const id = lastTimer;
    const run = () => {
        timers.delete(id);
        body(...args);
    };
    timers.set(id, core.createTimer(run, milliseconds, undefined, false, true));
    return id;
}

export function clearTimeout(id) {
    const timer = timers.get(id);
    timers.delete(id);
    if (timer) core.cancelTimer(timer);
}

function print(...values) {
    const text = (value) => typeof value === "string" ? value : formatValue(value);
    core.print(`${values.map(text).join(" ")}\n`, true);
}

/// To standard error: the harness reads standard output.
export const console = { debug: print, error: print, info: print, log: print, warn: print };

export const self = globalThis;

/// The kind of global object, which scripts for several kinds ask for.
export const GLOBAL = { isWindow: () => false, isWorker: () => false, isShadowRealm: () => false };
