//! Guests, JavaScript and the host share one native stack. At any depth of recursion, an exhausted stack is an error,
//! and everything is usable afterwards.
//!
//! A failure would end the process. Each case therefore runs in a process of its own, on a thread with a stack of the
//! given size.

mod depths;
mod sweeps;
mod without_javascript;

use std::{env, process, thread};

use ext_wasm::WasmCapabilities;
use serde_json::Value;

use crate::support::child::{self, Child};
use crate::support::js::Js;

/// Sizes of stacks in bytes. The smallest is the least that deno_core needs to start.
const SIZES: [usize; 4] = [512 << 10, 1 << 20, 2 << 20, 8 << 20];

/// Environment variables of a child process: its script, and the size of the stack of its thread in bytes.
const SCRIPT: &str = "NATIVE_STACK_SCRIPT";
const SIZE: &str = "NATIVE_STACK_SIZE";

/// Functions for all scripts.
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
    // Recurses `frames` deep in JavaScript, and calls `then` there.
    const javascript = (frames, then) => frames === 0 ? then() : javascript(frames - 1, then) + 0;

    // Whether an error reports an exhausted stack.
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
    // The text of an unexpected error, with its causes.
    const describe = (error) => {
        let text = `${error}`;
        for (let i = 0; i < 3 && error?.cause !== undefined; i++) text += ` < ${error = error.cause}`;
        return `${text} ${error?.code} ${error?.trap} ${error?.stack}`;
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

/// Runs `work` in a process of its own, on a thread with a stack of this size, and returns its result. The process
/// runs the test of this name up to its first call of this function.
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

/// Runs a script in this manner.
fn run(test: &str, size: usize, script: &str) -> Value {
    let result = on_stack(test, size, script, |script| {
        let mut capabilities = WasmCapabilities::default();
        capabilities.allow_wasi = true;
        Js::with(capabilities).run(&format!("{HELPERS}\n{script}"))
    });
    println!("{result}");
    result
}

/// Asserts that some calls of a script returned, and some exhausted the stack.
fn assert_reached_the_end(result: &Value) {
    assert!(result["returned"].as_u64().unwrap() > 0, "{result}");
    assert!(result["exhausted"].as_u64().unwrap() > 0, "{result}");
}
