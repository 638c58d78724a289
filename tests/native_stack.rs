//! Guests, JavaScript and the host share one native stack: however deep they recurse, the end is an error,
//! and everything is usable afterwards.
//!
//! What this guards against ends the process, so each case runs in one of its own, on a thread with a
//! stack of the size that the case is about.

mod depths;
mod sweeps;
mod without_javascript;

use std::{env, process, thread};

use ext_wasm::WasmCapabilities;
use serde_json::Value;

use crate::child::{self, Child};
use crate::js::Js;

/// Sizes of stacks, in bytes: down to the smallest that deno_core itself starts on.
const SIZES: [usize; 4] = [512 << 10, 1 << 20, 2 << 20, 8 << 20];

/// Which script a child process runs, and the size of its thread's stack, in bytes.
const SCRIPT: &str = "NATIVE_STACK_SCRIPT";
const SIZE: &str = "NATIVE_STACK_SIZE";

/// What all scripts have at hand.
const HELPERS: &str = r#"
    // Recurses `frames` deep, and calls the import there.
    const GUEST = text(`(module
        (import "e" "f" (func $f (param i32) (result i32)))
        (func $down (export "down") (param $frames i32) (param $value i32) (result i32)
            (if (result i32) (local.get $frames)
                (then (i32.add (i32.const 1)
                    (call $down (i32.sub (local.get $frames) (i32.const 1)) (local.get $value))))
                (else (call $f (local.get $value)))))
        (func (export "trap") unreachable))`);
    const module = await compile(GUEST);
    const guest = async (f, options) => await instantiate(module, { e: { f } }, options);
    const down = (instance, frames, value = 0) => instance.call("down", [frames, value]);
    // The same in JavaScript.
    const javascript = (frames, then) => frames === 0 ? then() : javascript(frames - 1, then) + 0;

    // Whether an error is one of those that a stack may end with.
    const isExhausted = (error) => {
        while (error instanceof WasmError && error.cause !== undefined) error = error.cause;
        if (error instanceof WasmError) {
            return error.code === 5002 && error.trap === "call stack exhausted";
        }
        return error instanceof RangeError || error?.name === "InternalError";
    };
    const attempt = (f) => {
        try {
            f();
            return true;
        } catch (error) {
            if (isExhausted(error)) return false;
            throw error;
        }
    };
    // Everything about an error that is none of those.
    const describe = (error) => {
        let told = `${error}`;
        for (let i = 0; i < 3 && error?.cause !== undefined; i++) told += ` < ${error = error.cause}`;
        return `${told} ${error?.code} ${error?.trap} ${error?.stack}`;
    };
    // The largest number for which `f` returns.
    const most = (f) => {
        let below = 1;
        while (attempt(() => f(2 * below))) below *= 2;
        let above = 2 * below;
        while (above - below > 1) {
            const middle = (above + below) >> 1;
            if (attempt(() => f(middle))) below = middle;
            else above = middle;
        }
        return below;
    };
    const mostAsync = async (f) => {
        const returns = async (n) => {
            try {
                return await f(n) === n;
            } catch (error) {
                if (isExhausted(error)) return false;
                throw error;
            }
        };
        let below = 1;
        while (await returns(2 * below)) below *= 2;
        let above = 2 * below;
        while (above - below > 1) {
            const middle = (above + below) >> 1;
            if (await returns(middle)) below = middle;
            else above = middle;
        }
        return below;
    };
"#;

/// Does `work` in a process of its own, on a thread with a stack of this size, and returns what it returns.
/// That process runs the test of this name, to where it first comes here.
fn on_stack(
    test: &str,
    size: usize,
    script: &str,
    work: impl FnOnce(&str) -> Value + Send + 'static,
) -> Value {
    if !child::is_child() {
        println!("on a stack of {} KiB:", size >> 10);
        return Child::new(test)
            .env(SCRIPT, script)
            .env(SIZE, &size.to_string())
            .run();
    }
    let size = env::var(SIZE).expect("the size of the stack");
    let script = env::var(SCRIPT).expect("the script to run");
    let thread = thread::Builder::new().stack_size(size.parse().unwrap());
    let thread = thread.spawn(move || work(&script)).unwrap();
    child::answer(&thread.join().unwrap());
    process::exit(0);
}

/// Runs a script like that.
fn run(test: &str, size: usize, script: &str) -> Value {
    let told = on_stack(test, size, script, |script| {
        let mut capabilities = WasmCapabilities::default();
        capabilities.allow_wasi = true;
        Js::with(capabilities).run(&format!("{HELPERS}\n{script}"))
    });
    println!("{told}");
    told
}

/// Asserts that a script sometimes found room and sometimes did not.
fn assert_reached_the_end(told: &Value) {
    assert!(told["returned"].as_u64().unwrap() > 0, "{told}");
    assert!(told["exhausted"].as_u64().unwrap() > 0, "{told}");
}
